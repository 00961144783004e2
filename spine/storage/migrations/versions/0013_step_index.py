"""The index of a trace's spans begins with the trace; the text stands beside this file as SQL."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Put the columns of the unique constraint in another order."""
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(SQL))


SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
