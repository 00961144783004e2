"""What verification alone costs: one tenant's page, read once, verified again and again in this process."""

import time

import asyncpg
from msgspec import Struct

from spine.services.ids import tenant_id_of
from spine.services.proof.hashing import step_hash
from spine.services.proof.verify import verify_run
from tests.bench.hand_written import read_below
from tests.bench.hand_written_answer import stored_runs
from tests.bench.hand_written_sql import BEGIN, RUNS
from tests.bench.place import Place

REPEATED = 20


class Verification(Struct, frozen=True):
    """Microseconds of processor time: a run with its steps, evidence and seal, that by step, and a step's hash."""

    runs: int
    steps: int
    us_per_run: float
    us_per_step: float
    us_per_step_hash: float


async def verification(place: Place, tenant: str, first: int) -> Verification:
    """The best of some repetitions."""
    tenant_id = tenant_id_of(tenant)
    connection = await asyncpg.connect(**place.connect)
    try:
        await connection.execute(BEGIN.format(tenant_id))
        runs = await connection.fetch(RUNS, tenant_id, first)
        stored = stored_runs(await read_below(connection, tenant_id, runs, len(runs), first))
    finally:
        await connection.close()
    steps = [step for run in stored for _, step in run.steps if step is not None]
    whole, hashes = [], []
    for _ in range(REPEATED):
        began = time.process_time()
        for run in stored:
            verify_run(tenant_id, run)
        between = time.process_time()
        for step in steps:
            step_hash(step)
        whole.append(between - began)
        hashes.append(time.process_time() - between)
    return Verification(
        runs=len(stored),
        steps=len(steps),
        us_per_run=1e6 * min(whole) / len(stored),
        us_per_step=1e6 * min(whole) / max(len(steps), 1),
        us_per_step_hash=1e6 * min(hashes) / max(len(steps), 1),
    )
