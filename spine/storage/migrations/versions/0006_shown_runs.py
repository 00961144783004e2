"""An index of the runs that are shown; the text stands beside this file as SQL."""

from pathlib import Path
from typing import Any

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Replace the index."""
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(SQL))


SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
