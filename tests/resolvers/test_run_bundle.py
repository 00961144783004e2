"""A run's bundle over GraphQL: what is taken away verifies, and nothing is given that would not."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

import pytest
from msgspec import structs

from spine.authority.rbac import permissions_of
from spine.bootstrap import Runtime
from spine.contracts.access_log import ListAccessRecords
from spine.contracts.actors import Principal
from spine.contracts.enums import Permission, Role
from spine.contracts.log import ContinueLog, SignedTree
from spine.contracts.paging import PageRequest
from spine.contracts.records import SealRecord, StepRecord
from spine.contracts.runs import IngestSpans
from spine.contracts.spans import SpanBatch
from spine.orchestrator.coordinators import run_bundle_coordinator
from spine.services.ids import key_of
from spine.services.proof.faults import Fault, Refused
from spine.services.proof.hashing import seal_hash, step_hash
from spine.services.proof.leaves import seal_entry
from spine.services.proof.merkle import append, leaf_hash, root
from spine.services.proof.note import Verifier
from spine.services.proof.offline import Trust, Verified, verify_bundle
from spine.settings import Settings
from spine.storage.log_signing import LogSigner
from tests.conftest import Execute
from tests.resolvers.conftest import Ask
from tests.resolvers.spans import export
from tests.spine.orchestrator.logged import a_finished_run, leaves_of, rewind, rows_of, settle, tamper
from tests.spine.orchestrator.reporting import Reporter, a_step

T = TypeVar("T")

STEPS = """SELECT trace_steps.* FROM trace_steps JOIN run_steps USING (tenant_id, trace_id, step_index)
    WHERE tenant_id = $1 AND run_id = '{}' ORDER BY position"""
SEALS = "SELECT * FROM seals WHERE tenant_id = $1 AND run_id = '{}'"
BUNDLE = "query($id: ID!, $from: BigInt) { runProofBundle(id: $id, from: $from) { filename text } }"
CHECKPOINT = "{ logCheckpoint { note vkey treeSize } }"


async def taken(ask: Ask, run: str, first: int | None = None) -> str:
    """The bundle's text."""
    answer = await ask(BUNDLE, {"id": run, "from": first})
    assert answer.errors == []
    found = answer.data["runProofBundle"]
    assert found["filename"] == f"run-{key_of(run, 'Run')}.proof"
    text: str = found["text"]
    return text


async def refusal(ask: Ask, run: str, first: int | None = None, by: Principal | None = None) -> tuple[str, str]:
    """The code and the message of the one error, beside which there is no data."""
    answer = await ask(BUNDLE, {"id": run, "from": first}, by=by)
    assert answer.data == {"runProofBundle": None}
    ((code,), (error,)) = answer.codes, answer.errors
    return code, error.message


async def trust(ask: Ask, kept: str | None = None) -> Trust:
    vkey = (await ask(CHECKPOINT)).data["logCheckpoint"]["vkey"]
    return Trust([Verifier.parse(vkey)], kept=kept)


async def ids(ask: Ask) -> list[str]:
    answer = await ask("{ runs(first: 100) { nodes { id } } }")
    return [node["id"] for node in answer.data["runs"]["nodes"]]


async def ingest(execute: Execute, principal: Principal, count: int = 1) -> None:
    (await execute("activity.ingest_spans", IngestSpans(export(count)), principal)).unwrap()


def checked(text: str, believed: Trust) -> Verified:
    return verify_bundle(text.encode(), believed)


@pytest.mark.usefixtures("governed")
class TestARunWithEvidence:
    async def test_is_taken_away_whole(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        size = await settle(execute, principal)
        for run in (await ids(ask))[:5]:
            verified = checked(await taken(ask, run), await trust(ask))
            assert verified.tree.origin.tenant == principal.tenant_id
            assert verified.tree.size == size
            assert (len(verified.bundle.steps), len(verified.bundle.seals)) == (2, 1)
            assert {record.fields["record"] for record in verified.bundle.evidence} >= {
                "EvaluationRecord",
                "BreachRecord",
                "DecisionRecord",
            }

    async def test_takes_as_many_statements_with_an_earlier_size_as_without(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        await settle(execute, principal)
        run = (await ids(ask))[0]
        for first in (None, 1):
            answer = await ask(BUNDLE, {"id": run, "from": first})
            assert (answer.errors, answer.statements) == ([], 7)

    async def test_needs_the_right_to_read_policies_too(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        await settle(execute, principal)
        rights = permissions_of(Role.MACHINE, (Permission.RUNS_READ,))
        machine = Principal(principal.tenant_id, principal.actor, Role.MACHINE, rights, "key")
        assert (await refusal(ask, (await ids(ask))[0], by=machine))[0] == "FORBIDDEN"


class TestTheAccessLog:
    async def test_says_who_took_which_run_away(
        self, ask: Ask, execute: Execute, principal: Principal, runtime: Runtime
    ) -> None:
        await ingest(execute, principal)
        await settle(execute, principal)
        (run,) = await ids(ask)
        runtime.keep_access_log()
        await taken(ask, run)
        assert runtime.access_log is not None
        await runtime.access_log.flush()
        request = ListAccessRecords(page=PageRequest(10))
        (record,) = (await execute("logs.access_records", request, principal)).unwrap().nodes
        assert (record.operations, record.run_ids) == (("activity.run_proof_bundle",), (run,))
        assert (record.actor, record.payloads) == (principal.actor, False)


class TestALogThatGrew:
    async def test_is_proven_to_continue_every_checkpoint_that_was_kept(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        kept = []
        for count in (1, 3, 2):
            await ingest(execute, principal, count)
            await settle(execute, principal)
            kept.append((await ask(CHECKPOINT)).data["logCheckpoint"])
        for run in await ids(ask):
            for one in kept:
                verified = checked(await taken(ask, run, one["treeSize"]), await trust(ask, one["note"]))
                assert (verified.kept and verified.kept.size) == one["treeSize"]
            with pytest.raises(Refused, match=f"CONSISTENCY.*from: {kept[0]['treeSize']}"):
                checked(await taken(ask, run), await trust(ask, kept[0]["note"]))

    @pytest.mark.parametrize("first", [0, -1, 2**53 - 1])
    async def test_is_refused_for_a_size_that_is_none(
        self, ask: Ask, execute: Execute, principal: Principal, first: int
    ) -> None:
        await ingest(execute, principal)
        await settle(execute, principal)
        answer = await ask(BUNDLE, {"id": (await ids(ask))[0], "from": first})
        assert (answer.codes, answer.errors[0].extensions["field"]) == (["VALIDATION"], "from")

    async def test_is_refused_for_a_size_that_is_not_signed_yet(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        await ingest(execute, principal)
        size = await settle(execute, principal)
        run = (await ids(ask))[0]
        assert (await refusal(ask, run, size + 1)) == ("VALIDATION", f"the latest checkpoint covers {size} leaves")
        assert checked(await taken(ask, run, size), await trust(ask)).bundle.older is not None


class TestThereIsNothingToProve:
    async def test_of_a_live_run(self, ask: Ask, execute: Execute, principal: Principal) -> None:
        reporter = Reporter(execute, principal)
        key = (await reporter.start()).run_key
        await reporter.append(key, a_step(1))
        await settle(execute, principal)
        (run,) = await ids(ask)
        assert await refusal(ask, run) == (
            "CONFLICT",
            "the run is still live: its record is sealed when it ends",
        )

    async def test_before_a_checkpoint_covers_the_latest_seal(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        reporter = Reporter(execute, principal)
        await a_finished_run(reporter)
        (run,) = await ids(ask)
        code, message = await refusal(ask, run)
        assert (code, message.startswith("no signed checkpoint covers")) == ("CONFLICT", True)
        await settle(execute, principal)
        assert len(checked(await taken(ask, run), await trust(ask)).bundle.seals) == 1

    async def test_of_a_run_that_got_another_seal_until_that_is_covered_too(
        self, ask: Ask, execute: Execute, principal: Principal
    ) -> None:
        spans = export(1).spans
        (await execute("activity.ingest_spans", IngestSpans(SpanBatch(spans[1:], ())), principal)).unwrap()
        await settle(execute, principal)
        (run,) = await ids(ask)
        assert len(checked(await taken(ask, run), await trust(ask)).bundle.seals) == 1
        (await execute("activity.ingest_spans", IngestSpans(SpanBatch(spans[:1], ())), principal)).unwrap()
        assert (await refusal(ask, run))[0] == "CONFLICT"
        await settle(execute, principal)
        bundle = checked(await taken(ask, run), await trust(ask)).bundle
        assert (len(bundle.seals), len(bundle.steps)) == (2, 2)

    async def test_of_a_run_that_no_reader_would_take(
        self, ask: Ask, execute: Execute, principal: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await ingest(execute, principal)
        await settle(execute, principal)
        (run,) = await ids(ask)
        size = len((await taken(ask, run)).encode())
        monkeypatch.setattr(run_bundle_coordinator, "MAX_BUNDLE_BYTES", size)
        await taken(ask, run)
        monkeypatch.setattr(run_bundle_coordinator, "MAX_BUNDLE_BYTES", size - 1)
        assert await refusal(ask, run) == ("TOO_LARGE", f"the bundle's number of bytes is over the limit of {size - 1}")

    async def test_of_an_absent_a_foreign_and_a_malformed_id(
        self, ask: Ask, execute: Execute, principal: Principal, other: Principal
    ) -> None:
        await ingest(execute, principal)
        await settle(execute, principal)
        run = (await ids(ask))[0]
        absent = "UnVuOg" + run[6:-4] + "AAAA"
        assert (await refusal(ask, absent))[0] == "NOT_FOUND"
        assert (await refusal(ask, run, by=other))[0] == "NOT_FOUND"
        for malformed in ("", "x", "UnVuOg", "Signal:1"):
            assert (await refusal(ask, malformed))[0] == "VALIDATION"


class TestAForger:
    async def test_of_a_step_is_told_where(
        self, ask: Ask, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        await ingest(execute, principal)
        await settle(execute, principal)
        (run,) = await ids(ask)
        tenant = f"tenant_id = '{principal.tenant_id}'"
        await tamper(superuser, f"UPDATE trace_steps SET name = 'harmless' WHERE step_index = 1 AND {tenant}")
        code, message = await refusal(ask, run)
        assert code == "CONFLICT"
        assert message == "the run's record is broken: EDIT: step 1 differs from what was sealed"
        await tamper(superuser, f"UPDATE seals SET sealed_at = '4713-01-01 BC' WHERE {tenant}")
        assert (await refusal(ask, run))[0] == "UNREADABLE"

    async def test_of_everything_cannot_make_a_kept_checkpoint_fit(
        self, ask: Ask, execute: Execute, principal: Principal, superuser: dict[str, Any], settings: Settings
    ) -> None:
        """A step is rewritten, and with it chain, seal, leaf and tree; then the log's key is used, too."""
        await ingest(execute, principal, 2)
        size = await settle(execute, principal)
        run = (await ids(ask))[0]
        kept = (await ask(CHECKPOINT)).data["logCheckpoint"]
        before, believed = await taken(ask, run, size), await trust(ask, kept["note"])
        checked(before, believed)

        forged_root = await _rewrite(superuser, principal.tenant_id, key_of(run, "Run"))
        with pytest.raises(Refused) as without_key:
            checked(await taken(ask, run, size), believed)
        assert without_key.value.fault is Fault.INCLUSION

        log = LogSigner(settings.data_dir, settings.log_origin, None)
        note = log.sign(log.origin(principal.tenant_id, 1), SignedTree(size, forged_root))
        await tamper(superuser, f"UPDATE log_checkpoints SET note = '{note}' WHERE tree_size = {size}")
        after = await taken(ask, run, size)
        checked(after, believed._replace(kept=None))
        with pytest.raises(Refused) as with_key:
            checked(after, believed)
        assert with_key.value.fault is Fault.FORK
        checked(before, believed)


class TestADeclaredRestore:
    async def test_is_seen_by_who_kept_what_it_contains_and_by_who_kept_what_it_lost(
        self, ask: Ask, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        reporter = Reporter(execute, principal)
        await a_finished_run(reporter)
        (run,) = await ids(ask)
        await settle(execute, principal)
        contained = (await ask(CHECKPOINT)).data["logCheckpoint"]
        await a_finished_run(reporter)
        await settle(execute, principal)
        lost = (await ask(CHECKPOINT)).data["logCheckpoint"]
        await rewind(superuser, principal.tenant_id, contained["treeSize"])
        await a_finished_run(reporter)
        request = ContinueLog(checkpoint=lost["note"], reason="the disk was lost")
        (await execute("logs.continue_log", request, principal)).unwrap()
        await settle(execute, principal)

        keys = [*(await trust(ask)).keys, Verifier.parse(contained["vkey"])]
        text = await taken(ask, run, contained["treeSize"])
        verified = checked(text, Trust(keys, kept=contained["note"]))
        assert verified.kept is not None
        assert (verified.kept.origin.epoch, verified.tree.origin.epoch) == (1, 2)
        text = await taken(ask, run, lost["treeSize"])
        with pytest.raises(Refused, match=r"FORK.*a restore of a backup was declared between them \(epoch 1 to 2\)"):
            checked(text, Trust(keys, kept=lost["note"]))


async def _rewrite(superuser: dict[str, Any], tenant_id: UUID, run_key: UUID) -> bytes:
    """Change a run's first step and make anew everything that is derived from it; the root of the forged tree."""
    steps = [_record(StepRecord, row) for row in await rows_of(superuser, STEPS.format(run_key), tenant_id)]
    (seal,) = await rows_of(superuser, SEALS.format(run_key), tenant_id)
    forged, head = [], steps[0].prev_hash
    for step in steps:
        changed = structs.replace(step, name="harmless", prev_hash=head)
        head = step_hash(changed)
        forged.append(structs.replace(changed, step_hash=head))
    sealed = _record(SealRecord, {**seal, "run_key": run_key})
    sealed = structs.replace(sealed, step_hashes=b"".join(step.step_hash for step in forged))
    sealed = structs.replace(sealed, seal_hash=seal_hash(sealed))
    leaves = await leaves_of(superuser, tenant_id)
    place = leaves.index(leaf_hash(seal_entry(seal["seal_hash"], run_key, 1)))
    leaves[place] = leaf_hash(seal_entry(sealed.seal_hash, run_key, 1))
    nodes, peaks = append(0, (), leaves)
    await tamper(
        superuser,
        *(
            f"UPDATE trace_steps SET name = 'harmless', prev_hash = {_sql(step.prev_hash)},"
            f" step_hash = {_sql(step.step_hash)} WHERE step_hash = {_sql(real.step_hash)}"
            for real, step in zip(steps, forged, strict=True)
        ),
        f"UPDATE traces SET head_hash = {_sql(head)} WHERE trace_id = '{steps[0].trace_id}'",
        f"UPDATE seals SET step_hashes = {_sql(sealed.step_hashes)}, seal_hash = {_sql(sealed.seal_hash)}"
        f" WHERE run_id = '{run_key}'",
        f"UPDATE log_leaves SET leaf_hash = {_sql(leaves[place])} WHERE subject = '{run_key}'",
        f"DELETE FROM log_nodes WHERE tenant_id = '{tenant_id}'",
        *(
            f"INSERT INTO log_nodes VALUES ('{tenant_id}', {level}, {index}, {_sql(kept)})"
            for (level, index), kept in nodes
        ),
        f"UPDATE log_heads SET peaks = {_sql(b''.join(peaks))} WHERE tenant_id = '{tenant_id}'",
    )
    return root(peaks)


def _record(kind: type[T], row: Mapping[str, Any]) -> T:
    return kind(**{name: row[name] for name in kind.__struct_fields__})  # type: ignore[attr-defined]


def _sql(content: bytes) -> str:
    return f"'\\x{content.hex()}'::bytea"
