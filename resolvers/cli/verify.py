"""`hoc verify`: a run's bundle or a period export, verified with no network and no database.

Its options are the verifier's own.
"""

import typer

from spine.services.proof import check

CONTEXT_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def verify(context: typer.Context) -> None:
    """Verify a run's bundle or a period export offline, with only the log's key. `hoc verify --help` says how."""
    raise typer.Exit(check.main(context.args, "hoc verify"))
