"""Statements over tenants."""

from datetime import datetime

from sqlalchemy import bindparam, select

from domains.account.tables import tenants
from spine.contracts.statements import InsertRows, Read

SLUG = select(tenants.c.slug).where(tenants.c.tenant_id == bindparam("tenant_id"))


def tenant_slug() -> Read[str]:
    """The name of the session's tenant."""
    return Read(SLUG, {}, lambda row: str(row[0]))


def create_tenant(slug: str, now: datetime) -> InsertRows:
    """Make the session's tenant unless it exists."""
    return InsertRows(tenants, ("slug", "created_at"), [(slug, now)], conflict="skip")
