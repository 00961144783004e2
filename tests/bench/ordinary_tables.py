"""The tables as ORM entities, and loading them below many parents, as an ordinary server does it."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import registry

from domains.activity import tables as activity
from domains.controls import tables as controls
from domains.incidents import tables as incidents
from domains.logs import tables as logs
from domains.policies import tables as policies

Entity = Any
Load = Callable[[Sequence[Any]], Awaitable[list[list[Entity]]]]

ALL = true()

_mapped = registry()


def _entity(table: Table) -> Any:
    entity = type(table.name.title().replace("_", ""), (), {})
    _mapped.map_imperatively(entity, table)
    return entity


Run = _entity(activity.runs)
Signal = _entity(activity.signals)
Incident = _entity(incidents.incidents)
Evaluation = _entity(policies.policy_evaluations)
Decision = _entity(policies.decisions)
Breach = _entity(controls.limit_breaches)
RunStep = _entity(logs.run_steps)
TraceStep = _entity(logs.trace_steps)
Environment = _entity(logs.environment_evidence)
Seal = _entity(logs.seals)
LogLeaf = _entity(logs.log_leaves)
LedgerEntry = _entity(logs.audit_ledger)


class Tenant:
    """What one tenant may see: a session and a transaction a question, as is usual."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], tenant_id: UUID) -> None:
        self.tenant_id = tenant_id
        self._sessions = sessions

    async def rows(self, statement: Any) -> Sequence[Any]:
        """The rows of a select, in a transaction that is bound to the tenant."""
        async with self._sessions() as session:
            await session.execute(
                text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": str(self.tenant_id)}
            )
            return (await session.execute(statement)).all()

    def below(self, entity: Any, parent: str, *order: Any, of: Any = ALL) -> Load:
        """A loader's batch function: the entities below each parent, in order."""

        async def load(keys: Sequence[Any]) -> list[list[Entity]]:
            column = getattr(entity, parent)
            wanted = select(entity).where(entity.tenant_id == self.tenant_id, column.in_(keys), of)
            return _below(keys, [(getattr(one, parent), one) for (one,) in await self.rows(wanted.order_by(*order))])

        return load

    async def steps(self, keys: Sequence[UUID]) -> list[list[Entity]]:
        """The places and steps of each run."""
        wanted = (
            select(RunStep, TraceStep)
            .outerjoin(
                TraceStep,
                (TraceStep.tenant_id == RunStep.tenant_id)
                & (TraceStep.trace_id == RunStep.trace_id)
                & (TraceStep.step_index == RunStep.step_index),
            )
            .where(RunStep.tenant_id == self.tenant_id, RunStep.run_id.in_(keys))
            .order_by(RunStep.run_id, RunStep.position)
        )
        return _below(keys, [(place.run_id, (place, step)) for place, step in await self.rows(wanted)])

    async def seals(self, keys: Sequence[UUID]) -> list[list[Entity]]:
        """The seals of each run, with their leaves in the log."""
        wanted = (
            select(Seal, LogLeaf)
            .outerjoin(
                LogLeaf,
                (LogLeaf.tenant_id == Seal.tenant_id)
                & (LogLeaf.kind == "SEAL")
                & (LogLeaf.subject == Seal.run_id)
                & (LogLeaf.version == Seal.version),
            )
            .where(Seal.tenant_id == self.tenant_id, Seal.run_id.in_(keys))
            .order_by(Seal.run_id, Seal.version)
        )
        return _below(keys, [(seal.run_id, (seal, leaf)) for seal, leaf in await self.rows(wanted)])


def _below(keys: Sequence[Any], found: Sequence[tuple[Any, Entity]]) -> list[list[Entity]]:
    by_parent: defaultdict[Any, list[Entity]] = defaultdict(list)
    for parent, one in found:
        by_parent[parent].append(one)
    return [by_parent[key] for key in keys]
