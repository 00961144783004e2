"""What the command line says: results on stdout, progress and complaints on stderr, plain where that is no terminal."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def say(text: str) -> None:
    """A line of the result, at once and as it is: a URL or a key is never wrapped."""
    _console(stderr=False).print(text, markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """A line that says what went wrong."""
    _console(stderr=True).print(f"hoc: {text}", markup=False, highlight=False, soft_wrap=True)


def show(renderable: object) -> None:
    """A table of the result; where that is no terminal it is as wide as it needs to be."""
    console = _console(stderr=False)
    if not console.is_terminal:
        console.width = 240
    console.print(renderable)


class Steps:
    """Progress in words: one changing line on a terminal, a line for each step elsewhere. Leave it to end the line."""

    def __init__(self) -> None:
        self._console = _console(stderr=True)
        self._status = self._console.status("")

    def __call__(self, text: str) -> None:
        """Say what is being done now; `done` ends it, and another call begins again."""
        if self._console.is_terminal:
            self._status.update(escape(text))
            self._status.start()
        else:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def done(self) -> None:
        """Nothing is being done that one would wait for."""
        self._status.stop()

    def __enter__(self) -> Self:
        """Nothing is shown before the first step."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done()


@contextmanager
def counting(what: str, total: int, *, of_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """Progress in numbers: each report is so many more of `total`; a bar on a terminal, nothing elsewhere."""
    console = _console(stderr=True)
    count = DownloadColumn() if of_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda more: progress.advance(task, more)


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C both end the block in order, and count as success."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    stop_at_hang_up()
    with suppress(KeyboardInterrupt):
        yield
    complain("stopped")


def stop_at_hang_up() -> None:
    """Let a closed terminal end the program in order, unless somebody (nohup) said that it should go on."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))


def stop_undisturbed() -> None:
    """From here on only kill -9 interrupts: what remains is to stop what was started."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr)
