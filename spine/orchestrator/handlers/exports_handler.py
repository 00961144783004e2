"""Exports: keeping files with their checksums, listing them, and handing them out again.

Keeping one is an entry of the audit ledger that holds the checksum, and so a leaf of the tenant's log.
"""

from datetime import datetime
from uuid import UUID

from domains.logs import driver_exports as driver
from spine.contracts.access_log import Disclosed
from spine.contracts.actors import Principal
from spine.contracts.enums import AuditEntityType, ExportKind, OperationKind, Permission
from spine.contracts.errors import Forbidden, HocError, TooLarge
from spine.contracts.exports import Draft, Export, Exported, ExportFile, ExportsByKey, KeptFile, ListExports
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.contracts.scalars import BigInt
from spine.orchestrator.context import ReadContext, WriteContext
from spine.services.canonical_json import digest
from spine.services.ids import node_id, uuid7
from spine.storage.keyset import Keyset, page_of

EXPORTS = Keyset("logs.exports", (datetime, UUID))

KEEP = "logs.keep_export"
FILES = "logs.export_files"
MOST_BYTES = 32 * 1_048_576

NEEDED = (Permission.RUNS_READ, Permission.POLICIES_READ, Permission.INCIDENTS_READ)
"""What the file of a run or an incident shows, its reader must be allowed to read."""


def check_draft(request: Draft) -> None:
    """A file is bounded: it is kept, and handed out in one piece."""
    if len(request.text.encode()) > MOST_BYTES:
        raise TooLarge("the size of the export, in bytes,", MOST_BYTES)


def demand_rights(principal: Principal, operation: str) -> None:
    """Raise Forbidden unless all that an export of a run shows may be read."""
    for permission in NEEDED:
        if permission not in principal.permissions:
            raise Forbidden(operation, permission)


async def keep_export(ctx: WriteContext, request: Draft) -> Exported:
    """Keep what is handed out, and say so in the ledger."""
    content = request.text.encode()
    key = uuid7()
    export = Export(
        key=key,
        id=node_id(driver.EXPORT, key),
        kind=request.kind,
        subject=request.subject,
        format=request.format,
        filename=request.filename,
        checksum=digest(content).hex(),
        size_bytes=BigInt(len(content)),
        payloads=request.payloads,
        created_by=ctx.principal.actor,
        created_at=ctx.now,
    )
    await ctx.session.insert(driver.insert_export(export, request))
    after = {
        "checksum": export.checksum,
        "format": export.format,
        "kind": export.kind,
        "payloads": export.payloads,
        "size_bytes": export.size_bytes,
        "subject": export.subject,
    }
    ctx.record(
        AuditEvent(event_type="ExportCreated", entity_type=AuditEntityType.EXPORT, entity_id=export.id, after=after)
    )
    return Exported(export, request.text)


async def list_exports(ctx: ReadContext, request: ListExports) -> Page[Export]:
    """A page of exports, newest first."""
    counted = driver.count_exports() if request.count else None
    paged = EXPORTS.read(driver.every_export(), driver.ORDER, request.page)
    rows, total = await ctx.session.fetch_counted(paged, counted)
    return page_of(rows, request.page.first, lambda one: EXPORTS.cursor(one.created_at, one.key), total)


async def exports_by_key(ctx: ReadContext, request: ExportsByKey) -> dict[UUID, Export]:
    """The exports that exist of these keys."""
    return {one.key: one for one in await ctx.session.fetch(driver.exports_by_key(request.export_keys))}


async def export_files(ctx: ReadContext, request: ExportsByKey) -> dict[UUID, ExportFile | HocError]:
    """The kept files; an error for one that tells of what the reader may not read, TooLarge for too many at once."""
    size = await ctx.session.fetch_one(driver.content_bytes(request.export_keys))
    if (size or 0) > MOST_BYTES:
        raise TooLarge("the size of the files that are asked for at once, in bytes,", MOST_BYTES)
    rows = await ctx.session.fetch(driver.contents(request.export_keys))
    return {row.key: _readable(ctx.principal, row) for row in rows}


def _readable(principal: Principal, row: KeptFile) -> ExportFile | HocError:
    missing = next((one for one in NEEDED if one not in principal.permissions), None)
    return row if row.kind is ExportKind.PERIOD or missing is None else Forbidden(FILES, missing)


def of_files(_request: ExportsByKey, rows: dict[UUID, ExportFile | HocError]) -> Disclosed:
    """The runs that the files tell of."""
    kept = [row for row in rows.values() if isinstance(row, KeptFile)]
    return Disclosed(tuple(dict.fromkeys(key for row in kept for key in row.run_keys)))


OPERATIONS = (
    Operation(
        name=KEEP,
        kind=OperationKind.WRITE,
        request=Draft,
        result=Exported,
        handler=keep_export,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=5,
        validate=check_draft,
        summary="Keep a file that is handed out, with its checksum.",
    ),
    Operation(
        name="logs.exports",
        kind=OperationKind.READ,
        request=ListExports,
        result=Page[Export],
        handler=list_exports,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=5,
        summary="A page of exports, newest first.",
    ),
    Operation(
        name="logs.exports_by_key",
        kind=OperationKind.READ,
        request=ExportsByKey,
        result=Export,
        handler=exports_by_key,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=1,
        batch_key="export_keys",
        summary="Exports by key.",
    ),
    Operation(
        name=FILES,
        kind=OperationKind.READ,
        request=ExportsByKey,
        result=ExportFile,
        handler=export_files,
        permission=Permission.AUDIT_READ,
        cross_domain_deps=(),
        cost=20,
        batch_key="export_keys",
        discloses=of_files,
        summary="The files of exports, where they are kept.",
    ),
)
