"""The audit ledger, the log that it and the runs' seals are in, and replays of runs."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.paging import DEFAULT_FIRST, UNSET, After, First, connection, counting, page_request
from resolvers.query.nodes import find
from schema.fields import field
from schema.inputs import to_contract
from schema.logs.access_record import AccessFilter, AccessRecord
from schema.logs.audit_entry import AuditEntry, AuditFilter
from schema.logs.export import Export
from schema.logs.log import LogCheckpoint, LogConsistency
from schema.logs.replay import Replay, ReplayFilter
from schema.relay import Connection
from spine.contracts import access_log, exports, ledger, log
from spine.contracts import replays as contracts
from spine.contracts.scalars import BigInt

EntriesWanted = Annotated[
    AuditFilter | None, strawberry.argument(name="filter", description="Which entries; all when absent.")
]
ReplaysWanted = Annotated[
    ReplayFilter | None, strawberry.argument(name="filter", description="Which replays; all when absent.")
]

AccessesWanted = Annotated[
    AccessFilter | None, strawberry.argument(name="filter", description="Which records; all when absent.")
]


TreeSize = Annotated[
    BigInt | None,
    strawberry.argument(description="The one over exactly so many leaves; the latest when absent."),
]
From = Annotated[BigInt, strawberry.argument(name="from", description="The earlier size, at least 1.")]
To = Annotated[
    BigInt, strawberry.argument(name="to", description="The later size, which the latest checkpoint must cover.")
]

ExportId = Annotated[strawberry.ID, strawberry.argument(name="id", description="The export's global id.")]


@strawberry.type
class LogsQuery:
    """The logs domain's root fields."""

    @field("The audit ledger, newest first.", Connection[AuditEntry], "logs.audit_entries")
    async def audit_entries(
        self, info: Info, wanted: EntriesWanted = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of audit entries."""
        chosen = to_contract(wanted) if wanted else ledger.AuditFilter()
        request = ledger.ListAuditEntries(page=page_request(first, after), filter=chosen, count=counting(info))
        return await connection(info, "logs.audit_entries", request)

    @field("A signed checkpoint of the tenant's log; null when there is none.", LogCheckpoint | None, "logs.checkpoint")
    async def log_checkpoint(self, info: Info, tree_size: TreeSize = UNSET) -> Any:
        """The latest, or the one of a size."""
        size = None if tree_size is UNSET else tree_size
        return await info.context.execute("logs.checkpoint", log.FindCheckpoint(tree_size=size))

    @field("The signed checkpoints of the tenant's log, newest first.", Connection[LogCheckpoint], "logs.checkpoints")
    async def log_checkpoints(self, info: Info, first: First = DEFAULT_FIRST, after: After = UNSET) -> Any:
        """A keyset page of checkpoints."""
        request = log.ListCheckpoints(page=page_request(first, after), count=counting(info))
        return await connection(info, "logs.checkpoints", request)

    @field("The proof that the log has only grown between two sizes.", LogConsistency, "logs.consistency")
    async def log_consistency(self, info: Info, from_size: From, to_size: To) -> Any:
        """The RFC 9162 consistency path."""
        request = log.ProveConsistency(from_size=from_size, to_size=to_size)
        return await info.context.execute("logs.consistency", request)

    @field("Replays of runs, newest first.", Connection[Replay], "logs.replays")
    async def replays(
        self, info: Info, wanted: ReplaysWanted = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of replays."""
        chosen = to_contract(wanted) if wanted else contracts.ReplayFilter()
        request = contracts.ListReplays(page=page_request(first, after), filter=chosen, count=counting(info))
        return await connection(info, "logs.replays", request)

    @field(
        "Who read which runs, newest first; a request appears about a second after it was answered.",
        Connection[AccessRecord],
        "logs.access_records",
        "logs.access_batches",
    )
    async def access_records(
        self, info: Info, wanted: AccessesWanted = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of access records."""
        chosen = to_contract(wanted) if wanted else access_log.AccessFilter()
        request = access_log.ListAccessRecords(page=page_request(first, after), filter=chosen, count=counting(info))
        return await connection(info, "logs.access_records", request)

    @field("Files that were handed out, newest first.", Connection[Export], "logs.exports")
    async def exports(self, info: Info, first: First = DEFAULT_FIRST, after: After = UNSET) -> Any:
        """A keyset page of exports."""
        request = exports.ListExports(page=page_request(first, after), count=counting(info))
        return await connection(info, "logs.exports", request)

    @field("One export; null and NOT_FOUND when there is none.", Export | None, "logs.exports_by_key")
    async def export(self, info: Info, global_id: ExportId) -> Any:
        """One export by its global id."""
        return await find(info, global_id, "Export")
