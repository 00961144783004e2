"""Exports: files that were handed out, with their checksums; the text stands beside this file as SQL."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the table, and let the ledger tell of exports."""
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(SQL))


SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
