"""The run bundle: one text file with all that was recorded of a run, and the proof that it is in the tenant's log.

    hoc-spine/run-bundle@v1
    run {…}                    the run's fields as its latest seal has them
    seal <hash> {…}            every version of its seal, in order
    step <hash> {…}            every step, in the order in which they were sealed
    evidence <hash> {…}        every record of its evidence chain
    consistency <size> <root>  optional: an older tree, and below it the path from there to the checkpoint's
    <hash>
                               an empty line, then a C2SP tlog-proof of the latest seal's leaf
    c2sp.org/tlog-proof@v1
    index <leaf index>
    <hash>
                               an empty line, then the checkpoint: a C2SP signed note

Hashes are hex in records, base64 elsewhere. What follows a record's hash is canonical JSON (RFC 8785), byte for byte
what was hashed behind the tag of its kind, so that any SHA-256 checks it. Payloads are not in it, commitments to them
are: who holds a payload and its salt can compare. Of a run it tells all up to its latest seal that the checkpoint
covers; that no later seal exists it cannot tell.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from spine.contracts.records import EvidenceRecord, SealRecord, StepRecord
from spine.services.proof.hashing import evidence_content, evidence_genesis, seal_content, step_content
from spine.services.proof.note import encode_base64

FORMAT = "hoc-spine/run-bundle@v1"
TLOG_PROOF = "c2sp.org/tlog-proof@v1"

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
"""About 60,000 steps: what a reader takes, whoever it is from, and so what is given."""


class LogProof(NamedTuple):
    """Where an entry stands in the log, with the path to the root that the signed checkpoint names."""

    leaf_index: int
    path: tuple[bytes, ...]
    note: str


class OlderTree(NamedTuple):
    """An earlier state of the log, and the path that shows that the checkpoint's tree begins with it."""

    size: int
    root: bytes
    path: tuple[bytes, ...]


class SealedRun(NamedTuple):
    """A run's records as they are stored: seals by version, steps by position, evidence by index."""

    tenant_id: UUID
    run_key: UUID
    seals: Sequence[SealRecord]
    steps: Sequence[StepRecord]
    evidence: Sequence[EvidenceRecord]


def build_bundle(run: SealedRun, log: LogProof, older: OlderTree | None = None) -> str:
    """The file's text. It is not verified here: what is stored is written, be it right or wrong.

    Raises ValueError for a run without a seal, which is in no log yet.
    """
    if not run.seals:
        raise ValueError("the run has no seal")
    lines = [FORMAT, f"run {run.seals[-1].run_record.decode()}", *_records(run)]
    if older is not None:
        lines.append(f"consistency {older.size} {encode_base64(older.root)}")
        lines.extend(map(encode_base64, older.path))
    lines += ["", TLOG_PROOF, f"index {log.leaf_index}", *map(encode_base64, log.path), "", log.note]
    return "\n".join(lines)


def _records(run: SealedRun) -> Iterator[str]:
    for seal in run.seals:
        yield f"seal {seal.seal_hash.hex()} {seal_content(seal).decode()}"
    for step in run.steps:
        yield f"step {step.step_hash.hex()} {step_content(step).decode()}"
    head = evidence_genesis(run.tenant_id, run.run_key)
    for record in run.evidence:
        yield f"evidence {record.evidence_hash.hex()} {evidence_content(record, head).decode()}"
        head = record.evidence_hash
