"""`hoc ingest`: files of OTLP/JSON lines to a server. Sending a file again changes nothing there."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from msgspec import Struct

from resolvers.cli.client import Client, RequestFailed
from resolvers.cli.console import complain, counting, say

BATCH_LINES = 20
BATCH_BYTES = 2_000_000
TOO_LARGE = 413
BAD = 400

Files = Annotated[list[Path], typer.Argument(help="Files with an ExportTraceServiceRequest in JSON on each line.")]
Url = Annotated[str, typer.Option(envvar="HOC_URL", help="The server.")]
Key = Annotated[str, typer.Option(envvar="HOC_KEY", help="An API key with runs:write.", show_envvar=True)]


class Line(Struct, frozen=True):
    """A line of a file: where it stands, what it holds, and how many spans that is."""

    place: str
    size: int
    resources: list[Any]
    spans: int


class Tally:
    """What became of the spans."""

    def __init__(self) -> None:
        self.lines = 0
        self.accepted = 0
        self.refused = 0
        self.failed_lines = 0

    def fail(self, place: str, reason: str) -> None:
        """A line that the server did not take at all."""
        self.failed_lines += 1
        complain(f"{place}: {reason}")


def ingest(files: Files, key: Key, url: Url = "http://127.0.0.1:8000") -> None:
    """Send OTLP/JSON lines; exit code 1 when anything was refused or could not be sent."""
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise typer.BadParameter(f"no such file: {', '.join(missing)}")
    tally = Tally()
    total = sum(path.stat().st_size for path in files)
    with connected(url, key) as client, counting("sending", total, of_bytes=True) as done:
        for batch in batched(lines_of(files, tally, done)):
            send(client, batch, tally)
            done(sum(line.size for line in batch))
    spans = f"{tally.accepted} spans accepted, {tally.refused} refused"
    say(f"{tally.lines} lines, {spans}, {tally.failed_lines} lines failed")
    if tally.refused or tally.failed_lines:
        raise typer.Exit(1)


def connected(url: str, key: str) -> Client:
    """A client; ends the command when the key can't be one."""
    try:
        return Client(url, key)
    except RequestFailed as failure:
        complain(str(failure))
        raise typer.Exit(1) from None


def lines_of(files: Iterable[Path], tally: Tally, done: Any) -> Iterator[Line]:
    """The readable lines of the files; the others are counted as failed."""
    for path in files:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                if not text.strip():
                    done(len(text))
                    continue
                tally.lines += 1
                line = read_line(f"{path}:{number}", text)
                if isinstance(line, Line):
                    yield line
                else:
                    tally.fail(f"{path}:{number}", line)
                    done(len(text))


def read_line(place: str, text: bytes) -> Line | str:
    """One line, or what is wrong with it."""
    try:
        request = orjson.loads(text)
        resources = request.get("resourceSpans", request.get("resource_spans"))
        scopes = [scope for one in resources for scope in one.get("scopeSpans", one.get("scope_spans", []))]
        spans = sum(len(scope.get("spans") or []) for scope in scopes)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    except (AttributeError, TypeError):
        return "not an ExportTraceServiceRequest"
    return Line(place, len(text), resources, spans)


def batched(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines in groups that make one export each."""
    batch: list[Line] = []
    for line in lines:
        full = len(batch) == BATCH_LINES or sum(one.size for one in batch) + line.size > BATCH_BYTES
        if batch and full:
            yield batch
            batch = []
        batch.append(line)
    if batch:
        yield batch


def send(client: Client, batch: list[Line], tally: Tally) -> None:
    """Send one export; one that is refused whole is tried line by line, so that a bad line harms no other."""
    body = orjson.dumps({"resourceSpans": [resource for line in batch for resource in line.resources]})
    try:
        taken = client.export(body)
    except RequestFailed as failure:
        if len(batch) > 1 and failure.status in (BAD, TOO_LARGE):
            for line in batch:
                send(client, [line], tally)
            return
        if failure.status in (BAD, TOO_LARGE):
            tally.fail(batch[0].place, str(failure))
            return
        complain(str(failure))
        raise typer.Exit(1) from None  # no key, no server: the rest would fare no better
    spans = sum(line.spans for line in batch)
    tally.refused += taken.refused
    tally.accepted += spans - taken.refused
    if taken.refused:
        complain(f"{batch[0].place} and on: {taken.refused} of {spans} spans refused: {taken.message}")
