"""`hoc export …`: a run, an incident or a period of the log to a file, through the server's GraphQL API."""

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from resolvers.cli.client import RequestFailed
from resolvers.cli.console import complain, say
from resolvers.cli.ingest import Url, connected

Out = Annotated[Path, typer.Option("--out", dir_okay=False, help="Where the file goes; it must not be there yet.")]
Key = Annotated[str, typer.Option(envvar="HOC_KEY", help="An API key with audit:read.", show_envvar=True)]
Payloads = Annotated[bool, typer.Option("--payloads", help="With payloads; the server does not keep such a file.")]
RunId = Annotated[str, typer.Argument(help="The run's global id.")]
IncidentId = Annotated[str, typer.Argument(help="The incident's global id.")]


class Format(StrEnum):
    """What the file is to be."""

    JSON = "json"
    HTML = "html"


AsFormat = Annotated[Format, typer.Option("--format", help="JSON with the proof bundle in it, or a page to read.")]
Since = Annotated[datetime, typer.Option("--from", help="When the period begins (UTC).")]
Until = Annotated[datetime, typer.Option("--to", help="When it ends, which is past (UTC).")]

app = typer.Typer(help="Files to hand out, each kept on the server with its checksum.", no_args_is_help=True)

DEFAULT_URL = "http://127.0.0.1:8000"


@app.command()
def run(
    run_id: RunId,
    key: Key,
    out: Out,
    as_format: AsFormat = Format.JSON,
    payloads: Payloads = False,
    url: Url = DEFAULT_URL,
) -> None:
    """All that is recorded of a run, with its proof bundle."""
    wanted = {"id": run_id, "format": as_format.name, "payloads": payloads}
    _export(url, key, out, "TakeRunExport", wanted)


@app.command()
def incident(
    incident_id: IncidentId,
    key: Key,
    out: Out,
    as_format: AsFormat = Format.JSON,
    payloads: Payloads = False,
    url: Url = DEFAULT_URL,
) -> None:
    """An incident with all that is recorded of the run that caused it."""
    wanted = {"id": incident_id, "format": as_format.name, "payloads": payloads}
    _export(url, key, out, "TakeIncidentExport", wanted)


@app.command()
def period(since: Since, until: Until, key: Key, out: Out, url: Url = DEFAULT_URL) -> None:
    """All that entered the tenant's log in a period; `hoc verify` proves that nothing of it is missing."""
    wanted = {"since": _instant(since), "until": _instant(until)}
    _export(url, key, out, "TakePeriodExport", wanted)


def _instant(given: datetime) -> str:
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).isoformat()


def _export(url: str, key: str, out: Path, operation: str, wanted: dict[str, Any]) -> None:
    """Ask for the file, check that it arrived whole, and write it."""
    if out.exists():
        complain(f"{out} is there already")
        raise typer.Exit(1)
    try:
        with connected(url, key) as client:
            payload = client.mutate("exports", operation, wanted)
    except RequestFailed as failure:
        complain(str(failure))
        raise typer.Exit(1) from None
    content = payload["content"].encode()
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != payload["export"]["checksum"]:
        complain("the file did not arrive as it was sent: its checksum is another one")
        raise typer.Exit(1)
    with out.open("xb") as file:
        file.write(content)
    say(f"{checksum}  {out}")
