"""What is noted of a request while it is answered: who asked for which operation, what it cost, how it ended.

Never what was asked for: no variable, literal, key or payload is kept here, because logs, metrics and traces are made
from it. Whoever knows something notes it for the request under way; outside one (tests, commands) nothing is.
"""

import time
from contextvars import ContextVar
from typing import Final

from strawberry.extensions import SchemaExtension

from spine.contracts.actors import Principal
from spine.contracts.errors import ErrorCode

LONGEST_NAME: Final = 80
"""What is kept of an operation's name, which is as long as its client likes."""


class Seen:
    """One request. `code` is OK or its first error's, but a fault of the program goes before other errors."""

    __slots__ = ("began", "code", "kind", "operation", "principal", "request_id", "round_trips", "statements", "status")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.began = time.perf_counter()
        self.operation: str | None = None
        """The name of the GraphQL operation that was executed; empty when it has none, None when there was none."""
        self.kind: str | None = None
        self.code: str | None = None
        self.status: int | None = None
        self.principal: Principal | None = None
        self.statements = 0
        self.round_trips = 0

    def milliseconds(self) -> float:
        """How long it has taken so far."""
        return (time.perf_counter() - self.began) * 1000


current: Final[ContextVar[Seen | None]] = ContextVar("seen", default=None)
"""The request under way."""


class NotedOperation(SchemaExtension):
    """Notes which operation is executed. A document that was refused has only a name that nobody has checked."""

    def on_execute(self) -> None:  # type: ignore[override]
        """Note it before it runs."""
        seen = current.get()
        if seen is not None:
            seen.operation = (self.execution_context.operation_name or "")[:LONGEST_NAME]
            seen.kind = self.execution_context.operation_type.value


def note_code(code: ErrorCode) -> None:
    """Note an error that the client is told."""
    seen = current.get()
    if seen is not None and (seen.code is None or code is ErrorCode.INTERNAL):
        seen.code = code.value


def note_principal(principal: Principal) -> None:
    """Note who asks."""
    seen = current.get()
    if seen is not None:
        seen.principal = principal


def note_reads(statements: int, round_trips: int) -> None:
    """Note what the request's reads cost the database."""
    seen = current.get()
    if seen is not None:
        seen.statements += statements
        seen.round_trips += round_trips
