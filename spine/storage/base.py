"""The metadata that every table joins, the naming of constraints, and column helpers that keep the tenancy rules.

`tenant_id` leads every primary key, unique and foreign key, so the same tables distribute by tenant. Closed sets
are text with a CHECK. Times that are hashed are integers (Unix nanoseconds) and stand alone: a second copy as
timestamptz could be changed without notice.
"""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, MetaData, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    },
)

APPEND_ONLY = "append_only"


def tenant_id() -> Column[object]:
    """The leading column of every tenant table's primary key."""
    return Column("tenant_id", UUID(as_uuid=True), primary_key=True)


def timestamp(name: str, *, nullable: bool = False) -> Column[object]:
    """An instant in UTC."""
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable)


def one_of(name: str, values: type[StrEnum], *, nullable: bool = False) -> tuple[Column[object], CheckConstraint]:
    """A text column over a closed set, with its CHECK."""
    listed = ", ".join(f"'{value}'" for value in values)
    return Column(name, Text, nullable=nullable), CheckConstraint(f"{name} IN ({listed})", name=name)
