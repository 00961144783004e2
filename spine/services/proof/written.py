"""Records as they are hashed: each a Struct whose fields stand in the order of canonical JSON, made by position.

Measured against dicts and orjson on a page of 50 runs: two thirds of the time, since names are neither looked up nor
written anew for every record. What `encode` writes of text, integers, booleans and null is what orjson writes.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct, UnsetType

encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class WrittenStep(Struct, gc=False):
    """A step: digests in hex, nanosecond times as decimal text.

    `salted` is left out where it is false, so that steps from before there were salts are written as they always were.
    """

    attributes_digest: str
    cost_micro_usd: int | None
    ended_ns: str
    finish_reason: str | None
    input_digest: str | None
    input_tokens: int | None
    kind: str
    marked: bool
    model: str | None
    name: str
    outcome_code: str | None
    output_digest: str | None
    output_tokens: int | None
    parent_span_id: str | None
    prev_hash: str
    price_version: str | None
    provider: str | None
    provider_type: str
    response_id: str | None
    salted: bool | UnsetType
    skill_name: str
    span_digest: str
    span_id: str
    started_ns: str
    status: str
    status_message: str | None
    step_index: int
    trace_id: str


class WrittenEvaluation(Struct, gc=False):
    """What a rule said; instants as microseconds in decimal text, integers as `exact` has them.

    A record of before engines were recorded has no such name.
    """

    count: int | str
    engine: str | UnsetType
    evaluated_at: str
    evidence_index: int | str
    facts: str
    id: str
    outcome: str
    phase: str
    prev_hash: str
    reason: str
    record: str
    rule_digest: str
    rule_id: str
    rule_name: str
    rule_version: int | str
    run_key: str
    step_index: int | str | None


class WrittenBreach(Struct, gc=False):
    """A limit that was reached."""

    breached_at: str
    breached_value: int | str
    cleared: bool
    evidence_index: int | str
    id: str
    level: str
    limit_id: str
    limit_name: str
    limit_type: str
    prev_hash: str
    record: str
    run_key: str
    threshold_value: int | str


class WrittenDecision(Struct, gc=False):
    """A decision that changed a run."""

    decided_at: str
    decision_type: str
    evidence_index: int | str
    id: str
    outcome: str
    prev_hash: str
    reason: str
    record: str
    run_key: str
    subject_id: str
    subject_name: str


class WrittenEnvironment(Struct, gc=False):
    """Attributes of an environment that were captured afterwards."""

    attributes: str
    captured_at: str
    evidence_index: int | str
    id: str
    prev_hash: str
    record: str
    run_key: str
    trace_id: str


class WrittenSeal(Struct, gc=False):
    """A seal: hashes and the run's record in hex."""

    evidence_count: int | str
    evidence_head: str
    prev_seal_hash: str
    record: str
    run_key: str
    run_record: str
    sealed_at: str
    step_count: int | str
    step_hashes: str
    version: int | str
