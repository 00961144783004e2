"""What the log refuses to sign: whatever contradicts itself, or what was signed before."""

from typing import Any
from uuid import UUID

import orjson
import pytest

from spine.contracts.actors import Principal
from spine.contracts.errors import Conflict, ErrorCode, HocError, ValidationFailed
from spine.contracts.ledger import AuditEntry, ListAuditEntries
from spine.contracts.log import ContinueLog, FindLogKey
from spine.contracts.log_check import VerifyLog
from spine.contracts.paging import PageRequest
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.merkle import ProofError, append, consistency_plan, path, verify_consistency
from spine.services.proof.note import Signer
from spine.services.proof.note import sign as sign_note
from tests.conftest import Execute
from tests.spine.orchestrator.logged import (
    a_finished_run,
    assert_whole,
    checkpoints_of,
    integrate,
    leaves_of,
    rewind,
    root_of,
    rows_of,
    settle,
    sign,
    tamper,
)
from tests.spine.orchestrator.reporting import Reporter

REASON = "the disk was lost"


async def note_of(superuser: dict[str, Any], tenant_id: UUID, size: int) -> str:
    query = f"SELECT note FROM log_checkpoints WHERE tenant_id = $1 AND tree_size = {size}"
    ((note,),) = await rows_of(superuser, query, tenant_id)
    return str(note)


async def refused(reporter: Reporter) -> str:
    """Why the log is not signed."""
    while (await integrate(reporter.execute, reporter.principal)).waiting:
        continue
    signing = await sign(reporter.execute, reporter.principal)
    assert not signing.signed
    return signing.refusal or ""


async def latest_entry(execute: Execute, tenant: Principal, event: str) -> AuditEntry:
    page = (await execute("logs.audit_entries", ListAuditEntries(page=PageRequest(50)), tenant)).unwrap()
    found: AuditEntry = next(one for one in page.nodes if one.event_type == event)
    return found


class TestALogIsNotSigned:
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ("DELETE FROM log_leaves WHERE {mine} AND leaf_index = 9", "counts 10 leaves, its last index says 9"),
            ("UPDATE log_heads SET peaks = sha256('x') || sha256('y') WHERE {mine}", "do not give the root"),
            ("UPDATE log_nodes SET hash = sha256('x') WHERE {mine} AND level = 3", "do not give the root"),
            ("DELETE FROM log_nodes WHERE {mine} AND level = 3", "do not give the root"),
            ("UPDATE log_nodes SET hash = sha256('x') WHERE {mine} AND level = 2 AND node_index = 0", "another root"),
            ("UPDATE log_checkpoints SET root_hash = sha256('x') WHERE {mine}", "something else than its row"),
            (
                "UPDATE log_checkpoints SET note = replace(note, E'\\n5\\n', E'\\n4\\n') WHERE {mine}",
                "invalid signature",
            ),
            ("UPDATE log_checkpoints SET note = 'nothing' WHERE {mine}", "not what was signed"),
            ("UPDATE log_checkpoints SET vkey = 'nothing' WHERE {mine}", "not what was signed"),
        ],
    )
    async def test_that_contradicts_itself(
        self, reporter: Reporter, superuser: dict[str, Any], change: str, why: str
    ) -> None:
        tenant_id = reporter.principal.tenant_id
        await a_finished_run(reporter)
        assert await settle(reporter.execute, reporter.principal) == 5
        await a_finished_run(reporter)
        await reporter.start()
        assert (await integrate(reporter.execute, reporter.principal)).count == 5
        await tamper(superuser, change.format(mine=f"tenant_id = '{tenant_id}'"))
        assert why in await refused(reporter)
        rows = await rows_of(superuser, "SELECT tree_size FROM log_checkpoints WHERE tenant_id = $1", tenant_id)
        assert [row[0] for row in rows] == [5], "nothing was signed"

    async def test_that_was_truncated(self, reporter: Reporter, superuser: dict[str, Any]) -> None:
        await a_finished_run(reporter)
        await settle(reporter.execute, reporter.principal)
        await rewind(superuser, reporter.principal.tenant_id, 3)
        await reporter.start()
        assert "5 leaves of it were signed, and it has 4" in await refused(reporter)

    async def test_that_was_restored_and_went_on_otherwise(self, reporter: Reporter, superuser: dict[str, Any]) -> None:
        tenant_id = reporter.principal.tenant_id
        await a_finished_run(reporter)
        await settle(reporter.execute, reporter.principal)
        (kept,) = await checkpoints_of(superuser, tenant_id)
        await rewind(superuser, tenant_id, 3)
        await a_finished_run(reporter)
        assert "another root was signed for its first 5 leaves" in await refused(reporter)
        leaves = await leaves_of(superuser, tenant_id)
        nodes, _ = append(0, (), leaves)
        hashes = dict(nodes) | {(0, index): leaf for index, leaf in enumerate(leaves)}
        proof = path(consistency_plan(kept.size, len(leaves)), hashes)
        with pytest.raises(ProofError):
            verify_consistency(kept.size, len(leaves), kept.root, root_of(leaves), proof)

    async def test_that_has_the_size_which_was_signed_and_another_root(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        await a_finished_run(reporter)
        await settle(reporter.execute, reporter.principal)
        await rewind(superuser, reporter.principal.tenant_id, 4)
        await reporter.start()
        assert "another root was signed for its first 5 leaves" in await refused(reporter)

    async def test_whose_first_leaves_were_rewritten_with_everything_above_them(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        """Only the signed checkpoint, which the owner of the database cannot make, and the kept note disagree."""
        tenant_id = reporter.principal.tenant_id
        await a_finished_run(reporter)
        await settle(reporter.execute, reporter.principal)
        change = f"DELETE FROM log_checkpoints WHERE tenant_id = '{tenant_id}'"
        await rewind(superuser, tenant_id, 0)
        await tamper(superuser, change)
        for _ in range(2):
            await a_finished_run(reporter)
        assert "another root was signed for its first 5 leaves" in await refused(reporter)


class TestADeclaredRestore:
    async def test_begins_an_epoch_whose_log_names_the_checkpoint_that_it_lost(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        execute, tenant = reporter.execute, reporter.principal
        await a_finished_run(reporter)
        await settle(execute, tenant)
        lost = await note_of(superuser, tenant.tenant_id, 5)
        await rewind(superuser, tenant.tenant_id, 3)
        await a_finished_run(reporter)
        assert "hoc log continue" in await refused(reporter)
        done = (await execute("logs.continue_log", ContinueLog(checkpoint=lost, reason=REASON), tenant)).unwrap()
        assert (done.origin, done.epoch, done.restored_size) == (f"hoc-spine/{tenant.tenant_id}/2", 2, 7)
        assert (await execute("logs.verify_log", VerifyLog(), tenant)).unwrap().progress.fault is None
        assert await settle(execute, tenant) == 8
        assert [one.origin for one in await checkpoints_of(superuser, tenant.tenant_id)] == [done.origin]
        entry = await latest_entry(execute, tenant, "LogContinued")
        assert entry.reason == REASON
        origin, size, root = Checkpoint.parse(lost.partition("\n\n")[0] + "\n")[:3]
        assert (origin, size, root.hex()) == (
            f"hoc-spine/{tenant.tenant_id}",
            5,
            _field(entry.before_state, "rootHash"),
        )
        assert (_field(entry.after_state, "origin"), _field(entry.after_state, "treeSize")) == (done.origin, 7)
        leaf = await rows_of(
            superuser, "SELECT * FROM log_leaves WHERE tenant_id = $1 AND leaf_index = 7", tenant.tenant_id
        )
        assert leaf[0]["subject"] == entry.key, "the declaration is a leaf of the log"
        vkey = (await execute("logs.log_key", FindLogKey(), tenant)).unwrap().vkey
        assert vkey.startswith(f"{done.origin}+")

    async def test_goes_on_as_any_log_does(self, reporter: Reporter, superuser: dict[str, Any]) -> None:
        execute, tenant = reporter.execute, reporter.principal
        await a_finished_run(reporter)
        await settle(execute, tenant)
        lost = await note_of(superuser, tenant.tenant_id, 5)
        await rewind(superuser, tenant.tenant_id, 3)
        (await execute("logs.continue_log", ContinueLog(checkpoint=lost, reason=REASON), tenant)).unwrap()
        await settle(execute, tenant)
        await a_finished_run(reporter)
        size = await settle(execute, tenant)
        await rewind(superuser, tenant.tenant_id, size - 2)
        await reporter.start()
        assert f"{size} leaves of it were signed" in await refused(reporter)

    async def test_of_a_backup_from_before_the_last_restore_is_seen_too(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        execute, tenant = reporter.execute, reporter.principal
        await a_finished_run(reporter)
        await settle(execute, tenant)
        lost = await note_of(superuser, tenant.tenant_id, 5)
        await rewind(superuser, tenant.tenant_id, 3)
        (await execute("logs.continue_log", ContinueLog(checkpoint=lost, reason=REASON), tenant)).unwrap()
        size = await settle(execute, tenant)
        newer = await note_of(superuser, tenant.tenant_id, size)
        await rewind(superuser, tenant.tenant_id, 2)
        await tamper(superuser, f"UPDATE log_heads SET epoch = 1 WHERE tenant_id = '{tenant.tenant_id}'")
        await a_finished_run(reporter)
        assert "it was signed in epoch 2, and is in epoch 1 now" in await refused(reporter)
        error = await failure(execute, tenant, lost)
        assert (type(error), "a later checkpoint was signed here" in str(error)) == (Conflict, True)
        done = (await execute("logs.continue_log", ContinueLog(checkpoint=newer, reason=REASON), tenant)).unwrap()
        assert done.epoch == 3
        await settle(execute, tenant)

    async def test_is_refused_where_there_is_nothing_to_declare(
        self, reporter: Reporter, superuser: dict[str, Any]
    ) -> None:
        execute, tenant = reporter.execute, reporter.principal
        await a_finished_run(reporter)
        await settle(execute, tenant)
        note = await note_of(superuser, tenant.tenant_id, 5)
        assert "nothing to declare" in str(await failure(execute, tenant, note))
        await reporter.start()
        await settle(execute, tenant)
        assert "a later checkpoint was signed here" in str(await failure(execute, tenant, note))
        assert await assert_whole(superuser, tenant.tenant_id) == 6

    @pytest.mark.parametrize("kind", ["empty", "text", "foreign", "forged", "huge"])
    async def test_takes_a_checkpoint_of_this_log_only(
        self, execute: Execute, principal: Principal, other: Principal, superuser: dict[str, Any], kind: str
    ) -> None:
        await settle(execute, principal)
        await settle(execute, other)
        origin = f"hoc-spine/{principal.tenant_id}"
        forged = sign_note(Checkpoint(origin, 9, bytes(32)).text(), [Signer(origin, bytes(32))])
        notes = {
            "empty": "",
            "text": "a\n\nb\n",
            "foreign": await note_of(superuser, other.tenant_id, 1),
            "forged": forged,
            "huge": forged.replace("9", "9" * 30, 1),
        }
        error = await failure(execute, principal, notes[kind])
        assert (type(error), error.field) == (ValidationFailed, "checkpoint")

    async def test_needs_a_reason(self, execute: Execute, principal: Principal, superuser: dict[str, Any]) -> None:
        await settle(execute, principal)
        note = await note_of(superuser, principal.tenant_id, 1)
        for reason in ("", " ", "x" * 501, "a\0b"):
            result = await execute("logs.continue_log", ContinueLog(checkpoint=note, reason=reason), principal)
            assert result.error is not None
            assert (result.error.code, result.error.field) == (ErrorCode.VALIDATION, "reason")


async def failure(execute: Execute, tenant: Principal, note: str) -> HocError:
    result = await execute("logs.continue_log", ContinueLog(checkpoint=note, reason=REASON), tenant)
    assert result.error is not None
    return result.error


def _field(state: str | None, name: str) -> Any:
    return orjson.loads(state or "{}")[name]
