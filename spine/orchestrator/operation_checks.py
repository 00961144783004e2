"""What an operation must be to be registered: what would fail at run time fails at start-up, naming the operation."""

import inspect
from typing import get_args, get_origin, get_type_hints

from spine.contracts.enums import OperationKind
from spine.contracts.errors import RegistryError
from spine.contracts.operations import CHANGING, Operation
from spine.orchestrator.context import AnonymousContext, ReadContext, SequenceContext, StreamContext, WriteContext


def check_operation(operation: Operation, known: frozenset[str]) -> None:
    """Raise RegistryError, naming the operation, for anything that would fail at run time."""
    name = operation.name
    check_handler(operation)
    unknown = set(operation.cross_domain_deps) - known
    if unknown:
        raise RegistryError(f"{name}: no bridge offers {', '.join(sorted(unknown))}")
    fields = operation.request.__struct_fields__
    if operation.batch_key and operation.batch_key not in fields:
        raise RegistryError(f"{name}: its request has no field {operation.batch_key}")
    if operation.idempotent and ("idempotency_key" not in fields or operation.kind is not OperationKind.WRITE):
        raise RegistryError(f"{name}: only a WRITE whose request has an idempotency_key is idempotent")
    reads_runs = operation.batch_key == "run_keys" or (operation.kind is OperationKind.READ and "run_key" in fields)
    if reads_runs and operation.discloses is None:
        raise RegistryError(f"{name}: it reads runs and does not say for the access log which")
    permitted = operation.permission is not None or operation.for_own_key
    if operation.kind in CHANGING and not permitted:
        raise RegistryError(f"{name}: a {operation.kind} needs a permission")
    if bool(operation.dispatches) is not (operation.kind is OperationKind.SEQUENCE):
        raise RegistryError(f"{name}: a SEQUENCE, and nothing else, dispatches other operations")


def check_handler(operation: Operation) -> None:
    """Raise RegistryError unless the handler is a coroutine function of the declared types."""
    name, handler, context = operation.name, operation.handler, _context_type(operation)
    if not inspect.iscoroutinefunction(handler):
        raise RegistryError(f"{name}: its handler is not a coroutine function")
    try:
        hints = get_type_hints(handler)
    except NameError as error:
        raise RegistryError(f"{name}: its handler does not resolve: {error}") from error
    expected = {"ctx": context, "request": operation.request}
    if list(inspect.signature(handler).parameters) != list(expected) or not expected.items() <= hints.items():
        raise RegistryError(f"{name}: its handler must take (ctx: {context.__name__}, request: its request type)")
    answer = hints.get("return")
    if operation.batch_key:  # a mapping of each key to its value, or to why there is none
        values = get_args(answer)[-1:] if get_origin(answer) is dict else ()
        fits = any(operation.result in {value, *get_args(value)[:1]} for value in values)
    else:
        fits = answer == operation.result
    if not fits:
        raise RegistryError(f"{name}: its handler does not return {operation.result}")


def _context_type(operation: Operation) -> type:
    if operation.anonymous:
        return AnonymousContext
    kinds: dict[OperationKind, type] = {
        OperationKind.WRITE: WriteContext,
        OperationKind.STREAM: StreamContext,
        OperationKind.SEQUENCE: SequenceContext,
    }
    return kinds.get(operation.kind, ReadContext)
