"""The program `hoc`: it begins here, so that verifying a bundle does not import what serving needs.

`hoc verify` is run by people who have nothing but a file and a key, and is done before the server's modules would have
been imported; every other command is typer's.
"""

import sys


def main() -> None:
    """Run a command; ends the process."""
    if sys.argv[1:2] == ["verify"]:
        from spine.services.proof.check import main as verify  # noqa: PLC0415 - this import or the other

        sys.exit(verify(sys.argv[2:], "hoc verify"))
    from resolvers.cli.main import main as command  # noqa: PLC0415

    command()
