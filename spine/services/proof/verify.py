"""Verification: recompute everything that a run's seals commit to from what is stored now, and name the first break.

Looked at in this order: the seals themselves, their leaves in the tenant's log, the steps by their place, the heads of
their traces where they were read, the run's fields, its evidence, and payloads where they were read. Nothing here
raises for what is stored: a value that cannot be hashed is an edited value.

What this alone can't find: whoever may write to the database as its owner or superuser can, unnoticed by it,
- change a run and make its chain, evidence and seals anew, for hashes have no key;
- change a run that is still live and make its chain anew: its first seal will commit to what it finds;
- drop a run's newest seals with what they cover, and set its row back to what an older seal holds;
- delete a run's seals and set it back to live, which reads UNSUPPORTED, not VERIFIED;
- delete or withdraw a whole run, or invent one, which no other run's record contradicts;
- erase payloads, or date an erasure otherwise: they read REDACTED, and the audit ledger has no entry of it;
- change what no seal commits to: `risk_level`, `policy_violation`, `incident_count`, a trace's `created_at`, and
  every other table (incidents, signals and their feedback, rules, limits, prices, keys, the audit ledger).
Of these the tenant's log finds what changes, hides or invents a seal or a ledger entry that a checkpoint covers:
consistency with a checkpoint that was kept elsewhere, `verifyLog`, or what this installation keeps of its last
signature contradicts it. Before a checkpoint leaves the operator's hands, the operator can rewrite and sign all anew.
What was not read is not verified: payloads and trace heads that were not selected, a page's evidence beyond 500 rows.
"""

from collections.abc import Sequence
from uuid import UUID

import orjson
from msgspec import Struct

from spine.contracts.enums import BreakKind, IntegrityModel, RunState, VerificationStatus
from spine.contracts.log import PlacedLeaf
from spine.contracts.ports import RunRow, RunStep, TraceHeadSummary
from spine.contracts.proof import INTEGRITY_CONFIG, FirstBreak, IntegrityVerification
from spine.contracts.records import EvidenceRecord, SealRecord, StepPayload, StepRecord
from spine.services.commitments import SALT_BYTES, matches
from spine.services.proof.hashing import GENESIS, evidence_genesis, evidence_hash, seal_hash
from spine.services.proof.leaves import seal_entry
from spine.services.proof.merkle import leaf_hash
from spine.services.proof.seal import HASH_BYTES, SEALED_FIELDS, run_record
from spine.services.proof.verify_steps import Break, first_step_break

UNHASHABLE = (ValueError, TypeError, LookupError, OverflowError, AttributeError)

MODEL = IntegrityModel(INTEGRITY_CONFIG["model"])

NO_TRACE = "NO_TRACE: no step of the run has been recorded yet"
NOT_SEALED = "NOT_SEALED: the run is still live"
NO_STEPS = "NO_STEPS: the run ended without any step to verify"
MORE_EVIDENCE = "steps, fields and seals are as sealed; the run has more evidence than a page verifies"
UNREAD_EVIDENCE = "steps, fields and seals are as sealed; the run's evidence could not be read"


class StoredRun(Struct, frozen=True, kw_only=True):
    """A run as it is stored: steps by position, evidence by index, for each seal its leaf in the log (None: not yet).

    `evidence` is None when not all of it was read, `unread` then says whether a source failed rather than there
    being too much of it; `payloads` and `heads` are None when they were not asked for.
    """

    run: RunRow
    seals: Sequence[SealRecord]
    leaves: Sequence[PlacedLeaf | None] = ()
    steps: Sequence[tuple[RunStep, StepRecord | None]]
    evidence: Sequence[EvidenceRecord] | None
    unread: bool = False
    payloads: Sequence[StepPayload] | None = None
    heads: Sequence[TraceHeadSummary] | None = None


def verify_run(tenant_id: UUID, stored: StoredRun) -> IntegrityVerification:
    """The verdict on one run."""
    run, seals = stored.run, stored.seals
    if not seals and run.state == RunState.LIVE and run.seal_version == 0:
        if not stored.steps:
            return _verdict(stored, VerificationStatus.UNSUPPORTED, NO_TRACE, model=IntegrityModel.NONE)
        return _verdict(stored, VerificationStatus.UNSUPPORTED, NOT_SEALED)
    found = first_break(tenant_id, stored)
    if found is not None:
        return failed(found, stored)
    if stored.evidence is None:
        reason = UNREAD_EVIDENCE if stored.unread else MORE_EVIDENCE
        return _verdict(stored, VerificationStatus.UNVERIFIED_EVIDENCE, reason)
    if not stored.steps:
        return _verdict(stored, VerificationStatus.UNSUPPORTED, NO_STEPS)
    return _verdict(stored, VerificationStatus.VERIFIED, None)


def first_break(tenant_id: UUID, stored: StoredRun) -> Break | None:
    """The first place at which a sealed run differs from its seals; None when it does not."""
    kind = BreakKind.SEAL
    try:
        found = _seal_break(stored.run, stored.seals)
        kind = BreakKind.LEAF
        found = found or _leaf_break(stored)
        kind = BreakKind.EDIT
        found = found or first_step_break(tenant_id, sealed_hashes(stored.seals), stored.steps) or _head_break(stored)
        kind = BreakKind.RUN_EDIT
        found = found or _run_break(stored.run, stored.seals[-1])
        kind = BreakKind.EVIDENCE
        found = found or _evidence_break(tenant_id, stored)
        kind = BreakKind.PAYLOAD_TAMPERED
        return found or _payload_break(stored)
    except UNHASHABLE:
        return Break(kind, None, "a stored value is not one that can have been sealed")


def failed(found: Break, stored: StoredRun | None) -> IntegrityVerification:
    """The verdict FAILED; `stored` is None when the run's rows could not even be read."""
    reason = f"{found.kind}: {found.reason}"
    return _verdict(stored, VerificationStatus.FAILED, reason, FirstBreak(found.step_index, found.kind))


def sealed_hashes(seals: Sequence[SealRecord]) -> list[bytes]:
    """The hashes of all sealed steps, by position."""
    joined = b"".join(seal.step_hashes for seal in seals)
    return [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]


def _verdict(
    stored: StoredRun | None,
    status: VerificationStatus,
    reason: str | None,
    first: FirstBreak | None = None,
    *,
    model: IntegrityModel = MODEL,
) -> IntegrityVerification:
    latest = stored.seals[-1] if stored is not None and stored.seals else None
    logged = stored is not None and stored.leaves and stored.leaves[-1] is not None
    return IntegrityVerification(
        model=IntegrityModel.MERKLE_TREE if logged else model,
        trust_boundary=INTEGRITY_CONFIG["trust_boundary"],
        storage=INTEGRITY_CONFIG["storage"],
        root_hash=latest.seal_hash.hex() if latest is not None else None,
        chain_length=0 if latest is None else latest.step_count,
        verification_status=status,
        failure_reason=reason,
        first_break=first,
    )


def _seal_break(run: RunRow, seals: Sequence[SealRecord]) -> Break | None:
    """A seal that is missing, edited, or does not follow the one before it."""
    previous, count = GENESIS, 0
    for version, seal in enumerate(seals, 1):
        count += len(seal.step_hashes) // HASH_BYTES
        if seal.version != version:
            return Break(BreakKind.SEAL, None, f"seal {version} is missing")
        if seal_hash(seal) != seal.seal_hash or seal.run_key != run.id:
            return Break(BreakKind.SEAL, None, f"seal {version} was edited")
        if seal.prev_seal_hash != previous or seal.step_count != count or len(seal.step_hashes) % HASH_BYTES:
            return Break(BreakKind.SEAL, None, f"seal {version} does not follow the one before it")
        previous = seal.seal_hash
    if not seals:
        return Break(BreakKind.SEAL, None, "no seal of the run is stored")
    if run.seal_version != len(seals):
        return Break(BreakKind.SEAL, None, f"the run has {run.seal_version} seals, stored are {len(seals)}")
    return None


def _leaf_break(stored: StoredRun) -> Break | None:
    """A seal whose leaf in the tenant's log is not its own."""
    for seal, leaf in zip(stored.seals, stored.leaves, strict=False):
        if leaf is not None and leaf.leaf_hash != leaf_hash(seal_entry(seal.seal_hash, seal.run_key, seal.version)):
            reason = f"leaf {leaf.leaf_index} of the log is not that of seal {seal.version}"
            return Break(BreakKind.LEAF, None, reason)
    return None


def _head_break(stored: StoredRun) -> Break | None:
    """A trace whose head says something else than the steps and refusals that are stored of it."""
    if stored.heads is None:
        return None
    heads = {head.trace_id: head for head in stored.heads}
    for trace_id in dict.fromkeys(placed.trace_id for placed, _ in stored.steps):
        head = heads.get(trace_id)
        if head is None:
            return Break(BreakKind.EDIT, None, f"trace {trace_id} lost its head")
        said = (head.step_count, head.head_hash, head.refused_count)
        if said != (head.stored_steps, head.last_hash, head.stored_refusals):
            return Break(BreakKind.EDIT, None, f"the head of trace {trace_id} differs from what is stored of it")
    return None


def _run_break(run: RunRow, latest: SealRecord) -> Break | None:
    """A field of the run that differs from its latest seal."""
    for name, now, then in (
        ("evidence_count", run.evidence_count, latest.evidence_count),
        ("evidence_head", run.evidence_head, latest.evidence_head),
    ):
        if now != then:
            return Break(BreakKind.RUN_EDIT, None, f"{name} differs from what was sealed")
    if not _is_kept_or_erased(run):
        return Break(BreakKind.RUN_EDIT, None, "attributes are not what redacted_at says of them")
    record = run_record(run)
    if record == latest.run_record:
        return None
    now, then = orjson.loads(record), orjson.loads(latest.run_record)
    changed = next((name for name in SEALED_FIELDS if now.get(name) != then.get(name)), "a field")
    return Break(BreakKind.RUN_EDIT, None, f"{changed} differs from what was sealed")


def _is_kept_or_erased(run: RunRow) -> bool:
    """Whether the run's attributes are there, or erased with their salt and dated; nothing between."""
    if run.redacted_at is None:
        return run.attributes is not None and run.attributes_digest is None
    return run.attributes is None and run.salt is None and run.attributes_digest is not None


def _evidence_break(tenant_id: UUID, stored: StoredRun) -> Break | None:
    """An evidence record that is edited, missing, extra or out of order."""
    if stored.evidence is None:
        return None
    head = evidence_genesis(tenant_id, stored.run.id)
    heads = [head]
    for index, record in enumerate(stored.evidence):
        if record.evidence_index != index:
            return Break(BreakKind.EVIDENCE, None, f"evidence record {index} is missing or stands elsewhere")
        head = evidence_hash(record, head)
        if head != record.evidence_hash:
            return Break(BreakKind.EVIDENCE, None, f"evidence record {index} was edited")
        heads.append(head)
    sealed = stored.seals[-1].evidence_count
    if len(stored.evidence) != sealed:
        return Break(BreakKind.EVIDENCE, None, f"{sealed} evidence records were sealed, stored are {len(heads) - 1}")
    for seal in stored.seals:
        if heads[seal.evidence_count] != seal.evidence_head:
            return Break(BreakKind.EVIDENCE, None, f"the evidence is not what seal {seal.version} was made over")
    return None


def _payload_break(stored: StoredRun) -> Break | None:
    """A step whose payload bytes are not those that its record commits to, and were not erased either."""
    if stored.payloads is None:
        return None
    payloads = {(payload.trace_id, payload.step_index): payload for payload in stored.payloads}
    for placed, step in stored.steps:
        payload = payloads.get((placed.trace_id, placed.step_index))
        if payload is None:
            return Break(BreakKind.PAYLOAD_TAMPERED, placed.step_index, f"step {placed.step_index} lost its payload")
        if step is None or not (_is_erased(payload) or _is_committed_to(payload, step)):
            reason = f"the payload of step {placed.step_index} differs from its digests"
            return Break(BreakKind.PAYLOAD_TAMPERED, placed.step_index, reason)
    return None


def _is_erased(payload: StepPayload) -> bool:
    """Whether nothing is left of it, and a time says since when."""
    kept = (payload.input, payload.output, payload.attributes, payload.salt)
    return payload.redacted_at is not None and kept == (None,) * 4


def _is_committed_to(payload: StepPayload, step: StepRecord) -> bool:
    """Whether these are the bytes, and the salt, that the step's record was made with."""
    salt = payload.salt
    return (
        payload.redacted_at is None
        and (salt is None or len(salt) == SALT_BYTES)
        and step.salted == (salt is not None)
        and matches(salt, payload.input, step.input_digest)
        and matches(salt, payload.output, step.output_digest)
        and matches(salt, payload.attributes, step.attributes_digest)
    )
