"""Cosignatures (C2SP tlog-cosignature, v1 for Ed25519): a witness says when it saw a checkpoint as its log's newest.

The time stands in the signature's bytes and is signed with the checkpoint's text. They fit in where notes are signed
and opened: `Cosigner` is a `NoteSigner`, `CosignatureVerifier` a `NoteVerifier`. The key's name is not in what is
signed, so one key must never cosign under two names.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from spine.services.proof.note import SIGNATURE_BYTES, Signature, Signer, key_id, split_vkey, vkey_text

COSIGNATURE_V1 = 0x04
TIME_BYTES = 8
MAX_TIME = 253_402_300_799
"""The end of the year 9999, in Unix seconds: a later time is no witness's clock, and no calendar shows it."""


class Cosigner:
    """An Ed25519 key under a witness's name; `now` gives Unix seconds. Made from the key's 32-byte seed."""

    def __init__(self, name: str, seed: bytes, now: Callable[[], int]) -> None:
        self.name = Signer(name, seed).name  # refuses what is no name
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()
        self._now = now
        self.key_id = key_id(name, COSIGNATURE_V1, self._public)

    @property
    def vkey(self) -> str:
        """What readers verify with: name, key id and public key."""
        return vkey_text(self.name, COSIGNATURE_V1, self._public)

    def sign(self, text: str) -> bytes:
        """The time and the signature's 64 bytes."""
        time = self._now()
        return time.to_bytes(TIME_BYTES) + self._key.sign(_signed(time, text))


class CosignatureVerifier(NamedTuple):
    """A witness's public key under its name."""

    name: str
    key_id: bytes
    public_key: bytes

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """A key from its text; raises NoteError when it is malformed or no key for cosignatures."""
        name, key, public_key = split_vkey(vkey, COSIGNATURE_V1)
        return cls(name, key, public_key)

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether this key cosigned this text, at the time that the signature says."""
        time = int.from_bytes(signature[:TIME_BYTES])
        if len(signature) != TIME_BYTES + SIGNATURE_BYTES or time > MAX_TIME:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature[TIME_BYTES:], _signed(time, text))
        except InvalidSignature:
            return False
        return True


def cosigned_at(signature: Signature) -> int:
    """When a cosignature that was verified says that it was made, in Unix seconds."""
    return int.from_bytes(signature.content[:TIME_BYTES])


def _signed(time: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
