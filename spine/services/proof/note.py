"""Signed notes (C2SP signed-note, as Go's `sumdb/note`): text with one or more signatures under it, by named keys.

A verifier ignores signatures of keys that it does not know, and refuses a note with a bad one of a key that it knows,
with none that verifies, or that is not written exactly as notes are. Ed25519 (type 0x01) is made here; what else signs
notes has a name, a key id and a way to sign or verify, and fits in as `NoteSigner` or `NoteVerifier`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
KEY_ID_BYTES = 4
KEY_BYTES = 32
SIGNATURE_BYTES = 64

MAX_NOTE_CHARS = 1_000_000
MAX_SIGNATURES = 100

SIGNATURE_PREFIX = "\N{EM DASH} "
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
HEX_ID = re.compile(r"[0-9a-f]{8}")


class NoteError(Exception):
    """A note or a key that is refused; the message says why."""


class NoteSigner(Protocol):
    """A key that signs notes."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def key_id(self) -> bytes: ...  # noqa: D102

    def sign(self, text: str) -> bytes:
        """The signature's bytes, without the key id."""
        ...


class NoteVerifier(Protocol):
    """A key that a reader of notes knows."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def key_id(self) -> bytes: ...  # noqa: D102

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature under this text."""
        ...


class Signature(NamedTuple):
    """One signature line; `content` is what the key made, without the key id."""

    name: str
    key_id: bytes
    content: bytes

    def line(self) -> str:
        """The line as it stands under a note."""
        return f"{SIGNATURE_PREFIX}{self.name} {encode_base64(self.key_id + self.content)}\n"


class Note(NamedTuple):
    """A note's text with the signatures that a reader could verify, each once, in the order in which they stand."""

    text: str
    signatures: tuple[Signature, ...]

    @property
    def signers(self) -> tuple[str, ...]:
        """The names of the keys whose signatures hold."""
        return tuple(signature.name for signature in self.signatures)


class Signer:
    """An Ed25519 key under a name; made from the key's 32-byte seed."""

    def __init__(self, name: str, seed: bytes) -> None:
        _demand_name(name)
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()
        self.key_id = key_id(name, ED25519, self._public)

    @property
    def vkey(self) -> str:
        """What readers verify with: name, key id and public key."""
        return vkey_text(self.name, ED25519, self._public)

    def sign(self, text: str) -> bytes:
        """The signature's 64 bytes."""
        return self._key.sign(text.encode())


class Verifier(NamedTuple):
    """An Ed25519 public key under a name."""

    name: str
    key_id: bytes
    public_key: bytes

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """A key from its text; raises NoteError when it is malformed or no Ed25519 key."""
        name, key, public_key = split_vkey(vkey, ED25519)
        return cls(name, key, public_key)

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature under this text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """The four bytes that stand for a key beside its name; `kind` is the signature type's byte."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:KEY_ID_BYTES]


def vkey_text(name: str, kind: int, public_key: bytes) -> str:
    """A public key as text: `name+keyid+base64`."""
    return f"{name}+{key_id(name, kind, public_key).hex()}+{encode_base64(bytes([kind]) + public_key)}"


def split_vkey(vkey: str, kind: int) -> tuple[str, bytes, bytes]:
    """Name, key id and public key of a key's text; raises NoteError unless it is a 32-byte key of this kind."""
    name, hex_id, encoded = _vkey_parts(vkey)
    found, public_key = encoded[:1], encoded[1:]
    if found != bytes([kind]) or len(public_key) != KEY_BYTES:
        raise NoteError(f"not a key of signature type {kind:#04x}: {vkey[:200]!r}")
    if key_id(name, kind, public_key).hex() != hex_id:
        raise NoteError(f"the id of this key is not that of its name and bytes: {vkey[:200]!r}")
    return name, bytes.fromhex(hex_id), public_key


def sign(text: str, signers: Iterable[NoteSigner]) -> str:
    """The note of this text with the signers' signatures; raises NoteError for text that no note may have."""
    _demand_text(text)
    if not text.endswith("\n"):
        raise NoteError("a note's text ends with a newline")
    lines = [Signature(signer.name, signer.key_id, signer.sign(text)).line() for signer in signers]
    return f"{text}\n{''.join(lines)}"


def open_note(note: str, verifiers: Sequence[NoteVerifier]) -> Note:
    """The note's text with the signatures that verify; raises NoteError when it must not be read."""
    text, signatures = split_note(note)
    verified: dict[tuple[str, bytes], Signature] = {}
    for signature in signatures:
        known = [each for each in verifiers if (each.name, each.key_id) == (signature.name, signature.key_id)]
        if len(known) > 1:
            raise NoteError(f"ambiguous key {signature.name}+{signature.key_id.hex()}")
        if known and not known[0].verify(text, signature.content):
            raise NoteError(f"invalid signature of key {signature.name}+{signature.key_id.hex()}")
        if known:
            verified.setdefault((signature.name, signature.key_id), signature)
    if not verified:
        raise NoteError("no signature of a known key is on this note")
    return Note(text, tuple(verified.values()))


def split_note(note: str) -> tuple[str, tuple[Signature, ...]]:
    """Text and signatures of a note, none of them verified: a witness adds lines without knowing the others' keys."""
    if len(note) > MAX_NOTE_CHARS:
        raise NoteError(f"a note has at most {MAX_NOTE_CHARS} characters")
    _demand_text(note)
    text, separator, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not separator or len(lines) == 1 or lines.pop():
        raise NoteError("a note is text, an empty line, and lines of signatures")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"a note has at most {MAX_SIGNATURES} signatures")
    return f"{text}\n", tuple(map(_signature, lines))


def encode_base64(content: bytes) -> str:
    """Standard base64, with padding."""
    return base64.b64encode(content).decode()


def decode_base64(text: str) -> bytes:
    """Bytes from the one text that stands for them; raises NoteError for any other."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"not base64: {text[:80]!r}") from error
    if encode_base64(content) != text:
        raise NoteError(f"not canonical base64: {text[:80]!r}")
    return content


def _signature(line: str) -> Signature:
    name, separator, encoded = line.removeprefix(SIGNATURE_PREFIX).partition(" ")
    if not line.startswith(SIGNATURE_PREFIX) or not separator:
        raise NoteError(f"not a signature line: {line[:80]!r}")
    _demand_name(name)
    content = decode_base64(encoded)
    if len(content) <= KEY_ID_BYTES:
        raise NoteError(f"a signature of {name} is empty")
    return Signature(name, content[:KEY_ID_BYTES], content[KEY_ID_BYTES:])


def _vkey_parts(vkey: str) -> tuple[str, str, bytes]:
    name, _, rest = vkey.partition("+")
    hex_id, separator, encoded = rest.partition("+")
    if not separator or HEX_ID.fullmatch(hex_id) is None:
        raise NoteError(f"not a verifier key: {vkey[:200]!r}")
    _demand_name(name)
    return name, hex_id, decode_base64(encoded)


def _demand_name(name: str) -> None:
    if not name or "+" in name or any(map(str.isspace, name)) or CONTROL.search(name):
        raise NoteError(f"not a key's name: {name[:80]!r}")
    _demand_utf8(name)


def _demand_text(text: str) -> None:
    if CONTROL.search(text):
        raise NoteError("a note has no control characters but newlines")
    _demand_utf8(text)


def _demand_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoteError("a note is UTF-8") from error
