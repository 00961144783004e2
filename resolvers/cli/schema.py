"""`hoc schema …`: the contract as a file."""

from typing import Annotated

import typer

from resolvers.cli.console import complain, say
from resolvers.schema import contract_text
from schema.export import SCHEMA_FILE

app = typer.Typer(help="The GraphQL schema as a file.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The GraphQL schema as a file."""


@app.command()
def export(
    check: Annotated[bool, typer.Option("--check", help="Only say whether the file is up to date.")] = False,
) -> None:
    """Write schema/schema.graphql, which is committed and reviewed."""
    contract = contract_text()
    current = SCHEMA_FILE.read_text("utf-8") if SCHEMA_FILE.exists() else ""
    if check and contract != current:
        complain(f"{SCHEMA_FILE} is not what the program serves; run: hoc schema export")
        raise typer.Exit(1)
    if not check:
        SCHEMA_FILE.write_text(contract, "utf-8")
    say(f"{SCHEMA_FILE} is up to date")
