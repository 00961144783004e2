"""`hoc operations`: the registry as a table."""

from rich.table import Table

from resolvers.cli.console import show
from spine.bootstrap import catalogue


def operations() -> None:
    """List every operation: the only things that the product can do. Needs no database."""
    table = Table("operation", "kind", "permission", "uses", "cost", "summary")
    for one in catalogue():
        uses = ", ".join(one.cross_domain_deps)
        table.add_row(one.name, one.kind, one.permission or "any key", uses, str(one.cost), one.summary)
    show(table)
