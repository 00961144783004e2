"""`hoc demo`: everything at once. Embedded database, a tenant with a key, a fleet of agent runs, the server."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import typer
from msgspec import Struct

from resolvers.cli import fleet, logs, server
from resolvers.cli.client import Client, RequestFailed
from resolvers.cli.console import Steps, complain, counting, say, until_interrupted
from resolvers.cli.keys import create_key
from resolvers.cli.options import DataDir, Host, Port, settings_of
from spine.bootstrap import installation
from spine.contracts.access import CreateKey
from spine.contracts.enums import Permission, Role
from spine.settings import Settings

TENANT: Final = "demo"
KEY_DAYS: Final = 30
QUERY: Final = (
    "{ runs(first: 3) { totalCount nodes { agentName status riskLevel costUsd "
    "evidence { incidentsCaused { totalCount } } proof { integrity { verificationStatus } } } } }"
)


class Played(Struct):
    """How far the fleet has been played on this data directory; kept there, so that it is played once."""

    began: datetime
    finished: bool = False


class Demo:
    """One demo: its settings and keys, and whether playing went wrong."""

    def __init__(self, settings: Settings, owner_key: str, machine_key: str, report: Steps) -> None:
        self.failed = False
        self._settings = settings
        self._owner_key = owner_key
        self._machine_key = machine_key
        self._report = report

    def present(self, url: str) -> None:
        """Play the fleet unless that has been done, then say how to look at it. Runs beside the server."""
        self._report.done()
        try:
            play(self._settings.data_dir / "demo.json", url, self._owner_key, self._machine_key)
        except RequestFailed as failure:
            complain(f"the demo fleet could not be played: {failure}")
            self.failed = True
            os.kill(os.getpid(), signal.SIGTERM)
            return
        say(f"\nOpen      {url}/graphiql#key={self._owner_key}\n")
        say(f"GraphQL   {url}/graphql\nOTLP      {url}/v1/traces\nkey       {self._owner_key}\n\nTry:")
        say(curl(url, self._owner_key))
        say("\nThe key is an owner's, for 30 days. Ctrl-C stops everything; the data stays.")


def demo(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Start everything with demo data and serve until Ctrl-C; the data stays for the next time."""
    settings = settings_of(host=host, port=port, data_dir=data_dir)
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "error"})
    logs.configure(settings.log_level)
    listener = server.listen(settings.host, settings.port)
    shown: Demo | None = None
    with until_interrupted(), Steps() as report, installation(settings, report):
        expiry = datetime.now(UTC) + timedelta(days=KEY_DAYS)
        owner = CreateKey(name="demo owner", role=Role.OWNER, expires_at=expiry)
        reporting = (Permission.RUNS_WRITE,)
        machine = CreateKey(name="demo fleet", role=Role.MACHINE, scopes=reporting, expires_at=expiry)
        keys = [asyncio.run(create_key(settings, TENANT, wanted, report)).key for wanted in (owner, machine)]
        report("starting the server")
        shown = Demo(settings, keys[0], keys[1], report)
        server.run(settings, listener, shown.present)
    if shown is not None and shown.failed:
        raise typer.Exit(1)


def play(progress_file: Path, url: str, owner_key: str, machine_key: str) -> None:
    """Play the fleet, or the rest of it: what was done before an interruption is found done, and changes nothing."""
    played = (
        msgspec.json.decode(progress_file.read_bytes(), type=Played)
        if progress_file.exists()
        else Played(datetime.now(UTC).replace(microsecond=0))
    )
    if played.finished:
        return
    progress_file.write_bytes(msgspec.json.encode(played))
    with Client(url, owner_key) as owner, Client(url, machine_key) as machine:
        acts = fleet.acts(owner, machine, played.began)
        with counting("playing the demo fleet", len(acts)) as done:
            for act in acts:
                act()
                done(1)
    played.finished = True
    progress_file.write_bytes(msgspec.json.encode(played))


def curl(url: str, key: str) -> str:
    """A line for the shell that shows the newest runs."""
    body = msgspec.json.encode({"query": QUERY}).decode()
    return f"curl -s {url}/graphql -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'"
