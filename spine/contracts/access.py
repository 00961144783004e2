"""Keys, viewers and the registry's own table: who may call what."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import DocumentMode, OperationKind, Permission, Role


class Authenticate(Struct, frozen=True):
    """Find the principal of a presented key; `presented` is the whole `hoc_…` string."""

    presented: str


class Viewer(Struct, frozen=True):
    """Who is asking."""

    actor: Annotated[Actor, Meta(description="The actor behind the key.")]
    tenant: Annotated[str, Meta(description="The tenant's name.")]
    role: Annotated[Role, Meta(description="The key's role.")]
    permissions: Annotated[tuple[Permission, ...], Meta(description="What the key may do.")]
    document_mode: Annotated[
        DocumentMode, Meta(description="What becomes of documents that are not in the tenant's list.")
    ]


class CreateTenant(Struct, frozen=True):
    """Make a tenant unless it exists; its id follows from its slug."""

    slug: str


class TenantCreated(Struct, frozen=True):
    """Whether the tenant is new."""

    created: bool


class CreateKey(Struct, frozen=True, kw_only=True):
    """Make a key. MACHINE keys hold exactly `scopes`; other roles take none."""

    name: str
    role: Role
    scopes: tuple[Permission, ...] = ()
    expires_at: datetime | None = None


class KeyCreated(Struct, frozen=True):
    """The new key: the only moment at which its secret exists outside its holder's hands."""

    key_id: str
    key: str


class ChangeKey(Struct, frozen=True, kw_only=True):
    """Freeze, unfreeze or revoke a key."""

    key_id: str
    reason: str


class KeyChanged(Struct, frozen=True):
    """Which key was changed."""

    key_id: str


class OperationInfo(Struct, frozen=True, gc=False, kw_only=True):
    """One registered operation."""

    name: Annotated[str, Meta(description="Its name, domain first.")]
    kind: Annotated[OperationKind, Meta(description="Whether it reads or writes.")]
    permission: Annotated[Permission | None, Meta(description="What it needs; null when any key may call it.")]
    cross_domain_deps: Annotated[tuple[str, ...], Meta(description="The bridge capabilities that it may use.")]
    cost: Annotated[int, Meta(description="Its cost in points.")]
    summary: Annotated[str, Meta(description="What it does.")]


class LeasePoints(Struct, frozen=True, kw_only=True):
    """Give back what is left of the last lease and take points anew, from the budget of the key that asks.

    With fewer than `needed` in the budget nothing is granted, else as much of `wanted` as there is.
    """

    needed: int
    wanted: int
    returned: int


class PointsLeased(Struct, frozen=True):
    """The points granted (0 when there are too few), and those left in the budget."""

    granted: int
    left: int


class RateLimit(Struct, frozen=True):
    """The budget of points of the key that asks."""

    limit: Annotated[int, Meta(description="How many points the key may save up.")]
    cost: Annotated[int, Meta(description="How many points were set aside for this query.")]
    remaining: Annotated[int, Meta(description="How many points are left, as far as this server knows.")]
    restore_rate: Annotated[int, Meta(description="How many points come back each second.")]
    reset_at: Annotated[datetime, Meta(description="When the budget is full again, if nothing is spent (UTC).")]


class Nothing(Struct, frozen=True):
    """An operation that needs no input."""
