"""Lines of Python with their indentation, and the names that they use."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Names:
    """The names of one plan's code: constants with their values, and fresh variables."""

    def __init__(self, **known: Any) -> None:
        self.values: dict[str, Any] = known
        self._count = 0

    def fresh(self, prefix: str) -> str:
        """A name that nothing else has."""
        self._count += 1
        return f"{prefix}{self._count}"

    def constant(self, prefix: str, value: Any) -> str:
        """A fresh name with this value."""
        name = self.fresh(prefix)
        self.values[name] = value
        return name


class Code:
    """The body of one function."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._level = 0

    def add(self, line: str) -> None:
        """One line, in the block that is open."""
        self._lines.append(" " * self._level + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A block under this line."""
        self.add(head)
        self._level += 1
        yield
        self._level -= 1

    def text(self) -> str:
        """All of it."""
        return "\n".join(self._lines)
