"""What outsiders say of checkpoints: cosignatures and time stamps; the text stands beside this file as SQL."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create both tables, and what tells which tenants' checkpoints nobody has vouched for yet."""
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(SQL))


SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
