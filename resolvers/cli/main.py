"""The command line `hoc`: one module a command; an expected failure is one line on stderr and exit code 1.

Only the module of the command that is asked for is imported, the other commands when all are listed or a name is wrong:
what serving needs takes a second to import, and making a key needs little of it.
"""

import gc
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

import typer

from resolvers.cli.console import complain

COMMANDS: Final = ("demo", "serve", "migrate", "ingest", "operations", "verify")
"""Each is a function of the module of its name."""

GROUPS: Final = ("keys", "documents", "export", "log", "schema", "config", "witness")
"""Each is a module whose `app` has commands of its own."""


def program(names: Iterable[str] = (*COMMANDS, *GROUPS)) -> typer.Typer:
    """The command line, with these commands."""
    app = typer.Typer(
        help="HOC Spine: a governance control plane for AI-agent runs, served as one GraphQL API.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        callback=lambda: None,  # without one, typer makes a single command the whole program
    )
    for name in names:
        module = import_module(f"resolvers.cli.{name}")
        if name in GROUPS:
            app.add_typer(module.app, name=name)
        else:
            settings: dict[str, Any] | None = getattr(module, "CONTEXT_SETTINGS", None)
            app.command(context_settings=settings)(getattr(module, name))
    return app


def asked_for(arguments: list[str]) -> typer.Typer:
    """The command line, with the command that these arguments begin with, or with all."""
    return program(arguments[:1]) if arguments and arguments[0] in (*COMMANDS, *GROUPS) else program()


def main() -> None:
    """Run a command; ends the process."""
    gc.disable()  # of what importing makes, nothing is garbage
    try:
        app = asked_for(sys.argv[1:])
    finally:
        gc.enable()
    try:
        app()
    except Exception as error:
        from resolvers.cli.failures import reason_of  # noqa: PLC0415 - it would import the database for every command

        if (reason := reason_of(error)) is None:
            raise
        complain(reason)
        sys.exit(1)
