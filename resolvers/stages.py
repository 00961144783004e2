"""The stages of a request as Strawberry's extensions know them, with their hooks found once for all requests.

Strawberry looks each extension's hook up in each stage of each request, and makes a context manager of whatever it is:
a third of what it took to run a small query. Here a hook with nothing to do after its stage is a plain call.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import TracebackType
from typing import Any

from msgspec import Struct
from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext

from spine.contracts.errors import MisuseError


class Hook(Struct, frozen=True):
    """An extension's part in a stage: the extension's place, and what is called, awaited or entered."""

    place: int
    call: Callable[[SchemaExtension], Any]
    awaited: bool
    entered: bool


@cache
def hooks(kinds: tuple[type[SchemaExtension], ...], stage: str) -> tuple[Hook, ...]:
    """The hooks of these extensions in a stage; MisuseError for an asynchronous generator, which nothing here needs."""
    found = []
    for place, kind in enumerate(kinds):
        call = getattr(kind, stage)
        if call is getattr(SchemaExtension, stage):
            continue
        if isasyncgenfunction(call):
            raise MisuseError(f"{kind.__name__}.{stage} must not be an asynchronous generator")
        entered = isgeneratorfunction(call)
        found.append(Hook(place, contextmanager(call) if entered else call, iscoroutinefunction(call), entered))
    return tuple(found)


class Stage:
    """One stage: its hooks are called in order when it begins; those that go on afterwards do so in reverse."""

    __slots__ = ("_extensions", "_hooks", "_open")

    def __init__(self, extensions: Sequence[SchemaExtension], name: str) -> None:
        self._extensions = extensions
        self._hooks = hooks(tuple(map(type, extensions)), name)
        self._open: ExitStack | None = None

    async def __aenter__(self) -> None:
        """Begin."""
        for hook in self._hooks:
            made = hook.call(self._extensions[hook.place])
            if hook.entered:
                self._open = self._open or ExitStack()
                self._open.enter_context(made)
            elif hook.awaited:
                await made

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return None if self._open is None else self._open.__exit__(kind, error, trace)


class Stages(SchemaExtensionsRunner):
    """Runs a schema's extensions; those of a stream's single results are left to Strawberry."""

    def operation(self) -> Any:
        """From the text to the masked result."""
        return Stage(self.extensions, "on_operation")

    def parsing(self) -> Any:
        """The text becomes a document."""
        return Stage(self.extensions, "on_parse")

    def validation(self) -> Any:
        """The document is judged."""
        return Stage(self.extensions, "on_validate")

    def executing(self) -> Any:
        """The operation is executed."""
        return Stage(self.extensions, "on_execute")

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        """The answer's `extensions`."""
        found: dict[str, Any] = {}
        for hook in hooks(tuple(map(type, self.extensions)), "get_results"):
            found.update(hook.call(self.extensions[hook.place]))
        return found | ctx.extensions_results
