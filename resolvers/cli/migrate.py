"""`hoc migrate`: the database's tables, brought to what this program expects."""

import asyncio
from typing import Annotated

import typer

from resolvers.cli import logs
from resolvers.cli.console import Steps, say
from resolvers.cli.options import DataDir, settings_of
from spine.bootstrap import migrate_alone, roles_sql

PrintRoles = Annotated[bool, typer.Option("--print-roles", help="Print the SQL that makes roles and database instead.")]


def migrate(data_dir: DataDir = None, print_roles: PrintRoles = False) -> None:
    """Bring the database to the newest revision: DATABASE_OWNER_URL's, else the embedded one."""
    if print_roles:
        say(roles_sql().rstrip())
        return
    settings = settings_of(data_dir=data_dir)
    logs.configure("warning")
    with Steps() as report:
        revision = asyncio.run(migrate_alone(settings, report))
    say(f"the database is at revision {revision}")
