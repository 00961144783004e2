"""The tenant's log: pending leaves, leaves, nodes, heads and checkpoints; the text stands beside this file as SQL."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create everything, and put what is sealed and audited already in the queue."""
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(SQL))


SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
