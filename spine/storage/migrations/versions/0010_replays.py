"""Replays, reservations of executions, and the engine of an evaluation; the text stands beside this file as SQL."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables and the column."""
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(SQL))


SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
