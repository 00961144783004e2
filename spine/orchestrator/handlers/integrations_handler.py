"""Trusted documents: listing, finding, adding and retiring them, and the mode that says what becomes of others.

Every change first locks the tenant's policy, so two that add the same documents at once run one after the other, and
the second finds nothing left to add.
"""

from collections.abc import Sequence
from datetime import datetime

from domains.integrations import driver, engine
from spine.contracts.access import Nothing
from spine.contracts.enums import AuditEntityType, DocumentMode, OperationKind, Permission
from spine.contracts.errors import Conflict, NotFound
from spine.contracts.integrations import (
    AddDocuments,
    DocumentModeSet,
    DocumentPolicy,
    DocumentsAdded,
    DocumentsRetired,
    FindDocument,
    FoundDocument,
    ListDocuments,
    RetireDocuments,
    SetDocumentMode,
    TrustedDocument,
)
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.orchestrator.context import ReadContext, WriteContext
from spine.storage.keyset import Keyset, page_of

DOCUMENTS = Keyset("integrations.documents", (datetime, str))


async def list_documents(ctx: ReadContext, request: ListDocuments) -> Page[TrustedDocument]:
    """A page of documents, newest first."""
    whole = driver.list_documents(retired=request.retired)
    counted = driver.count_documents(retired=request.retired) if request.count else None
    rows, total = await ctx.session.fetch_counted(DOCUMENTS.read(whole, driver.ORDER, request.page), counted)
    return page_of(rows, request.page.first, lambda one: DOCUMENTS.cursor(one.added_at, one.sha256), total)


async def document_policy(ctx: ReadContext, request: Nothing) -> DocumentPolicy:  # noqa: ARG001 - as every handler
    """What the tenant says of documents; OFF when it never said anything."""
    found = await ctx.session.fetch_one(driver.document_policy())
    return found or DocumentPolicy(DocumentMode.OFF, 0)


async def find_document(ctx: ReadContext, request: FindDocument) -> FoundDocument:
    """The text of a document in force."""
    return FoundDocument(await ctx.session.fetch_one(driver.document_text(request.sha256)))


async def add_documents(ctx: WriteContext, request: AddDocuments) -> DocumentsAdded:
    """Add what is new, take back what was retired, and leave what is in force as it is."""
    policy = await _locked(ctx)
    wanted = {document.sha256: document for document in request.documents}
    known = await _by_sha256(ctx, [*wanted])
    new = [document for sha256, document in wanted.items() if sha256 not in known]
    back = [sha256 for sha256, document in known.items() if document.retired_at is not None]
    if new or back:
        await ctx.session.insert(driver.insert_documents(new, ctx.principal.actor, ctx.now))
        await ctx.session.execute(driver.mark_retired(back, None))
        await ctx.session.execute(driver.change_policy(policy.mode, ctx.now))
    now = await _by_sha256(ctx, [*wanted])
    for document in (*(now[one.sha256] for one in new), *(now[sha256] for sha256 in back)):
        after = {"name": document.name, "bytes": len(document.text.encode())}
        ctx.record(_event("TrustedDocumentAdded", document, None, after))
    return DocumentsAdded(tuple(now[sha256] for sha256 in wanted), len(new) + len(back))


async def retire_documents(ctx: WriteContext, request: RetireDocuments) -> DocumentsRetired:
    """Refuse documents from now on; NotFound or Conflict names the first that is absent or retired already."""
    policy = await _locked(ctx)
    wanted = [*dict.fromkeys(request.sha256)]
    known = await _by_sha256(ctx, wanted)
    for sha256 in wanted:
        if sha256 not in known:
            raise NotFound("trusted document", sha256, field="sha256")
        if known[sha256].retired_at is not None:
            raise Conflict(f"the document {sha256} is retired already", field="sha256")
    await ctx.session.execute(driver.mark_retired(wanted, ctx.now))
    await ctx.session.execute(driver.change_policy(policy.mode, ctx.now))
    now = await _by_sha256(ctx, wanted)
    for sha256 in wanted:
        ctx.record(_event("TrustedDocumentRetired", now[sha256], request.reason, {"retired": True}))
    return DocumentsRetired(tuple(now[sha256] for sha256 in wanted))


async def set_document_mode(ctx: WriteContext, request: SetDocumentMode) -> DocumentModeSet:
    """Say what becomes of documents that are not in the list."""
    policy = await _locked(ctx)
    if policy.mode is not request.mode:
        await ctx.session.execute(driver.change_policy(request.mode, ctx.now))
        ctx.record(
            AuditEvent(
                event_type="DocumentModeSet",
                entity_type=AuditEntityType.TENANT,
                entity_id=str(ctx.principal.tenant_id),
                reason=request.reason,
                before={"document_mode": policy.mode},
                after={"document_mode": request.mode},
            ),
        )
    return DocumentModeSet(request.mode)


async def _locked(ctx: WriteContext) -> DocumentPolicy:
    await ctx.session.insert(driver.first_policy(ctx.now))
    [policy] = await ctx.session.fetch(driver.lock_policy())
    return policy


async def _by_sha256(ctx: WriteContext, wanted: Sequence[str]) -> dict[str, TrustedDocument]:
    return {one.sha256: one for one in await ctx.session.fetch(driver.documents_by_sha256(wanted))}


def _event(event_type: str, document: TrustedDocument, reason: str | None, after: object) -> AuditEvent:
    return AuditEvent(
        event_type=event_type,
        entity_type=AuditEntityType.TRUSTED_DOCUMENT,
        entity_id=document.id,
        reason=reason,
        after=after,
    )


OPERATIONS = (
    Operation(
        name="integrations.documents",
        kind=OperationKind.READ,
        request=ListDocuments,
        result=Page[TrustedDocument],
        handler=list_documents,
        permission=Permission.TENANT_READ,
        cross_domain_deps=(),
        cost=5,
        summary="A page of trusted documents, newest first.",
    ),
    Operation(
        name="integrations.document_policy",
        kind=OperationKind.READ,
        request=Nothing,
        result=DocumentPolicy,
        handler=document_policy,
        permission=None,  # every request depends on it, whatever its key may do
        cross_domain_deps=(),
        cost=1,
        summary="Whether the tenant takes documents that are not in its list.",
    ),
    Operation(
        name="integrations.find_document",
        kind=OperationKind.READ,
        request=FindDocument,
        result=FoundDocument,
        handler=find_document,
        permission=None,  # whoever may send a document's id may know its text
        cross_domain_deps=(),
        cost=1,
        validate=engine.check_wanted,
        summary="The text of a trusted document.",
    ),
    Operation(
        name="integrations.add_documents",
        kind=OperationKind.WRITE,
        request=AddDocuments,
        result=DocumentsAdded,
        handler=add_documents,
        permission=Permission.DOCUMENTS_MANAGE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_added,
        summary="Add trusted documents, all or none.",
    ),
    Operation(
        name="integrations.retire_documents",
        kind=OperationKind.WRITE,
        request=RetireDocuments,
        result=DocumentsRetired,
        handler=retire_documents,
        permission=Permission.DOCUMENTS_MANAGE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_retired,
        summary="Refuse trusted documents from now on.",
    ),
    Operation(
        name="integrations.set_document_mode",
        kind=OperationKind.WRITE,
        request=SetDocumentMode,
        result=DocumentModeSet,
        handler=set_document_mode,
        permission=Permission.DOCUMENTS_MANAGE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_mode,
        summary="Say what becomes of documents that are not in the list.",
    ),
)
