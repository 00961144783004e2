"""Who vouches for a checkpoint, over GraphQL, as somebody checks it who trusts the witness and not the server."""

import base64
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.runs import IngestSpans
from spine.orchestrator.vouching import AskedAuthority, AskedWitness
from spine.services.clock import system_clock
from spine.services.proof.cosignature import CosignatureVerifier, cosigned_at
from spine.services.proof.faults import Refused
from spine.services.proof.note import Verifier, open_note
from spine.services.proof.offline import Trust, verify_bundle
from spine.services.proof.timestamp import stamped_at, stamped_note
from spine.services.vouchers import Authority
from tests.conftest import Execute
from tests.resolvers.conftest import Ask
from tests.resolvers.spans import export
from tests.spine.orchestrator.logged import settle
from tests.spine.services.outsiders import stamping, witnessing
from tests.spine.services.proof import authority as local

CHECKPOINT = """query($size: BigInt) { logCheckpoint(treeSize: $size) {
    treeSize vkey note witnesses { name vkey at } timestamp { at token } } }"""
CHECKPOINTS = "{ logCheckpoints { nodes { treeSize note witnesses { name at } timestamp { at } } } }"
BUNDLE = "query($id: ID!) { runProofBundle(id: $id) { text } }"
INCLUSION = "{ runs { nodes { proof { inclusion { checkpoint } } } } }"


async def grow(execute: Execute, principal: Principal) -> int:
    (await execute("activity.ingest_spans", IngestSpans(export(1)), principal)).unwrap()
    return await settle(execute, principal)


async def cosign(runtime: Runtime, principal: Principal, directory: Path, name: str) -> None:
    """Have a witness of this name cosign the newest checkpoint."""
    log = runtime.registry._config.log
    verifier = Verifier.parse(log.vkey(log.origin(principal.tenant_id, 1)))
    with witnessing(directory / name, {verifier.name: [verifier]}, f"witness.example/{name}") as address:
        async with httpx.AsyncClient() as http:
            assert await AskedWitness(runtime.registry, address).vouch(http, principal.tenant_id)


async def stamp(runtime: Runtime, principal: Principal, authority: local.Authority) -> None:
    """Have the authority stamp the newest checkpoint."""
    with stamping(authority) as url:
        asked = Authority(url, tuple(authority.roots()))
        async with httpx.AsyncClient() as http:
            outsider = AskedAuthority(runtime.registry, asked, timedelta(seconds=1), system_clock)
            assert await outsider.vouch(http, principal.tenant_id)


class TestWitnesses:
    async def test_are_named_and_their_cosignatures_are_in_the_note(
        self, ask: Ask, runtime: Runtime, execute: Execute, principal: Principal, tmp_path: Path
    ) -> None:
        await grow(execute, principal)
        for name in ("w2", "w1"):
            await cosign(runtime, principal, tmp_path, name)
        shown = (await ask(CHECKPOINT)).data["logCheckpoint"]
        assert {one["name"] for one in shown["witnesses"]} == {"witness.example/w1", "witness.example/w2"}
        keys = [CosignatureVerifier.parse(one["vkey"]) for one in shown["witnesses"]]
        opened = open_note(shown["note"], [Verifier.parse(shown["vkey"]), *keys])
        assert len(opened.signatures) == 3
        told = {one["name"]: datetime.fromisoformat(one["at"]).timestamp() for one in shown["witnesses"]}
        assert told == {one.name: cosigned_at(one) for one in opened.signatures[1:]}

    async def test_verify_with_nothing_of_the_product(
        self, ask: Ask, runtime: Runtime, execute: Execute, principal: Principal, tmp_path: Path
    ) -> None:
        await grow(execute, principal)
        await cosign(runtime, principal, tmp_path, "w1")
        shown = (await ask(CHECKPOINT)).data["logCheckpoint"]
        text, _, signatures = shown["note"].rpartition("\n\n")
        content = base64.b64decode(signatures.splitlines()[1].split(" ")[2])
        message = f"cosignature/v1\ntime {int.from_bytes(content[4:12])}\n{text}\n"
        public = base64.b64decode(shown["witnesses"][0]["vkey"].split("+", 2)[2])[1:]
        Ed25519PublicKey.from_public_bytes(public).verify(content[12:], message.encode())

    async def test_are_of_their_checkpoint_alone(
        self, ask: Ask, runtime: Runtime, execute: Execute, principal: Principal, tmp_path: Path
    ) -> None:
        sizes = [await grow(execute, principal)]
        await cosign(runtime, principal, tmp_path, "w1")
        sizes.append(await grow(execute, principal))
        nodes = (await ask(CHECKPOINTS)).data["logCheckpoints"]["nodes"]
        assert [(one["treeSize"], len(one["witnesses"])) for one in nodes] == [(sizes[1], 0), (sizes[0], 1)]
        older = (await ask(CHECKPOINT, {"size": sizes[0]})).data["logCheckpoint"]
        assert older["note"] == nodes[1]["note"]
        assert nodes[0]["note"].count("\N{EM DASH}") == 1

    async def test_go_with_the_checkpoint_that_a_proof_leads_to(
        self, ask: Ask, runtime: Runtime, execute: Execute, principal: Principal, tmp_path: Path
    ) -> None:
        await grow(execute, principal)
        await cosign(runtime, principal, tmp_path, "w1")
        (run,) = (await ask(INCLUSION)).data["runs"]["nodes"]
        assert run["proof"]["inclusion"]["checkpoint"] == (await ask(CHECKPOINT)).data["logCheckpoint"]["note"]

    async def test_can_be_demanded_of_a_bundle(
        self, ask: Ask, runtime: Runtime, execute: Execute, principal: Principal, tmp_path: Path
    ) -> None:
        await grow(execute, principal)
        (run,) = (await ask("{ runs { nodes { id } } }")).data["runs"]["nodes"]
        key = Verifier.parse((await ask(CHECKPOINT)).data["logCheckpoint"]["vkey"])
        before = (await ask(BUNDLE, {"id": run["id"]})).data["runProofBundle"]["text"]
        await cosign(runtime, principal, tmp_path, "w1")
        after = (await ask(BUNDLE, {"id": run["id"]})).data["runProofBundle"]["text"]
        wanted = CosignatureVerifier.parse((await ask(CHECKPOINT)).data["logCheckpoint"]["witnesses"][0]["vkey"])
        verified = verify_bundle(after.encode(), Trust([key], [wanted]))
        assert [one.name for one in verified.tree.signatures] == [key.name, wanted.name]
        with pytest.raises(Refused, match=r"not cosigned by witness\.example/w1"):
            verify_bundle(before.encode(), Trust([key], [wanted]))

    async def test_of_another_tenant_are_not_seen(
        self,
        ask: Ask,
        runtime: Runtime,
        execute: Execute,
        principal: Principal,
        other: Principal,
        tmp_path: Path,
    ) -> None:
        size = await settle(execute, principal)
        assert await settle(execute, other) == size
        await cosign(runtime, principal, tmp_path, "w1")
        await stamp(runtime, principal, local.Authority(tmp_path / "tsa"))
        foreign: dict[str, Any] = (await ask(CHECKPOINT, by=other)).data["logCheckpoint"]
        assert (foreign["treeSize"], foreign["witnesses"], foreign["timestamp"]) == (size, [], None)
        assert foreign["note"].count("\N{EM DASH}") == 1

    async def test_take_no_statement_more(
        self, ask: Ask, runtime: Runtime, execute: Execute, principal: Principal, tmp_path: Path
    ) -> None:
        await grow(execute, principal)
        await cosign(runtime, principal, tmp_path, "w1")
        plain = await ask("{ logCheckpoints { nodes { treeSize } } }")
        assert (await ask(CHECKPOINTS)).statements == plain.statements


class TestTimestamp:
    async def test_holds_over_the_note_without_cosignatures(
        self, ask: Ask, runtime: Runtime, execute: Execute, principal: Principal, tmp_path: Path
    ) -> None:
        await grow(execute, principal)
        authority = local.Authority(tmp_path / "tsa")
        await cosign(runtime, principal, tmp_path, "w1")
        await stamp(runtime, principal, authority)
        shown = (await ask(CHECKPOINT)).data["logCheckpoint"]
        note = stamped_note(shown["note"], Verifier.parse(shown["vkey"]))
        at = stamped_at(base64.b64decode(shown["timestamp"]["token"]), note, authority.roots())
        assert datetime.fromisoformat(shown["timestamp"]["at"]) == at
