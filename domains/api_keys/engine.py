"""API keys: their form, their hash and their state. Pure.

A key is `hoc_<env>_<id>_<secret>`: the id is public and found in the database, the secret (160 random bits) is shown
once and stored only as HMAC-SHA-256 under a pepper that the database never sees.
"""

import base64
import hashlib
import hmac
import re
import secrets

from msgspec import Struct

from spine.contracts.access import ChangeKey, CreateKey
from spine.contracts.enums import Permission, Role
from spine.contracts.errors import KeyFrozen, Unauthenticated, ValidationFailed
from spine.services.instants import check_instant
from spine.services.texts import check_text

FORM = re.compile(r"hoc_([a-z0-9]{1,12})_([a-z2-7]{16})_([a-z2-7]{32})")
MAX_NAME = 100
MAX_REASON = 1024


class PresentedKey(Struct, frozen=True):
    """The parts of a presented key."""

    key_id: str
    secret: str


def parse(presented: str) -> PresentedKey:
    """Split a presented key; Unauthenticated when it has another form."""
    match = FORM.fullmatch(presented)
    if match is None:
        raise Unauthenticated
    return PresentedKey(match[2], match[3])


def new_key(environment: str) -> tuple[PresentedKey, str]:
    """A fresh key's parts, and the whole text that its holder gets."""
    parts = PresentedKey(_random(10), _random(20))
    return parts, f"hoc_{environment}_{parts.key_id}_{parts.secret}"


def secret_hash(pepper: bytes, parts: PresentedKey) -> bytes:
    """What is stored of a key: HMAC-SHA-256 of id and secret under the pepper."""
    return hmac.new(pepper, f"{parts.key_id}:{parts.secret}".encode(), hashlib.sha256).digest()


def admit(pepper: bytes, parts: PresentedKey, stored_hash: bytes, status: str) -> None:
    """Raise Unauthenticated unless the secret is right and the key is ACTIVE; KeyFrozen when only frozen."""
    if not hmac.compare_digest(secret_hash(pepper, parts), stored_hash):
        raise Unauthenticated
    if status == "FROZEN":
        raise KeyFrozen
    if status != "ACTIVE":
        raise Unauthenticated


def check_new_key(request: CreateKey) -> None:
    """A MACHINE key needs scopes, since empty scopes mean nothing; another role has its own rights only."""
    check_text(request.name, "name", MAX_NAME)
    check_instant(request.expires_at, "expiresAt")
    if (request.role is Role.MACHINE) != bool(request.scopes):
        raise ValidationFailed("scopes belong to MACHINE keys, which need at least one", field="scopes")
    if Permission.RUNS_REDACT in request.scopes:  # erasing cannot be undone: a person's right alone
        raise ValidationFailed("runs:redact is a right of OWNER keys alone", field="scopes")


def check_change(request: ChangeKey) -> None:
    """A key is frozen, thawed or revoked for a reason."""
    check_text(request.reason, "reason", MAX_REASON)


def _random(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode().lower()
