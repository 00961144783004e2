"""What a handler gets: the principal, the session, the clock and the bridges that its operation declares.

Reaching for a bridge capability that `cross_domain_deps` does not name raises UndeclaredDependency. A coordinator
checks that it runs inside a registry dispatch (`within_dispatch`), else CoordinatorMisuse.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Literal, TypeVar, cast, overload

from msgspec import Struct

from spine.consequences.feed import TopicFeed
from spine.consequences.hub import Hub
from spine.contracts.actors import Principal
from spine.contracts.config import RuntimeConfig
from spine.contracts.enums import Topic
from spine.contracts.errors import CoordinatorMisuse, UndeclaredDependency
from spine.contracts.events import Change, Event, Follow
from spine.contracts.ledger import AuditEvent
from spine.contracts.log import PendingLeaf
from spine.contracts.operations import Operation, OperationResult
from spine.orchestrator.bridges import BRIDGES
from spine.orchestrator.bridges.activity_bridge import ActivityBridge
from spine.orchestrator.bridges.analytics_bridge import AnalyticsBridge
from spine.orchestrator.bridges.controls_bridge import ControlsBridge
from spine.orchestrator.bridges.incidents_bridge import IncidentsBridge
from spine.orchestrator.bridges.integrations_bridge import IntegrationsBridge
from spine.orchestrator.bridges.logs_bridge import LogsBridge
from spine.orchestrator.bridges.policies_bridge import PoliciesBridge
from spine.storage.events import PLACES
from spine.storage.sessions import AnonymousSession, ReadSession, WriteSession

T = TypeVar("T")

Dispatch = Callable[[str, Struct], Awaitable[OperationResult[Any]]]

_dispatching: ContextVar[str | None] = ContextVar("dispatching", default=None)


@contextmanager
def dispatching(operation: str) -> Iterator[None]:
    """Mark the time during which the registry runs this operation's handler."""
    token = _dispatching.set(operation)
    try:
        yield
    finally:
        _dispatching.reset(token)


def within_dispatch(coordinator: str) -> None:
    """Assert that the registry is dispatching; raises CoordinatorMisuse otherwise."""
    if _dispatching.get() is None:
        raise CoordinatorMisuse(f"{coordinator} was entered outside a registry dispatch")


class GuardedBridge:
    """A bridge that hands out only the capabilities that the operation declares."""

    def __init__(self, operation: Operation, domain: str) -> None:
        self._operation = operation
        self._domain = domain

    def __getattr__(self, capability: str) -> Any:
        """The capability, when it is declared."""
        dependency = f"{self._domain}.{capability}"
        if dependency not in self._operation.cross_domain_deps:
            raise UndeclaredDependency(f"{self._operation.name} does not declare {dependency}")
        return getattr(BRIDGES[self._domain], capability)


class DispatchFacts(Struct, frozen=True):
    """What is true of one dispatch, whoever dispatches."""

    request_id: str
    now: datetime
    config: RuntimeConfig
    operations: Mapping[str, Operation]


class Context:
    """What every handler gets."""

    def __init__(self, operation: Operation, principal: Principal, facts: DispatchFacts) -> None:
        self.principal = principal
        self.request_id = facts.request_id
        self.now = facts.now
        self.config = facts.config
        self.operations = facts.operations
        self._operation = operation

    @overload
    def bridge(self, domain: Literal["activity"]) -> ActivityBridge: ...
    @overload
    def bridge(self, domain: Literal["analytics"]) -> AnalyticsBridge: ...
    @overload
    def bridge(self, domain: Literal["controls"]) -> ControlsBridge: ...
    @overload
    def bridge(self, domain: Literal["incidents"]) -> IncidentsBridge: ...
    @overload
    def bridge(self, domain: Literal["integrations"]) -> IntegrationsBridge: ...
    @overload
    def bridge(self, domain: Literal["logs"]) -> LogsBridge: ...
    @overload
    def bridge(self, domain: Literal["policies"]) -> PoliciesBridge: ...

    def bridge(self, domain: str) -> Any:
        """The bridge to a domain, guarded by the operation's declared dependencies."""
        return cast("Any", GuardedBridge(self._operation, domain))


class ReadContext(Context):
    """What a READ handler gets: a snapshot, and no way to write."""

    def __init__(self, operation: Operation, principal: Principal, facts: DispatchFacts, session: ReadSession) -> None:
        super().__init__(operation, principal, facts)
        self.session = session


class WriteContext(Context):
    """What a WRITE handler gets: the transaction, and the audit events that go into it."""

    def __init__(self, operation: Operation, principal: Principal, facts: DispatchFacts, session: WriteSession) -> None:
        super().__init__(operation, principal, facts)
        self.session = session
        self.events: list[AuditEvent] = []
        self.changes: list[Change] = []
        self.leaves: list[PendingLeaf] = []

    def record(self, event: AuditEvent) -> None:
        """Add an entry to the audit ledger, in this transaction."""
        self.events.append(event)

    def commit_to(self, leaves: Iterable[PendingLeaf]) -> None:
        """Queue leaves for the tenant's log, in this transaction."""
        self.leaves.extend(leaves)

    def announce(self, changes: Iterable[Change]) -> None:
        """Tell those who follow that these objects have changed, when this transaction is committed."""
        self.changes.extend(changes)


class StreamContext(Context):
    """What a STREAM handler gets: the tenant's events, and no session, for it holds none while it waits."""

    def __init__(self, operation: Operation, principal: Principal, facts: DispatchFacts, hub: Hub) -> None:
        super().__init__(operation, principal, facts)
        self._hub = hub

    async def follow(self, topic: Topic, request: Follow, make: Callable[[Event, str], T]) -> TopicFeed[T]:
        """Follow a topic; `make` gives what followers see of an event and its cursor."""
        after = None if request.after is None else PLACES.values(request.after)[0]
        return await TopicFeed(self._hub, self.principal.tenant_id, topic, request.first, make).begin(after)


class SequenceContext(Context):
    """What a SEQUENCE handler gets: other operations, each dispatched in a transaction of its own, and no session."""

    def __init__(self, operation: Operation, principal: Principal, facts: DispatchFacts, dispatch: Dispatch) -> None:
        super().__init__(operation, principal, facts)
        self._dispatch = dispatch

    async def perform(self, name: str, request: Struct) -> Any:
        """The value of an operation that this one declares, for the same principal; raises its HocError."""
        if name not in self._operation.dispatches:
            raise UndeclaredDependency(f"{self._operation.name} does not declare that it dispatches {name}")
        return (await self._dispatch(name, request)).unwrap()


class AnonymousContext:
    """What the one operation gets that runs before the tenant is known."""

    def __init__(self, session: AnonymousSession, facts: DispatchFacts) -> None:
        self.session = session
        self.now = facts.now
        self.config = facts.config
