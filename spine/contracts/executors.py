"""Executors: what runs a skill again when a step is replayed."""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct


class Executor(Struct, frozen=True):
    """How a skill is executed: its input's bytes to its output's, None where there are none.

    A `repeatable` one has no effect outside its answer. Only such a skill is executed again when the process that
    reserved it died: of any other nobody can tell whether it took effect.
    """

    run: Callable[[bytes | None], Awaitable[bytes]]
    repeatable: bool = False


Executors = Mapping[str, Executor]
"""Executors by the name of their skill."""
