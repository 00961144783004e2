"""RBAC: VIEWER < MEMBER < ADMIN < OWNER, each with its own and every lower right; MACHINE has its key's scopes only.

Source: the account domain's role table; empty scopes mean nothing, never everything.
"""

from collections.abc import Iterable

from spine.contracts.enums import Permission, Role

P = Permission

VIEWER = frozenset(
    {P.RUNS_READ, P.POLICIES_READ, P.AGENTS_READ, P.INCIDENTS_READ, P.REPORTS_READ, P.TENANT_READ},
)
MEMBER = VIEWER | {P.RUNS_WRITE, P.POLICIES_WRITE, P.AGENTS_WRITE, P.PAYLOADS_READ}
ADMIN = MEMBER | {
    *(P.API_KEYS_READ, P.API_KEYS_MANAGE, P.BILLING_READ, P.DOCUMENTS_MANAGE, P.SCHEMA_EXPLORE, P.AUDIT_READ),
}
OWNER = ADMIN | {P.BILLING_MANAGE, P.LOG_MANAGE, P.RUNS_REDACT}

ROLES: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: VIEWER,
    Role.MEMBER: MEMBER,
    Role.ADMIN: ADMIN,
    Role.OWNER: OWNER,
}


def permissions_of(role: Role, scopes: Iterable[Permission]) -> frozenset[Permission]:
    """What a key with this role and these scopes may do."""
    return frozenset(scopes) if role is Role.MACHINE else ROLES[role]
