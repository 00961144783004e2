"""Seals: what a run's end commits to, as bytes that verification makes again.

A run's record holds every field of its row but those that may change without a new seal: `risk_level`,
`policy_violation`, `incident_count` (a later decision may raise them), `withdrawn` (it hides the whole run),
`seal_version` (the seal has its own), `evidence_count` and `evidence_head` (they stand beside the record in the seal).
`latency_bucket` and `evidence_health` are computed when read and are no part of the row. Payload bytes are sealed
through the steps' commitments, `attributes` by one of its own, which erasing (`salt`, `attributes_digest`,
`redacted_at`) leaves as it is: a run is erased without a new seal. Goal, names and error texts are sealed as they are.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, get_args, get_type_hints
from uuid import UUID

from msgspec import defstruct, structs

from spine.contracts.ports import RunRow
from spine.contracts.records import SealRecord
from spine.services.canonical_json import Scalar, exact
from spine.services.clock import to_us
from spine.services.commitments import commitment
from spine.services.proof.hashing import GENESIS, seal_hash
from spine.services.proof.written import encode

HASH_BYTES = 32

LEFT_OUT = frozenset(
    {
        "risk_level",
        "policy_violation",
        "incident_count",
        "withdrawn",
        "seal_version",
        "evidence_count",
        "evidence_head",
        "salt",
        "attributes_digest",
        "redacted_at",
    },
)
SEALED_FIELDS = tuple(name for name in RunRow.__struct_fields__ if name not in LEFT_OUT)
WRITTEN = tuple(sorted(SEALED_FIELDS))
"""In the order of canonical JSON."""
ATTRIBUTES = WRITTEN.index("attributes")


def _writer(name: str, kind: Any) -> Callable[[Any], Scalar] | None:
    """How a field of this type becomes JSON; None for what is JSON already."""
    if name.endswith("_ns"):
        return str
    kinds = get_args(kind) or (kind,)
    return next((written for of, written in BY_TYPE.items() if of in kinds), None)


BY_TYPE: dict[Any, Callable[[Any], Scalar]] = {
    int: exact,
    bytes: bytes.hex,
    UUID: str,
    datetime: lambda value: str(to_us(value)),
}
TYPES = get_type_hints(RunRow)
WRITERS = tuple(
    (place, written) for place, name in enumerate(WRITTEN) if (written := _writer(name, TYPES[name])) is not None
)
WrittenRun = defstruct("WrittenRun", [(name, Scalar) for name in WRITTEN], gc=False)
_values = attrgetter(*WRITTEN)


def attributes_digest(run: RunRow) -> str:
    """What a seal says of a run's attributes: their commitment, or their SHA-256 where the run has no salt.

    The first is marked, so that neither passes for the other. Of erased ones it is what was said while they were there.
    """
    if run.attributes is None:
        return run.attributes_digest or ""
    committed = commitment(run.salt, run.attributes).hex()
    return committed if run.salt is None else f"salted:{committed}"


def run_record(run: RunRow) -> bytes:
    """The run's sealed fields as canonical JSON: times as decimal strings, bytes as their hex, attributes committed."""
    values = list(_values(run))
    values[ATTRIBUTES] = attributes_digest(run)
    for place, written in WRITERS:
        value = values[place]
        if value is not None and type(value) is not str:  # text, which only an edit can have put there, is text
            values[place] = written(value)
    return encode(WrittenRun(*values))


def needs_seal(run: RunRow, previous: SealRecord | None, new_hashes: Sequence[bytes]) -> bool:
    """Whether anything that a completed run's latest seal commits to has changed since."""
    return (
        previous is None
        or bool(new_hashes)
        or previous.evidence_head != run.evidence_head
        or previous.run_record != run_record(run)
    )


def build_seal(run: RunRow, previous: SealRecord | None, new_hashes: Sequence[bytes], now: datetime) -> SealRecord:
    """The run's next seal; `new_hashes` are the steps since the one before, in order of assignment.

    The run's evidence count and head are taken from its row, which must be up to date.
    """
    seal = SealRecord(
        run_key=run.id,
        version=1 if previous is None else previous.version + 1,
        step_count=len(new_hashes) + (0 if previous is None else previous.step_count),
        step_hashes=b"".join(new_hashes),
        run_record=run_record(run),
        evidence_count=run.evidence_count,
        evidence_head=run.evidence_head,
        prev_seal_hash=GENESIS if previous is None else previous.seal_hash,
        seal_hash=b"",
        sealed_at=now,
    )
    return structs.replace(seal, seal_hash=seal_hash(seal))
