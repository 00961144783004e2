"""Operations: the frozen entries of the registry, and what comes back from a dispatch."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from spine.contracts.access_log import Disclosed
from spine.contracts.enums import OperationKind, Permission
from spine.contracts.errors import HocError

T = TypeVar("T")

CHANGING = frozenset({OperationKind.WRITE, OperationKind.SEQUENCE})
"""Kinds of operations after which what was read before is out of date."""


class Invariant(Struct, frozen=True):
    """A business invariant: `holds` gets the request (and, afterwards, the result) and says whether it is kept."""

    id: str
    message: str
    holds: Callable[..., bool]


class Operation(Struct, frozen=True, kw_only=True):
    """One thing the product can do.

    `handler(ctx, request)` returns `result`; `validate` raises ValidationFailed for input that is wrong in itself.
    A `batch_key` names the request field that holds the keys: such an operation returns a mapping from each key it
    found to its value. An `idempotent` WRITE remembers its answer under the request's `idempotency_key`. A WRITE
    `for_own_key` needs no permission: it keeps the books of the key that asks, which it takes from the principal alone.
    `measure` counts for operators what a result says, after the commit. `on_failure(ctx, request, error)` keeps what a
    failed WRITE leaves to be told, in a transaction of its own: that of the handler was rolled back. A SEQUENCE
    `dispatches` other operations, these and no others, each in a transaction of its own, and holds none while it works
    between them. `discloses` says for the access log which runs the result of a READ tells of. What `recalls` names is
    the operation whose rows this one need not read again where both are asked for of the same keys: it goes first.
    """

    name: str
    kind: OperationKind
    request: Any
    result: Any
    handler: Callable[[Any, Any], Awaitable[Any]]
    permission: Permission | None
    cross_domain_deps: tuple[str, ...]
    cost: int
    summary: str
    batch_key: str | None = None
    anonymous: bool = False
    idempotent: bool = False
    for_own_key: bool = False
    validate: Callable[[Any], None] | None = None
    before: tuple[Invariant, ...] = ()
    after: tuple[Invariant, ...] = ()
    measure: Callable[[Any], None] | None = None
    dispatches: tuple[str, ...] = ()
    on_failure: Callable[[Any, Any, HocError], Awaitable[None]] | None = None
    discloses: Callable[[Any, Any], Disclosed] | None = None
    recalls: str | None = None


class OperationResult(Struct, Generic[T], frozen=True):
    """What a dispatch gave: a value, or an error with a stable code; never raw exception text."""

    operation: str
    value: T | None
    error: HocError | None

    def unwrap(self) -> T:
        """The value; raises the error when there is one."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]
