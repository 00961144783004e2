"""Authority decisions: may this principal do this? Pure functions; they decide and never act.

Deny by default: an unknown role or a permission that no set contains is refused.
"""

from msgspec import Struct

from spine.contracts.actors import Principal
from spine.contracts.enums import Permission
from spine.contracts.errors import Forbidden, HocError, Unauthenticated
from spine.contracts.operations import Operation


class AuthorityDecision(Struct, frozen=True):
    """Whether an operation may run, and if not, the error to answer."""

    allowed: bool
    error: HocError | None = None


ALLOWED = AuthorityDecision(allowed=True)


def decide(operation: Operation, principal: Principal | None) -> AuthorityDecision:
    """Decide whether the principal (None when nobody is authenticated) may dispatch the operation."""
    if operation.anonymous:
        return ALLOWED
    if principal is None:
        return AuthorityDecision(allowed=False, error=Unauthenticated())
    if operation.permission is None or holds(principal, operation.permission):
        return ALLOWED
    return AuthorityDecision(allowed=False, error=Forbidden(operation.name, operation.permission))


def holds(principal: Principal, permission: Permission) -> bool:
    """Whether the principal has the permission."""
    return permission in principal.permissions
