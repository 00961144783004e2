"""`hoc log …`: the key of the tenants' logs, checking one, and going on after a backup was restored."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from resolvers.cli import logs
from resolvers.cli.console import Steps, complain, say
from resolvers.cli.keys import Dispatch, Reason, administer
from resolvers.cli.options import DataDir, Tenant, settings_of
from resolvers.cli.timestamp import timestamp
from spine.bootstrap import log_signer
from spine.contracts.log import ContinueLog, FindLogKey, LogContinued, LogKey
from spine.contracts.log_check import LogStep, LogVerification, VerifyLog

CheckpointFile = Annotated[
    Path,
    typer.Option(
        "--checkpoint",
        exists=True,
        dir_okay=False,
        help="The last known checkpoint: a note that you or a witness kept, or the one in the data dir's log-state.",
    ),
]

app = typer.Typer(help="The tenants' logs: key, check, restore.", no_args_is_help=True)
app.command()(timestamp)


@app.command()
def key(tenant: Tenant, data_dir: DataDir = None) -> None:
    """Print the key to verify a tenant's checkpoints with."""

    async def work(dispatch: Dispatch) -> LogKey:
        found: LogKey = await dispatch("logs.log_key", FindLogKey())
        return found

    settings = settings_of(data_dir=data_dir)
    logs.configure("warning")
    with Steps() as report:
        found = asyncio.run(administer(settings, tenant, work, report))
    if not found.tree_size:
        complain(f"the tenant {tenant} has no log yet")
    say(found.vkey)


@app.command("rotate-key")
def rotate_key(data_dir: DataDir = None) -> None:
    """Make a new key and forget the old one; a running server signs with it from the next checkpoint on.

    Old checkpoints verify with the old key; every tenant's ledger tells of the change with the first new one.
    """
    log_signer(settings_of(data_dir=data_dir)).rotate()
    say("a new key signs the tenants' logs from now on; `hoc log key` prints it")


@app.command("continue")
def continue_log(tenant: Tenant, checkpoint: CheckpointFile, reason: Reason, data_dir: DataDir = None) -> None:
    """Declare that a backup was restored which is older than the last known checkpoint.

    The log goes on under a new name, and names in itself the checkpoint that it does not contain.
    """
    request = ContinueLog(checkpoint=checkpoint.read_text("utf-8", errors="replace"), reason=reason)

    async def work(dispatch: Dispatch) -> LogContinued:
        done: LogContinued = await dispatch("logs.continue_log", request)
        return done

    settings = settings_of(data_dir=data_dir)
    logs.configure("warning")
    with Steps() as report:
        done = asyncio.run(administer(settings, tenant, work, report))
    say(f"the log of {tenant} goes on after {done.restored_size} leaves as {done.origin}")


@app.command()
def verify(tenant: Tenant, data_dir: DataDir = None) -> None:
    """Check a tenant's whole log on the database, and say what is wrong first; exit code 1 when something is.

    Whoever does not trust this machine checks the log's checkpoints and bundles elsewhere.
    """

    async def work(dispatch: Dispatch) -> LogVerification:
        step: LogStep = await dispatch("logs.verify_log", VerifyLog())
        while step.cursor is not None:
            step = await dispatch("logs.verify_log", VerifyLog(step.cursor))
        return step.progress

    settings = settings_of(data_dir=data_dir)
    logs.configure("warning")
    with Steps() as report:
        found = asyncio.run(administer(settings, tenant, work, report))
    if found.fault is not None:
        complain(f"{found.fault.kind}: {found.fault.reason}")
        raise typer.Exit(1)
    say(f"{found.leaf_count} leaves and {found.checkpoints_checked} checkpoints agree; root {found.root_hash}")
