"""Who acts: the actor shown wherever something was done, and the principal behind a request."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.enums import ActorKind, Permission, Role


class Actor(Struct, frozen=True, gc=False):
    """Somebody or something that acted."""

    kind: Annotated[ActorKind, Meta(description="What kind of actor this is.")]
    id: Annotated[
        str | None, Meta(description="The actor's own identifier; SYSTEM and SERVICE actors of a run have none.")
    ]
    name: Annotated[str | None, Meta(description="A name for people, when one is known.")]


class Principal(Struct, frozen=True):
    """The authenticated party of a request; the tenant of everything it touches comes from here alone."""

    tenant_id: UUID
    actor: Actor
    role: Role
    permissions: frozenset[Permission]
    key_id: str
