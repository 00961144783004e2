"""Statements over API keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import Text, Uuid, bindparam, column, func, insert, select, update
from sqlalchemy.dialects.postgresql import BYTEA

from domains.api_keys.tables import api_keys as keys
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind, Permission, Role
from spine.contracts.statements import Read, Row, Write

OWN = keys.c.tenant_id == bindparam("tenant_id")
ONE = keys.c.key_id == bindparam("wanted")

FOUND = func.app.find_key(bindparam("wanted", type_=Text)).table_valued(
    column("tenant_id", Uuid()), column("secret_hash", BYTEA), column("status", Text)
)
FIND = select(FOUND.c.tenant_id, FOUND.c.secret_hash, FOUND.c.status)
DETAILS = select(keys.c.key_id, keys.c.name, keys.c.role, keys.c.scopes, keys.c.actor_kind, keys.c.actor_id).where(
    OWN, ONE
)
STATE = select(keys.c.frozen_at, keys.c.revoked_at).where(OWN, ONE).with_for_update()
INSERT = insert(keys)
FREEZE = update(keys).where(OWN, ONE).values(frozen_at=bindparam("frozen_at"))
REVOKE = (
    update(keys).where(OWN, ONE).values(revoked_at=bindparam("revoked_at"), revoked_reason=bindparam("revoked_reason"))
)


class FoundKey(Struct, frozen=True):
    """What may be known of a key before its tenant is: whose it is, its hash and its state."""

    tenant_id: UUID
    secret_hash: bytes
    status: str


class KeyDetails(Struct, frozen=True):
    """What a key gives its holder."""

    key_id: str
    role: Role
    scopes: tuple[Permission, ...]
    actor: Actor


class KeyState(Struct, frozen=True):
    """Whether a key is frozen or revoked."""

    frozen: bool
    revoked: bool


def find_key(key_id: str) -> Read[FoundKey]:
    """The key's owner, hash and status, whatever the tenant; the schema's only way across."""
    return Read(FIND, {"wanted": key_id}, lambda row: FoundKey(*row))


def key_details(key_id: str) -> Read[KeyDetails]:
    """The role, scopes and actor of a key of this tenant."""
    return Read(DETAILS, {"wanted": key_id}, _details)


def _details(row: Row) -> KeyDetails:
    actor = Actor(ActorKind(row[4]), row[5], row[1])
    return KeyDetails(row[0], Role(row[2]), tuple(Permission(scope) for scope in row[3]), actor)


def key_state(key_id: str) -> Read[KeyState]:
    """A key's state, locked until the transaction ends."""
    return Read(STATE, {"wanted": key_id}, lambda row: KeyState(row[0] is not None, row[1] is not None))


def insert_key(values: dict[str, Any]) -> Write:
    """Store a new key."""
    return Write(INSERT, values)


def set_frozen(key_id: str, frozen_at: datetime | None) -> Write:
    """Freeze a key, or thaw it with None."""
    return Write(FREEZE, {"wanted": key_id, "frozen_at": frozen_at})


def set_revoked(key_id: str, revoked_at: datetime, reason: str) -> Write:
    """Revoke a key for good."""
    return Write(REVOKE, {"wanted": key_id, "revoked_at": revoked_at, "revoked_reason": reason})
