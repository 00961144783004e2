"""Whoever is asked to vouch for a checkpoint: what holds is taken, what does not is told apart from no answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.responses import Response, StreamingResponse

from spine.services.proof.cosignature import CosignatureVerifier, Cosigner
from spine.services.proof.note import NoteError, Signature, Verifier, open_note
from spine.services.proof.timestamp import MAX_TOKEN_BYTES, query, stamped_at
from spine.services.proof.witness import WitnessAddress
from spine.services.vouchers import (
    Authority,
    Known,
    NotVouched,
    Stamp,
    Unreachable,
    ask_authority,
    ask_witness,
)
from tests.spine.services.outsiders import answering, stamping, witnessing
from tests.spine.services.proof import authority as local
from tests.spine.services.proof.small_log import SmallLog, entries

COSIGNER = Cosigner("witness.example/w1", bytes(32), lambda: 1)


def new_log(*written: str) -> SmallLog:
    return SmallLog("log.example/one", written)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessAddress]:
    """A witness of the log."""
    log = new_log()
    with witnessing(tmp_path, {log.origin: [Verifier.parse(log.signer.vkey)]}) as address:
        yield address


async def asked(witness: WitnessAddress, log: SmallLog, old: int, size: int | None = None) -> Signature | Known:
    async with httpx.AsyncClient() as http:
        return await ask_witness(http, witness, log.submission(old, size))


async def stamped(url: str, authority: local.Authority, note: str) -> Stamp:
    async with httpx.AsyncClient() as http:
        return await ask_authority(http, Authority(url, tuple(authority.roots())), note)


class TestWitness:
    async def test_its_cosignature_holds(self, witness: WitnessAddress) -> None:
        log = new_log("a", "b")
        signature = await asked(witness, log, 0)
        assert isinstance(signature, Signature)
        opened = open_note(log.note() + signature.line(), [CosignatureVerifier.parse(witness.vkey)])
        assert opened.signers == (witness.name,)

    async def test_another_size_is_told(self, witness: WitnessAddress) -> None:
        log = new_log(*entries(0, 5))
        await asked(witness, log, 0)
        log.write("more")
        assert await asked(witness, log, 3) == Known(5)
        assert isinstance(await asked(witness, log, 5), Signature)

    async def test_a_fork_is_not_vouched_for(self, witness: WitnessAddress) -> None:
        log = new_log(*entries(0, 5))
        await asked(witness, log, 0)
        with pytest.raises(NotVouched, match="HTTP 422"):
            await asked(witness, log.restored(3, *entries(3, 8, "other")), 5)

    async def test_a_log_that_it_does_not_know_is_not_either(self, witness: WitnessAddress) -> None:
        with pytest.raises(NotVouched, match="HTTP 404"):
            await asked(witness, SmallLog("log.example/two", ["a"]), 0)

    async def test_one_that_cannot_keep_what_it_signs_signs_nothing(
        self, witness: WitnessAddress, tmp_path: Path
    ) -> None:
        (tmp_path / "checkpoints").rmdir()
        with pytest.raises(Unreachable, match="HTTP 500: the witness cannot keep its state"):
            await asked(witness, new_log("a"), 0)
        (tmp_path / "checkpoints").mkdir()
        assert isinstance(await asked(witness, new_log("a"), 0), Signature)

    async def test_nobody_there_is_no_answer(self) -> None:
        with pytest.raises(Unreachable):
            await asked(WitnessAddress(COSIGNER.vkey, "http://127.0.0.1:9"), new_log("a"), 0)

    @pytest.mark.parametrize(
        "answer",
        [
            Response("busy", 503),
            Response("slowly", 429),
            Response("", 200),
            Response("\N{EM DASH} witness.example/w1 AAAA\n", 200),
            Response("x" * (MAX_TOKEN_BYTES + 1), 200),
            Response("5\n", 409, media_type="text/plain"),
            Response("05\n", 409, media_type="text/x.tlog.size"),
            Response("-1\n", 409, media_type="text/x.tlog.size"),
            Response("\xff", 200),
        ],
    )
    async def test_nonsense_is_no_cosignature(self, answer: Response) -> None:
        with answering(lambda _: answer) as url, pytest.raises((Unreachable, NotVouched)):
            await asked(WitnessAddress(COSIGNER.vkey, url), new_log("a"), 0)

    async def test_the_cosignature_of_another_checkpoint_is_none(self) -> None:
        other = COSIGNER.sign(new_log("b").checkpoint().text())
        line = Signature(COSIGNER.name, COSIGNER.key_id, other).line()
        with answering(lambda _: Response(line)) as url, pytest.raises(Unreachable, match="invalid signature"):
            await asked(WitnessAddress(COSIGNER.vkey, url), new_log("a"), 0)

    async def test_an_answer_without_end_is_left(self) -> None:
        async def without_end() -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0)
                yield b"x" * 10_000

        with answering(lambda _: StreamingResponse(without_end())) as url, pytest.raises(Unreachable, match="no end"):
            await asked(WitnessAddress(COSIGNER.vkey, url), new_log("a"), 0)

    async def test_a_redirect_is_not_followed(self, witness: WitnessAddress) -> None:
        away = Response(status_code=307, headers={"location": f"{witness.url}/add-checkpoint"})
        with answering(lambda _: away) as url, pytest.raises(NotVouched, match="HTTP 307"):
            await asked(WitnessAddress(witness.vkey, url), new_log("a"), 0)

    @pytest.mark.parametrize("text", ["", "a", COSIGNER.vkey, f"{COSIGNER.vkey} ftp://w1", f"{COSIGNER.vkey}http://w1"])
    def test_an_address_is_a_key_and_a_url(self, text: str) -> None:
        assert WitnessAddress.parse(f"{COSIGNER.vkey} https://w1.example/") == (COSIGNER.vkey, "https://w1.example")
        with pytest.raises(NoteError):
            WitnessAddress.parse(text)


class TestAuthority:
    async def test_its_stamp_holds(self, tmp_path: Path) -> None:
        authority, note = local.Authority(tmp_path), new_log("a").note()
        with stamping(authority) as url:
            stamp = await stamped(url, authority, note)
        assert stamp.at == stamped_at(stamp.token, note, authority.roots())

    async def test_an_older_stamp_is_no_answer_to_a_new_question(self, tmp_path: Path) -> None:
        authority, note = local.Authority(tmp_path), new_log("a").note()
        old = Response(authority.answer(query(note).body), media_type="application/timestamp-reply")
        with answering(lambda _: old) as url, pytest.raises(NotVouched, match="Nonce"):
            await stamped(url, authority, note)

    async def test_a_stamp_under_another_root_is_none(self, tmp_path: Path) -> None:
        with stamping(local.Authority(tmp_path / "a")) as url, pytest.raises(NotVouched, match="certificate"):
            await stamped(url, local.Authority(tmp_path / "b"), new_log("a").note())

    async def test_what_is_no_stamp_is_none(self, tmp_path: Path) -> None:
        reply = "application/timestamp-reply"
        answers = iter((Response("?", 500), Response("ok"), Response("ok", media_type=reply)))
        with answering(lambda _: next(answers)) as url:
            for _ in range(3):
                with pytest.raises((Unreachable, NotVouched)):
                    await stamped(url, local.Authority(tmp_path), new_log("a").note())
