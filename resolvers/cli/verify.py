"""`hoc verify`: a run's proof bundle, verified with no network and no database; its options are the verifier's own."""

import typer

from spine.services.proof import check

SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def verify(context: typer.Context) -> None:
    """Verify a run's proof bundle offline, with nothing but the log's key. `hoc verify --help` says how."""
    raise typer.Exit(check.main(context.args, "hoc verify"))
