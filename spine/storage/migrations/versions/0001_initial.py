"""The first schema; its text stands beside this file as SQL."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    connection = op.get_bind()
    driver = connection.connection.driver_connection
    connection.connection.dbapi_connection.run_async(lambda _: driver.execute(SQL))


SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
