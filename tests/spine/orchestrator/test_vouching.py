"""Outsiders vouch for checkpoints: soon, in spite of crashes and forks told apart, and nobody waits for them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.responses import Response

from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.errors import ErrorCode
from spine.contracts.vouchers import FindStampable, FindSubmission, KeepCosignature, KeepTimestamp
from spine.orchestrator.vouching import AskedAuthority, AskedWitness, Outsider, Vouching, principal_of
from spine.services.clock import system_clock
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.cosignature import CosignatureVerifier, Cosigner
from spine.services.proof.note import Verifier, open_note
from spine.services.proof.timestamp import stamped_at
from spine.services.proof.witness import Logs, WitnessAddress
from spine.services.vouchers import Authority, NotVouched, Unreachable
from tests.conftest import Execute, MakeTenant
from tests.spine.orchestrator.logged import rows_of, settle, tamper
from tests.spine.services.outsiders import answering, stamping, witnessing
from tests.spine.services.proof import authority as local

SOON_S = 60.0
NOBODY = Cosigner("witness.example/nobody", bytes(32), lambda: 1)
More = Callable[[], Awaitable[int]]


@pytest.fixture
def more(execute: Execute, superuser: dict[str, Any], principal: Principal) -> More:
    """Let the tenant's log grow by a leaf and sign it; the new size."""

    async def grow() -> int:
        query = (
            "INSERT INTO log_pending SELECT $1, gen_random_uuid(), 'AUDIT', gen_random_uuid(), 1, sha256('x'), now()"
        )
        await rows_of(superuser, query, principal.tenant_id)
        return await settle(execute, principal)

    return grow


@pytest.fixture
def logs(runtime: Runtime, principal: Principal) -> Logs:
    """The tenant's log, as a witness knows it."""
    verifier = Verifier.parse(vkey_of(runtime, principal))
    return {verifier.name: [verifier]}


@pytest.fixture
def witness(tmp_path: Path, logs: Logs) -> Iterator[WitnessAddress]:
    """A witness of the tenant's log."""
    with witnessing(tmp_path / "w1", logs) as address:
        yield address


def vkey_of(runtime: Runtime, principal: Principal) -> str:
    log = runtime.registry._config.log
    return log.vkey(log.origin(principal.tenant_id, 1))


async def vouch(outsider: Outsider, principal: Principal) -> bool:
    """Have it asked for the tenant."""
    async with httpx.AsyncClient() as http:
        return await outsider.vouch(http, principal.tenant_id)


async def cosigned(superuser: dict[str, Any], principal: Principal) -> list[int]:
    """The sizes that are cosigned; every line holds over its checkpoint's text."""
    query = """SELECT c.tree_size, c.witness, c.line, p.note FROM log_cosignatures c
               JOIN log_checkpoints p USING (tenant_id, tree_size) WHERE tenant_id = $1 ORDER BY tree_size"""
    rows = await rows_of(superuser, query, principal.tenant_id)
    for row in rows:
        text = open_note(row["note"] + row["line"], [CosignatureVerifier.parse(row["witness"])]).text
        assert Checkpoint.parse(text).size == row["tree_size"]
    return [row["tree_size"] for row in rows]


class Faulty:
    """An outsider that nobody programmed well."""

    kind, name = "witness", "faulty"

    def __init__(self, tenant_id: UUID) -> None:
        self._tenant_id = tenant_id
        self.asked = 0

    async def waiting(self) -> Sequence[UUID]:
        return [self._tenant_id]

    async def vouch(self, http: httpx.AsyncClient, tenant_id: UUID) -> bool:
        self.asked += 1
        raise ZeroDivisionError(tenant_id, http)


@asynccontextmanager
async def running(*outsiders: Outsider) -> AsyncIterator[None]:
    """Have them asked for as long as the block runs."""
    vouching = Vouching(outsiders)
    vouching.start()
    try:
        yield
    finally:
        await vouching.close()


async def soon(condition: Callable[[], Awaitable[bool]]) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + SOON_S
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


class TestAWitness:
    async def test_cosigns_the_newest_checkpoint_from_the_one_before(
        self, runtime: Runtime, superuser: dict[str, Any], principal: Principal, witness: WitnessAddress, more: More
    ) -> None:
        asked, sizes = AskedWitness(runtime.registry, witness), []
        for _ in range(3):
            await more()
            sizes.append(await more())
            assert await vouch(asked, principal)
            assert not await vouch(asked, principal), "it is asked once"
        assert await cosigned(superuser, principal) == sizes

    async def test_that_answered_into_the_void_tells_the_size_that_it_knows(
        self, runtime: Runtime, superuser: dict[str, Any], principal: Principal, witness: WitnessAddress, more: More
    ) -> None:
        asked = AskedWitness(runtime.registry, witness)
        first = await more()
        await vouch(asked, principal)
        await tamper(superuser, f"DELETE FROM log_cosignatures WHERE tenant_id = '{principal.tenant_id}'")
        assert await vouch(asked, principal)
        assert await cosigned(superuser, principal) == [first], "the same size once more"
        await tamper(superuser, f"DELETE FROM log_cosignatures WHERE tenant_id = '{principal.tenant_id}'")
        assert await vouch(asked, principal) is True
        second = await more()
        assert await vouch(asked, principal)
        assert await cosigned(superuser, principal) == [first, second]

    async def test_is_asked_by_two_processes_at_once(
        self, runtime: Runtime, superuser: dict[str, Any], principal: Principal, witness: WitnessAddress, more: More
    ) -> None:
        asked = AskedWitness(runtime.registry, witness)
        for _ in range(3):
            size = await more()
            await asyncio.gather(*(vouch(asked, principal) for _ in range(4)))
        assert (await cosigned(superuser, principal))[-1] == size

    async def test_refuses_a_log_that_was_rewritten(
        self, runtime: Runtime, superuser: dict[str, Any], principal: Principal, witness: WitnessAddress, more: More
    ) -> None:
        asked = AskedWitness(runtime.registry, witness)
        await more()
        await vouch(asked, principal)
        await forget_everything(superuser, principal)
        runtime.registry._config.log._state.joinpath(f"{principal.tenant_id}-1.note").unlink()  # type: ignore[attr-defined]
        for _ in range(4):
            await more()
        with pytest.raises(NotVouched, match="HTTP 422"):
            await vouch(asked, principal)
        assert await cosigned(superuser, principal) == []

    async def test_knows_more_than_a_log_that_was_cut_short(
        self, runtime: Runtime, superuser: dict[str, Any], principal: Principal, witness: WitnessAddress, more: More
    ) -> None:
        asked = AskedWitness(runtime.registry, witness)
        for _ in range(4):
            await more()
        await vouch(asked, principal)
        await forget_everything(superuser, principal)
        runtime.registry._config.log._state.joinpath(f"{principal.tenant_id}-1.note").unlink()  # type: ignore[attr-defined]
        await more()
        with pytest.raises(NotVouched, match="it has cosigned 5 leaves, and the log has 1"):
            await vouch(asked, principal)

    async def test_that_says_another_size_each_time_is_left(
        self, runtime: Runtime, principal: Principal, more: More
    ) -> None:
        await more()
        sizes = iter((1, 0) * 9)
        with (
            answering(lambda _: Response(f"{next(sizes)}\n", 409, media_type="text/x.tlog.size")) as url,
            pytest.raises(Unreachable, match="another size"),
        ):
            await vouch(AskedWitness(runtime.registry, WitnessAddress(NOBODY.vkey, url)), principal)

    async def test_has_nothing_to_sign_in_an_empty_log(
        self, runtime: Runtime, principal: Principal, witness: WitnessAddress
    ) -> None:
        assert not await vouch(AskedWitness(runtime.registry, witness), principal)


class TestAnAuthority:
    async def test_stamps_the_note_as_the_log_signed_it(
        self, runtime: Runtime, superuser: dict[str, Any], principal: Principal, more: More, tmp_path: Path
    ) -> None:
        authority, size = local.Authority(tmp_path / "tsa"), await more()
        with stamping(authority) as url:
            asked = authority_at(runtime, url, authority)
            assert principal.tenant_id in await asked.waiting()
            assert await vouch(asked, principal)
            assert not await vouch(asked, principal)
        query = "SELECT * FROM log_timestamps JOIN log_checkpoints USING (tenant_id, tree_size) WHERE tenant_id = $1"
        (row,) = await rows_of(superuser, query, principal.tenant_id)
        assert row["tree_size"] == size
        assert stamped_at(row["token"], row["note"], authority.roots()) == row["stamped_at"]

    async def test_is_asked_every_so_often(
        self, runtime: Runtime, principal: Principal, more: More, tmp_path: Path
    ) -> None:
        authority = local.Authority(tmp_path / "tsa")
        await more()
        with stamping(authority) as url:
            await vouch(authority_at(runtime, url, authority), principal)
            await more()
            assert principal.tenant_id not in await authority_at(runtime, url, authority).waiting()
            assert principal.tenant_id in await authority_at(runtime, url, authority, interval_s=0).waiting()

    async def test_under_another_root_is_not_believed(
        self, runtime: Runtime, superuser: dict[str, Any], principal: Principal, more: More, tmp_path: Path
    ) -> None:
        await more()
        with stamping(local.Authority(tmp_path / "a")) as url, pytest.raises(NotVouched, match="certificate"):
            await vouch(authority_at(runtime, url, local.Authority(tmp_path / "b")), principal)
        query = "SELECT 1 FROM log_timestamps WHERE tenant_id = $1"
        assert await rows_of(superuser, query, principal.tenant_id) == []


class TestVouching:
    async def test_reaches_every_outsider_in_spite_of_one_that_is_away(
        self,
        runtime: Runtime,
        superuser: dict[str, Any],
        principal: Principal,
        witness: WitnessAddress,
        more: More,
        tmp_path: Path,
    ) -> None:
        size, authority = await more(), local.Authority(tmp_path / "tsa")
        away = AskedWitness(runtime.registry, WitnessAddress(NOBODY.vkey, "http://127.0.0.1:9"))
        stamps = "SELECT tree_size FROM log_timestamps WHERE tenant_id = $1"

        async def vouched() -> bool:
            stamped = await rows_of(superuser, stamps, principal.tenant_id)
            return [row["tree_size"] for row in stamped] == [size] == await cosigned(superuser, principal)

        with stamping(authority) as url:
            async with running(away, AskedWitness(runtime.registry, witness), authority_at(runtime, url, authority)):
                assert await soon(vouched)
                assert principal.tenant_id in await away.waiting()

    async def test_of_a_refused_tenant_leaves_the_others_alone(
        self,
        runtime: Runtime,
        superuser: dict[str, Any],
        principal: Principal,
        witness: WitnessAddress,
        more: More,
        make_tenant: MakeTenant,
        execute: Execute,
    ) -> None:
        stranger = await make_tenant()
        await settle(execute, stranger)
        asked = AskedWitness(runtime.registry, witness)
        async with running(asked):
            for _ in range(2):
                size = await more()

                async def done(size: int = size) -> bool:
                    return size in await cosigned(superuser, principal)

                assert await soon(done)
        assert await cosigned(superuser, stranger) == []
        assert stranger.tenant_id in await asked.waiting()

    async def test_goes_on_after_a_fault_of_the_program(self, principal: Principal) -> None:
        outsider = Faulty(principal.tenant_id)
        async with running(outsider):

            async def asked() -> bool:
                return outsider.asked == 2

            assert await soon(asked)

    async def test_takes_a_permission_that_no_machine_has_by_itself(
        self, execute: Execute, principal: Principal
    ) -> None:
        machine = principal_of(principal.tenant_id)
        machine = type(machine)(machine.tenant_id, machine.actor, machine.role, frozenset(), "key")
        requests = {
            "logs.submission": FindSubmission(NOBODY.vkey, None),
            "logs.keep_cosignature": KeepCosignature(1, NOBODY.vkey, "", system_clock()),
            "logs.stampable": FindStampable(),
            "logs.keep_timestamp": KeepTimestamp(1, b"", system_clock()),
        }
        for operation, request in requests.items():
            error = (await execute(operation, request, machine)).error
            assert error is not None
            assert error.code is ErrorCode.FORBIDDEN


def authority_at(runtime: Runtime, url: str, authority: local.Authority, interval_s: int = 60) -> AskedAuthority:
    found = Authority(url, tuple(authority.roots()))
    return AskedAuthority(runtime.registry, found, timedelta(seconds=interval_s), system_clock)


async def forget_everything(superuser: dict[str, Any], principal: Principal) -> None:
    """What a dishonest operator does before writing another history."""
    tables = ("log_pending", "log_leaves", "log_nodes", "log_heads", "log_checkpoints", "log_cosignatures")
    await tamper(superuser, *(f"DELETE FROM {table} WHERE tenant_id = '{principal.tenant_id}'" for table in tables))
