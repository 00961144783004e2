"""The access log."""

from datetime import datetime

import strawberry

from schema.account import actor as _actor  # noqa: F401 - a record holds an actor
from schema.batched import batched
from schema.contract import contract_type
from schema.inputs import contract_input, optional, optional_id
from spine.contracts import access_log


@contract_type(access_log.AccessBatch, name="AccessBatch")
class AccessBatch:
    """Records that were written together; the tenant's log holds the batch's hash as a leaf."""


@contract_type(access_log.AccessRecord, name="AccessRecord", ids=("run_ids",))
class AccessRecord:
    """One request that read runs: who, when, which of them, and whether payloads too. It is never changed."""

    batch: AccessBatch | None = batched(
        "logs.access_batches",
        key="batch_key",
        description="The batch that it was written in, and whether that is as it was written.",
    )


@contract_input(access_log.AccessFilter, name="AccessFilter")
class AccessFilter:
    """Which access records are wanted; a given field must hold. A search by run is best narrowed by time."""

    run_id: strawberry.ID | None = optional_id("run_key", "Run", "That read this run, among the first 100.")
    actor_id: str | None = optional("By this actor.")
    key_id: str | None = optional("With this key.")
    payloads: bool | None = optional("That read payloads, or none.")
    read_after: datetime | None = optional("Read at this time or later.")
    read_before: datetime | None = optional("Read before this time.")
