"""A bundle is verified by forty lines that know only the published formats: `cryptography`, SHA-256, RFC 9162, C2SP.

Nothing of the product is called to verify; what is here could be written by anyone from the bundle's description.
"""

import base64
import hashlib
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.spine.services.proof.bundles import make_bundle


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root by an inclusion path, by RFC 9162's recursive definition of PATH."""
    if size == 1:
        assert not path
        return leaf
    middle = 1 << (size - 1).bit_length() - 1
    if index < middle:
        return sha256(b"\x01" + root_of(leaf, index, middle, path[:-1]) + path[-1])
    return sha256(b"\x01" + path[-1] + root_of(leaf, index - middle, size - middle, path[:-1]))


def checked(text: str, vkey: str) -> int:
    """The number of steps of a bundle that holds."""
    records, proof, checkpoint, signatures = text.split("\n\n")
    origin, size, root = checkpoint.split("\n")
    name, _, key = vkey.split("+", 2)
    line = next(line for line in signatures.split("\n") if line.startswith(f"— {name} "))
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    public.verify(base64.b64decode(line.split(" ")[2])[4:], f"{checkpoint}\n".encode())
    assert origin == name
    rows = [line.split(" ", 2) for line in records.split("\n") if line.startswith(("seal ", "step ", "evidence "))]
    for kind, stated, content in rows:
        assert sha256(f"hoc-spine/{kind}/v1\n{content}".encode()).hex() == stated
    seals = [json.loads(content) | {"hash": stated} for kind, stated, content in rows if kind == "seal"]
    steps = [stated for kind, stated, _ in rows if kind == "step"]
    assert "".join(steps) == "".join(seal["step_hashes"] for seal in seals)
    assert [seal["prev_seal_hash"] for seal in seals] == ["00" * 32, *(seal["hash"] for seal in seals[:-1])]
    assert [stated for kind, stated, _ in rows if kind == "evidence"][-1:] == [seals[-1]["evidence_head"]]
    entry = {"hash": seals[-1]["hash"], "id": seals[-1]["run_key"], "kind": "SEAL", "version": seals[-1]["version"]}
    leaf = sha256(b"\x00hoc-spine/leaf/v1\n" + json.dumps(entry, separators=(",", ":")).encode())
    _, index, *path = proof.split("\n")
    hashes = [base64.b64decode(each) for each in path]
    assert root_of(leaf, int(index.removeprefix("index ")), int(size), hashes) == base64.b64decode(root)
    return len(steps)


class TestTheIndependentVerifier:
    @pytest.mark.parametrize(("steps", "late", "evidence"), [(1, 0, 1), (4, 2, 4), (200, 1, 30)])
    def test_agrees_that_a_bundle_holds(self, steps: int, late: int, evidence: int) -> None:
        made = make_bundle(steps, late, evidence)
        assert checked(made.text, made.tree.signer.vkey) == steps + late

    @pytest.mark.parametrize(
        ("old", "new", "refusal"),
        [
            ('"status_message":"fine"', '"status_message":"good"', AssertionError),
            ("\n23\n", "\n24\n", InvalidSignature),
            ("\nindex 17\n", "\nindex 16\n", AssertionError),
        ],
    )
    def test_agrees_that_a_changed_one_does_not(self, old: str, new: str, refusal: type[Exception]) -> None:
        made = make_bundle()
        with pytest.raises(refusal):
            checked(made.text.replace(old, new, 1), made.tree.signer.vkey)
