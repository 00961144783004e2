"""The tenant's log over GraphQL: inclusion, checkpoints and consistency, as a client checks them for itself."""

import base64
import hashlib
from itertools import combinations
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from spine.contracts.actors import Principal
from spine.contracts.runs import IngestSpans
from spine.services.ids import key_of
from spine.services.proof.leaves import seal_entry
from spine.services.proof.merkle import leaf_hash, verify_consistency, verify_inclusion
from tests.conftest import Execute
from tests.resolvers.conftest import Ask
from tests.resolvers.spans import export
from tests.spine.orchestrator.logged import integrate, settle, tamper

PROOFS = """{ runs(first: %d) { nodes { id proof {
    integrity { model verificationStatus rootHash firstBreak { kind } failureReason }
    inclusion { leafIndex leafHash treeSize path checkpoint } } } } }"""
ENTRIES = "{ auditEntries(first: %d) { nodes { id inclusion { leafIndex leafHash treeSize path checkpoint } } } }"
CHECKPOINT = "query($size: BigInt) { logCheckpoint(treeSize: $size) { note vkey origin treeSize rootHash epoch } }"
CONSISTENCY = """query($from: BigInt!, $to: BigInt!) {
    logConsistency(from: $from, to: $to) { fromSize fromRoot toSize toRoot path } }"""


def verified(note: str, vkey: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a signed checkpoint, checked with nothing of the product's."""
    text, signature = note.split("\n\n")
    name, _, encoded = vkey.split("+", 2)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    dash, signer, content = signature.rstrip("\n").split(" ")
    key_id = hashlib.sha256(f"{name}\n".encode() + base64.b64decode(encoded)).digest()[:4]
    assert (dash, signer, base64.b64decode(content)[:4]) == ("—", name, key_id)
    public.verify(base64.b64decode(content)[4:], f"{text}\n".encode())
    origin, size, root = text.split("\n")
    return origin, int(size), base64.b64decode(root)


def hashes(path: list[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in path]


async def proofs(ask: Ask, first: int = 50) -> list[dict[str, Any]]:
    answer = await ask(PROOFS % first)
    assert answer.errors == []
    return [{"id": node["id"], **node["proof"]} for node in answer.data["runs"]["nodes"]]


async def ingest(execute: Execute, principal: Principal, count: int = 2) -> None:
    (await execute("activity.ingest_spans", IngestSpans(export(count)), principal)).unwrap()


@pytest.mark.usefixtures("governed")
class TestAcross50Runs:
    async def test_inclusion_takes_two_statements_more_for_1_run_and_for_50(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        await settle(execute, principal)
        for first in (1, 50):
            plain = await ask(f"{{ runs(first: {first}) {{ nodes {{ proof {{ verifiedAt }} }} }} }}")
            answer = await ask(PROOFS % first)
            assert (plain.statements, answer.statements) == (6, 8)
            assert len(answer.data["runs"]["nodes"]) == first

    async def test_every_run_and_entry_is_proven_to_be_in_the_checkpoint(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        size = await settle(execute, principal)
        vkey = (await ask(CHECKPOINT)).data["logCheckpoint"]["vkey"]
        entries = (await ask(ENTRIES % 50)).data["auditEntries"]["nodes"]
        runs = await proofs(ask)
        assert len(runs) == 50
        for shown in (*(run["inclusion"] for run in runs), *(entry["inclusion"] for entry in entries)):
            origin, covered, root = verified(shown["checkpoint"], vkey)
            assert (origin, covered) == (f"hoc-spine/{principal.tenant_id}", size)
            leaf = bytes.fromhex(shown["leafHash"])
            verify_inclusion(leaf, shown["leafIndex"], covered, hashes(shown["path"]), root)
        for run in runs:
            entry = seal_entry(bytes.fromhex(run["integrity"]["rootHash"]), key_of(run["id"], "Run"), 1)
            assert run["inclusion"]["leafHash"] == leaf_hash(entry).hex()

    async def test_entries_take_two_statements_more_for_1_and_for_all(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        await settle(execute, principal)
        for first in (1, 50):
            assert (await ask(ENTRIES % first)).statements == 7


class TestARunsProof:
    async def test_is_a_hash_chain_first_then_in_the_tree_then_in_a_checkpoint(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        await ingest(execute, principal)
        for run in await proofs(ask):
            assert (run["integrity"]["model"], run["inclusion"]) == ("HASH_CHAIN", None)
        await integrate(execute, principal)
        for run in await proofs(ask):
            assert (run["integrity"]["model"], run["inclusion"]) == ("MERKLE_TREE", None)
        await settle(execute, principal)
        for run in await proofs(ask):
            assert run["integrity"]["model"] == "MERKLE_TREE"
            assert run["integrity"]["verificationStatus"] == "VERIFIED"
            assert run["inclusion"] is not None

    async def test_has_no_inclusion_that_the_latest_checkpoint_does_not_cover(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        await ingest(execute, principal, 1)
        size = await settle(execute, principal)
        await ingest(execute, principal, 1)
        await integrate(execute, principal)
        covered = [run["inclusion"] and run["inclusion"]["treeSize"] for run in await proofs(ask)]
        assert sorted(covered, key=bool) == [None, size]

    async def test_fails_when_its_leaf_is_not_its_seals(
        self, ask: Ask, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await ingest(execute, principal, 1)
        await settle(execute, principal)
        change = "UPDATE log_leaves SET leaf_hash = sha256('x') WHERE kind = 'SEAL' AND tenant_id = "
        await tamper(superuser, f"{change}'{principal.tenant_id}'")
        ((run,), index) = (await proofs(ask), 2)
        assert run["integrity"]["verificationStatus"] == "FAILED"
        assert run["integrity"]["firstBreak"] == {"kind": "LEAF"}
        assert "of the log is not that of seal 1" in run["integrity"]["failureReason"]
        assert run["inclusion"]["leafIndex"] <= index

    async def test_cannot_be_read_with_its_inclusion_when_the_log_lacks_a_hash(
        self, ask: Ask, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await ingest(execute, principal, 3)
        await settle(execute, principal)
        await tamper(superuser, f"DELETE FROM log_nodes WHERE tenant_id = '{principal.tenant_id}'")
        answer = await ask(PROOFS % 3)
        assert set(answer.codes) == {"UNREADABLE"}
        assert (await ask("{ runs { nodes { proof { verifiedAt } } } }")).errors == []


class TestCheckpoints:
    async def test_are_none_at_first(self, ask: Ask) -> None:
        assert (await ask(CHECKPOINT)).data == {"logCheckpoint": None}
        assert (await ask("{ logCheckpoints { totalCount nodes { note } } }")).data == {
            "logCheckpoints": {"totalCount": 0, "nodes": []}
        }

    async def test_come_newest_first_and_by_size_and_verify(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        sizes = []
        for _ in range(3):
            await ingest(execute, principal, 1)
            sizes.append(await settle(execute, principal))
        page = (await ask("{ logCheckpoints(first: 2) { totalCount nodes { treeSize note vkey rootHash } } }")).data
        assert page["logCheckpoints"]["totalCount"] == 3
        assert [one["treeSize"] for one in page["logCheckpoints"]["nodes"]] == [sizes[2], sizes[1]]
        for one in page["logCheckpoints"]["nodes"]:
            origin, size, root = verified(one["note"], one["vkey"])
            assert (origin, size, root.hex()) == (f"hoc-spine/{principal.tenant_id}", one["treeSize"], one["rootHash"])
        latest = (await ask(CHECKPOINT)).data["logCheckpoint"]
        assert (latest["treeSize"], latest["epoch"]) == (sizes[2], 1)
        first = (await ask(CHECKPOINT, {"size": sizes[0]})).data["logCheckpoint"]
        assert first["treeSize"] == sizes[0]
        with pytest.raises(InvalidSignature):
            verified(first["note"].replace(f"\n{sizes[0]}\n", f"\n{sizes[1]}\n"), first["vkey"])

    async def test_go_on_after_a_cursor(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        for _ in range(3):
            await ingest(execute, principal, 1)
            await settle(execute, principal)
        query = "query($after: String) { logCheckpoints(first: 2, after: $after) { pageInfo { hasNextPage endCursor } nodes { treeSize } } }"  # noqa: E501
        first = (await ask(query)).data["logCheckpoints"]
        assert first["pageInfo"]["hasNextPage"]
        rest = (await ask(query, {"after": first["pageInfo"]["endCursor"]})).data["logCheckpoints"]
        assert len(rest["nodes"]) == 1
        assert (await ask(query, {"after": "nonsense"})).codes == ["VALIDATION"]

    async def test_of_a_size_that_was_not_signed_and_of_another_tenant_are_none(
        self, ask: Ask, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        size = await settle(execute, principal)
        for given, who in ((size + 1, principal), (0, principal), (-1, principal), (size, other)):
            answer = await ask(CHECKPOINT, {"size": given}, by=who)
            assert (answer.errors, answer.data) == ([], {"logCheckpoint": None})
        assert (await ask(CHECKPOINT, by=other)).data == {"logCheckpoint": None}


class TestConsistency:
    async def test_is_proven_between_any_two_sizes(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        sizes, roots = [], {}
        for count in (1, 4, 2, 7):
            await ingest(execute, principal, count)
            sizes.append(await settle(execute, principal))
            shown = (await ask(CHECKPOINT)).data["logCheckpoint"]
            roots[sizes[-1]] = verified(shown["note"], shown["vkey"])[2]
        for first, second in (*combinations(sizes, 2), (sizes[1], sizes[1])):
            found = (await ask(CONSISTENCY, {"from": first, "to": second})).data["logConsistency"]
            assert (found["fromSize"], found["toSize"]) == (first, second)
            assert (found["fromRoot"], found["toRoot"]) == (roots[first].hex(), roots[second].hex())
            verify_consistency(first, second, roots[first], roots[second], hashes(found["path"]))
        for first in range(1, sizes[-1]):
            found = (await ask(CONSISTENCY, {"from": first, "to": sizes[-1]})).data["logConsistency"]
            start = bytes.fromhex(found["fromRoot"])
            verify_consistency(first, sizes[-1], start, roots[sizes[-1]], hashes(found["path"]))

    @pytest.mark.parametrize(
        ("first", "second", "field"),
        [(0, 1, "from"), (-1, 1, "from"), (2, 1, "to"), (1, 2, "to"), (1, 2**53 - 1, "to")],
    )
    async def test_is_refused_for_sizes_that_are_none(
        self, ask: Ask, execute: Execute, principal: Principal, first: int, second: int, field: str
    ) -> None:
        await settle(execute, principal)
        answer = await ask(CONSISTENCY, {"from": first, "to": second})
        assert answer.codes == ["VALIDATION"]
        assert answer.errors[0].extensions["field"] == field

    async def test_is_refused_for_a_tenant_without_a_log(
        self, ask: Ask, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        await settle(execute, principal)
        assert (await ask(CONSISTENCY, {"from": 1, "to": 1}, by=other)).codes == ["VALIDATION"]
        assert (await ask(CONSISTENCY, {"from": 1, "to": 1})).errors == []
