"""The console query the usual way: Strawberry, SQLAlchemy's ORM and data loaders, nothing tuned.

It answers what the API answers, in row-security transactions and with the same verification, but each loader has a
transaction of its own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import strawberry
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader

from tests.bench import ordinary_tables as orm
from tests.bench.hand_written import POOL_SIZE, Keys
from tests.bench.hand_written_answer import MOST_COUNTED, cursor_of
from tests.bench.ordinary_types import PageInfo, Run, RunConnection, RunEdge, RunOrder
from tests.bench.place import Place

FEEDBACK = orm.LedgerEntry.entity_type == "SIGNAL"


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    async def runs(self, info: strawberry.Info, first: int, order_by: RunOrder) -> RunConnection:
        """A page of runs."""
        tenant: orm.Tenant = info.context["tenant"]
        mine = (orm.Run.tenant_id == tenant.tenant_id, ~orm.Run.withdrawn)
        newest = order_by is RunOrder.STARTED_AT_DESC
        keys = (orm.Run.started_ns, orm.Run.id)
        order = [key.desc() for key in keys] if newest else list(keys)
        found = await tenant.rows(select(orm.Run).where(*mine).order_by(*order).limit(first + 1))
        total = await tenant.rows(select(func.count()).select_from(orm.Run).where(*mine))
        runs = [run for (run,) in found[:first]]
        return RunConnection(
            total_count=min(total[0][0], MOST_COUNTED),
            page_info=PageInfo(has_next_page=len(found) > first, end_cursor=cursor_of(runs[-1]) if runs else None),
            edges=[RunEdge(node=Run.of(run)) for run in runs],
        )


class Server(GraphQL[Any, Any]):
    """The view, with a context a request."""

    def __init__(self, schema: strawberry.Schema, place: Place) -> None:
        super().__init__(schema)
        self._place = place
        self._keys: Keys
        self._sessions: Any

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """An engine of the size of the other servers' pools."""
        pepper = (self._place.data_dir / "key-pepper").read_bytes()
        engine = create_async_engine(
            "postgresql+asyncpg://", connect_args=self._place.connect, pool_size=POOL_SIZE, max_overflow=0
        )
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        async with asyncpg.create_pool(**self._place.connect, min_size=1, max_size=1) as pool:
            self._keys = Keys(pool, pepper)
            yield
        await engine.dispose()

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:  # noqa: ARG002
        """The tenant, and a loader for each list."""
        tenant_id = await self._keys.tenant(request.headers.get("authorization", ""))
        if tenant_id is None:
            raise PermissionError("a key is needed")
        tenant = orm.Tenant(self._sessions, tenant_id)
        newest_incident = (orm.Incident.created_at.desc(), orm.Incident.id.desc())
        newest_signal = (orm.Signal.created_at.desc(), orm.Signal.id.desc())
        oldest_entry = (orm.LedgerEntry.created_at, orm.LedgerEntry.id)
        return {
            "tenant": tenant,
            "incidents": DataLoader(tenant.below(orm.Incident, "source_run_id", *newest_incident)),
            "signals": DataLoader(tenant.below(orm.Signal, "run_id", *newest_signal)),
            "feedback": DataLoader(tenant.below(orm.LedgerEntry, "entity_id", *oldest_entry, of=FEEDBACK)),
            "evaluations": DataLoader(tenant.below(orm.Evaluation, "run_id", orm.Evaluation.evidence_index)),
            "decisions": DataLoader(tenant.below(orm.Decision, "run_id", orm.Decision.evidence_index)),
            "breaches": DataLoader(tenant.below(orm.Breach, "run_id", orm.Breach.evidence_index)),
            "environments": DataLoader(tenant.below(orm.Environment, "run_id", orm.Environment.evidence_index)),
            "seals": DataLoader(tenant.seals),
            "steps": DataLoader(tenant.steps),
        }


def create_app(place: Place) -> Starlette:
    """The application."""
    server = Server(strawberry.Schema(Query), place)
    app = Starlette(lifespan=server.lifespan)
    app.add_route("/graphql", server)  # type: ignore[arg-type]
    return app
