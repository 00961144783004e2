"""The options that commands share, and the settings that they and the environment give."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from spine.settings import Settings

DataDir = Annotated[Path | None, typer.Option(help="Where the embedded database and the key pepper live.")]
Host = Annotated[str | None, typer.Option(help="The address to listen on.")]
Port = Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one.")]
Workers = Annotated[int | None, typer.Option(help="How many server processes.")]
Tenant = Annotated[str, typer.Option(help="The tenant's name: a-z, 0-9 and -.")]


def settings_of(**flags: Any) -> Settings:
    """The settings; a flag that was not given leaves the word to the environment. A wrong value ends the command."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise typer.BadParameter("; ".join(problems(error))) from None


def problems(error: ValidationError) -> list[str]:
    """What is wrong with which setting, without the value: it might be a secret."""
    return [f"{variable(str(one['loc'][0]))}: {one['msg']}" for one in error.errors(include_input=False)]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return name.upper() if name.lower().startswith("database_") else f"HOC_{name.upper()}"
