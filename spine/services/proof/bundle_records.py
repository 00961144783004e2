"""The records of a bundle against its seals: every hash made again, every link and every list compared.

After this all that is left to believe of the records is the hash of the latest seal.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from spine.services.canonical_json import digest
from spine.services.proof.bundle_reading import Bundle, Record
from spine.services.proof.faults import Fault, Refused
from spine.services.proof.hashing import EVIDENCE_TAG, GENESIS, SEAL_TAG, STEP_TAG, evidence_genesis, trace_genesis
from spine.services.proof.strict_json import NotStrict, read_object

HASH_HEX = 64


def demand_records(tenant_id: UUID, bundle: Bundle) -> None:
    """Refuse records that are not what the latest seal commits to; raises Refused."""
    _demand_seals(bundle.seals)
    _demand_run(bundle.run, bundle.seals[-1])
    _demand_steps(tenant_id, bundle.steps, bundle.seals)
    _demand_evidence(tenant_id, bundle)


def _demand_seals(seals: Sequence[Record]) -> None:
    if not seals:
        raise Refused(Fault.SEAL, "there is no seal")
    _demand_hashes(Fault.SEAL, SEAL_TAG, seals, lambda seal: f"seal {seal.fields['version']}")
    previous, steps = GENESIS, 0
    for version, seal in enumerate(seals, 1):
        fields = seal.fields
        if fields["version"] != version:
            raise Refused(Fault.SEAL, f"seal {version} is missing: {fields['version']} stands in its place")
        if fields["run_key"] != seals[0].fields["run_key"]:
            raise Refused(Fault.SEAL, f"seal {version} is another run's")
        if fields["prev_seal_hash"] != previous.hex():
            raise Refused(Fault.SEAL, f"seal {version} does not follow the one before it")
        steps += len(_sealed(seal))
        if fields["step_count"] != steps:
            raise Refused(Fault.SEAL, f"seal {version} says {fields['step_count']} steps and lists {steps}")
        previous = seal.hash


def _demand_run(run: Record, latest: Record) -> None:
    if run.content.hex() != latest.fields["run_record"]:
        raise Refused(Fault.RUN, f"{_first_difference(run, latest)} is not what seal {latest.fields['version']} holds")
    if run.fields.get("id") != latest.fields["run_key"]:
        raise Refused(Fault.RUN, "the run's record is of another run than its seal")


def _first_difference(run: Record, latest: Record) -> str:
    """The first field of the run in which it differs from its seal, as far as the seal can be read."""
    try:
        sealed = read_object(bytes.fromhex(str(latest.fields["run_record"])).decode())
    except (NotStrict, UnicodeDecodeError):
        return "the run's record"
    return next((name for name in sealed | run.fields if sealed.get(name) != run.fields.get(name)), "the run's record")


def _demand_steps(tenant_id: UUID, steps: Sequence[Record], seals: Sequence[Record]) -> None:
    _demand_hashes(Fault.STEP, STEP_TAG, steps, _step_name)
    sealed = [each for seal in seals for each in _sealed(seal)]
    found = [step.hash.hex() for step in steps]
    if sealed != found:
        raise Refused(Fault.STEP, _misplaced(steps, found, sealed))
    heads = {(step.fields["trace_id"], step.fields["step_index"]): step for step in steps}
    if len(heads) != len(steps):
        raise Refused(Fault.STEP, "two steps have the same place in a trace")
    for step in steps:
        _demand_link(tenant_id, step, heads.get((step.fields["trace_id"], _index(step) - 1)))


def _demand_link(tenant_id: UUID, step: Record, before: Record | None) -> None:
    """The step before must be the one that this one was chained to, where it is the run's too."""
    if _index(step) == 0:
        previous = trace_genesis(tenant_id, str(step.fields["trace_id"]))
    elif before is not None:
        previous = before.hash
    else:
        return
    if step.fields["prev_hash"] != previous.hex():
        raise Refused(Fault.STEP, f"{_step_name(step)} does not follow the step before it in its trace")


def _misplaced(steps: Sequence[Record], found: Sequence[str], sealed: Sequence[str]) -> str:
    """What is wrong at the first place where the steps are not those that were sealed."""
    place = next(
        (at for at, (one, other) in enumerate(zip(found, sealed, strict=False)) if one != other),
        min(len(found), len(sealed)),
    )
    if place == len(found):
        return f"{len(sealed)} steps were sealed, {len(found)} are there: those from position {place} are missing"
    name = f"{_step_name(steps[place])}, at position {place},"
    if place == len(sealed) or found[place] in found[:place]:
        return f"{name} was added"
    if found[place] in sealed:
        missing = sealed[place] not in found
        return f"the step before {name} is missing" if missing else f"{name} is not in the place in which it was sealed"
    return f"{name} is not the one that was sealed there"


def _demand_evidence(tenant_id: UUID, bundle: Bundle) -> None:
    run_key = str(bundle.seals[-1].fields["run_key"])
    _demand_hashes(Fault.EVIDENCE, EVIDENCE_TAG, bundle.evidence, _evidence_name)
    heads = [evidence_genesis(tenant_id, UUID(run_key)).hex()]
    for index, record in enumerate(bundle.evidence):
        fields = record.fields
        if fields["evidence_index"] != index or fields["run_key"] != run_key:
            raise Refused(Fault.EVIDENCE, f"record {index} is missing, or stands elsewhere")
        if fields["prev_hash"] != heads[-1]:
            raise Refused(Fault.EVIDENCE, f"{_evidence_name(record)} does not follow the one before it")
        heads.append(record.hash.hex())
    sealed = bundle.seals[-1].fields["evidence_count"]
    if sealed != len(bundle.evidence):
        raise Refused(Fault.EVIDENCE, f"{sealed} records were sealed, {len(bundle.evidence)} are there")
    for seal in bundle.seals:
        _demand_head(seal, heads)


def _demand_head(seal: Record, heads: Sequence[str]) -> None:
    count = seal.fields["evidence_count"]
    if type(count) is not int or not 0 <= count < len(heads) or heads[count] != seal.fields["evidence_head"]:
        raise Refused(Fault.EVIDENCE, f"the evidence is not what seal {seal.fields['version']} was made over")


def _demand_hashes(fault: Fault, tag: bytes, records: Sequence[Record], name: Callable[[Record], str]) -> None:
    for record in records:
        if digest(tag + record.content) != record.hash:
            raise Refused(
                fault, f"{name(record)} was changed (line {record.line}): its hash is not that of its content"
            )


def _sealed(seal: Record) -> list[str]:
    """The hashes of the steps that were new in this version, in order, as hex."""
    joined = str(seal.fields["step_hashes"])
    if len(joined) % HASH_HEX:
        raise Refused(Fault.SEAL, f"seal {seal.fields['version']} does not list whole hashes")
    return [joined[start : start + HASH_HEX] for start in range(0, len(joined), HASH_HEX)]


def _index(step: Record) -> int:
    return int(step.fields["step_index"] or 0)


def _step_name(step: Record) -> str:
    return f"step {step.fields['step_index']} of trace {step.fields['trace_id']}"


def _evidence_name(record: Record) -> str:
    return f"record {record.fields['evidence_index']} ({record.fields['record']})"
