"""`hoc config …`: what the settings are, and where each comes from."""

import typer
from pydantic import SecretStr
from rich.table import Table

from resolvers.cli.console import show
from resolvers.cli.options import DataDir, Host, Port, Workers, settings_of, variable
from spine.settings import Settings

app = typer.Typer(help="Settings and where they come from.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Settings and where they come from."""


@app.command("show")
def show_settings(host: Host = None, port: Port = None, data_dir: DataDir = None, workers: Workers = None) -> None:
    """Every setting, its value and its source; flags count as `hoc serve` would take them, secrets are hidden."""
    flags = {"host": host, "port": port, "data_dir": data_dir, "workers": workers}
    settings = settings_of(**flags)
    given = {name for name, value in flags.items() if value is not None}
    table = Table("setting", "value", "from", "meaning")
    for name, field in Settings.model_fields.items():
        source = "flag" if name in given else "environment" if name in settings.model_fields_set else "default"
        table.add_row(variable(name), _shown(settings, name), source, field.description)
    show(table)


def _shown(settings: Settings, name: str) -> str:
    value = settings.model_dump()[name]
    if isinstance(value, SecretStr):
        return "(hidden)"
    return "(not set)" if value is None else str(value)
