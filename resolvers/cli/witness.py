"""`hoc witness …`: a second process, best a second operator, that vouches for what logs say of themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from resolvers.cli import logs, server
from resolvers.cli.console import complain, say, until_interrupted
from resolvers.cli.witness_server import Witness, create_app
from resolvers.cli.witness_state import Checkpoints, StateError, cosigner_of, held
from resolvers.http.protocol import uvicorn_arguments
from spine.services.proof.note import NoteError, Verifier
from spine.services.proof.witness import MAX_SUBMISSION_BYTES

GRACE_S = 5

DataDir = Annotated[Path, typer.Option(help="Where the witness's key and its memory live.")]
Name = Annotated[
    str | None, typer.Option(help="The key's name when it is made, best a URL without scheme; hoc-witness else.")
]
Logs = Annotated[list[str], typer.Option("--log", help="The vkey of a log to witness; repeat it.", metavar="VKEY")]

app = typer.Typer(help="Cosign the checkpoints of logs, beside them and with a key of one's own.", no_args_is_help=True)


@app.command()
def key(data_dir: DataDir = Path(".hoc-witness"), name: Name = None) -> None:
    """Print the witness's vkey, by which cosignatures are verified; the key is made when absent."""
    say(_found(data_dir, name))


@app.command()
def serve(
    log: Logs,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 8001,
    data_dir: DataDir = Path(".hoc-witness"),
    name: Name = None,
) -> None:
    """Witness logs until Ctrl-C; needs no database and nothing of the server that it watches."""
    logs.configure("info")
    known = verifiers(log)
    listener = server.listen(host, port)
    try:
        with held(data_dir):
            cosigner = cosigner_of(data_dir, name)
            checkpoints = Checkpoints(data_dir / "checkpoints", cosigner.vkey)
            for origin in known:
                checkpoints.last(origin)  # what is damaged ends the command here
            config = uvicorn.Config(
                create_app(Witness(cosigner, known, checkpoints)),
                loop="uvloop",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
                **uvicorn_arguments(MAX_SUBMISSION_BYTES),
            )
            say(f"Witness {cosigner.vkey} at {server.base_url(host, listener.getsockname()[1])}; Ctrl-C stops it")
            with until_interrupted():
                uvicorn.Server(config).run([listener])
    except StateError as error:
        complain(str(error))
        raise typer.Exit(1) from None
    finally:
        listener.close()


def verifiers(vkeys: Sequence[str]) -> dict[str, list[Verifier]]:
    """The keys of each log by its origin, which is their name; a log in the midst of a rotation has two."""
    found: dict[str, list[Verifier]] = {}
    for vkey in dict.fromkeys(vkeys):
        try:
            verifier = Verifier.parse(vkey)
        except NoteError as error:
            raise typer.BadParameter(str(error), param_hint="--log") from None
        found.setdefault(verifier.name, []).append(verifier)
    return found


def _found(data_dir: Path, name: str | None) -> str:
    try:
        return cosigner_of(data_dir, name).vkey
    except StateError as error:
        complain(str(error))
        raise typer.Exit(1) from None
