"""The command line `hoc`: one module a command; an expected failure is one line on stderr and exit code 1."""

import sys

import typer

from resolvers.cli import config, documents, export, keys, log, schema, verify, witness
from resolvers.cli.console import complain
from resolvers.cli.demo import demo
from resolvers.cli.ingest import ingest
from resolvers.cli.migrate import migrate
from resolvers.cli.operations import operations
from resolvers.cli.serve import serve
from resolvers.cli.timestamp import timestamp
from resolvers.http.graphiql.assets import AssetChanged
from spine.bootstrap import explained

app = typer.Typer(
    help="HOC Spine: a governance control plane for AI-agent runs, served as one GraphQL API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, serve, migrate, ingest, operations):
    app.command()(command)
app.command(context_settings=verify.SETTINGS)(verify.verify)
log.app.command()(timestamp)
groups = (
    ("keys", keys.app),
    ("documents", documents.app),
    ("export", export.app),
    ("log", log.app),
    ("schema", schema.app),
    ("config", config.app),
    ("witness", witness.app),
)
for name, group in groups:
    app.add_typer(group, name=name)


def main() -> None:
    """Run a command; ends the process."""
    try:
        app()
    except Exception as error:
        reason = str(error) if isinstance(error, AssetChanged) else explained(error)
        if reason is None:
            raise
        complain(reason)
        sys.exit(1)
