"""The tenant's log under kill -9: writers report runs, the server dies at random moments, and nothing forks or is lost.

HOC_HAMMER=1 takes 500 runs from each of 8 writers through 10 kills, where the suite takes a few through one.
"""

import asyncio
import os
import random
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from spine.services.ids import tenant_id_of
from spine.services.proof.checkpoint import Checkpoint
from spine.services.proof.note import Verifier, open_note
from spine.storage.embedded import EmbeddedPostgres
from tests.integration.test_durability import a_span
from tests.resolvers.cli.processes import Server, hoc
from tests.spine.orchestrator.logged import assert_whole, checkpoints_of, leaves_of, root_of, rows_of
from tests.spine.orchestrator.reported import trace_id

HAMMER = os.environ.get("HOC_HAMMER") == "1"
WRITERS = 8
RUNS_EACH = 500 if HAMMER else 25
KILLS = 10 if HAMMER else 1
TENANT = tenant_id_of("acme")
CHECKPOINT = "{ logCheckpoint { note vkey } }"
COVERED = """SELECT 1 FROM log_heads WHERE tenant_id = $1 AND signed_size = tree_size
    AND NOT EXISTS (SELECT 1 FROM log_pending p WHERE p.tenant_id = $1)"""
SEALED = """SELECT r.trace_id FROM runs r JOIN log_leaves l
    ON (l.tenant_id, l.kind, l.subject, l.version) = (r.tenant_id, 'SEAL', r.id, r.seal_version)
    WHERE r.tenant_id = $1 AND r.state = 'COMPLETED'"""


class Writers:
    """Eight writers that send runs until each is acknowledged, and a reader who keeps every checkpoint that it sees."""

    def __init__(self, key: str) -> None:
        self.headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self.waiting = deque(range(1, WRITERS * RUNS_EACH + 1))
        self.acknowledged: set[int] = set()
        self.kept: dict[str, str] = {}
        self.unanswered = 0
        self.kill_at = 0
        self.reached = asyncio.Event()

    async def work(self, server: Server, kill_at: int | None = None, moment_s: float = 0) -> None:
        """Send what waits; with so many runs acknowledged, and a moment later, the server is killed."""
        url = server.url
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
            reader = asyncio.ensure_future(self._read(client))
            writers = [asyncio.ensure_future(self._write(client)) for _ in range(WRITERS)]
            if kill_at is not None:
                self.kill_at, self.reached = kill_at, asyncio.Event()
                await self.reached.wait()
                await asyncio.sleep(moment_s)
                server.process.kill()
            await asyncio.gather(*writers)
            reader.cancel()

    async def _write(self, client: httpx.AsyncClient) -> None:
        while self.waiting:
            run = self.waiting.popleft()
            body = {"resourceSpans": [{"scopeSpans": [{"spans": [a_span(run, number) for number in range(1, 4)]}]}]}
            try:
                answer = await client.post("/v1/traces", content=orjson.dumps(body), headers=self.headers)
            except httpx.HTTPError:
                self.unanswered += 1
                self.waiting.append(run)
                return
            assert answer.status_code in {200, 429, 503}, answer.text
            if answer.status_code == 200:
                self.acknowledged.add(run)
                if len(self.acknowledged) >= self.kill_at:
                    self.reached.set()
            else:
                self.waiting.append(run)

    async def _read(self, client: httpx.AsyncClient) -> None:
        while True:
            try:
                answer = await client.post("/graphql", json={"query": CHECKPOINT}, headers=self.headers)
            except httpx.HTTPError:
                return
            found: Any = answer.json()["data"]["logCheckpoint"] if answer.status_code == 200 else None
            if found is not None:
                self.kept[found["note"]] = found["vkey"]
            await asyncio.sleep(0.1)


@contextmanager
def database(data_dir: Path) -> Iterator[dict[str, Any]]:
    """How the superuser reaches the installation's database, which runs for the length of the block."""
    with EmbeddedPostgres.start(data_dir) as held:
        yield dict(held.connection("postgres").asyncpg_arguments())


async def covered(superuser: dict[str, Any]) -> None:
    """Wait until nothing waits and everything is signed."""
    deadline = time.monotonic() + 60
    while not await rows_of(superuser, COVERED, TENANT):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def test_kills_at_random_moments_leave_one_log_that_holds_every_acknowledged_run(tmp_path: Path) -> None:
    chance = random.Random(8)  # noqa: S311 - moments that can be had again
    data_dir = tmp_path / "hoc"
    began = time.monotonic()
    with Server(data_dir, HOC_LOG_LEVEL="error") as server:
        writers = Writers(server.new_key())
    for kill in range(1, KILLS + 1):
        with Server(data_dir, HOC_LOG_LEVEL="error") as server:
            enough = WRITERS * RUNS_EACH * kill // (KILLS + 2)
            asyncio.run(writers.work(server, enough, chance.uniform(0, 0.4)))
    assert writers.unanswered
    assert writers.waiting, "the kills came while runs were being written"
    with Server(data_dir, HOC_LOG_LEVEL="error") as server, database(data_dir) as superuser:
        asyncio.run(writers.work(server))
        asyncio.run(covered(superuser))
        assert "log.refused" not in server.stderr
        if HAMMER:
            assert hoc("log", "verify", "--tenant", "acme", "--data-dir", data_dir).returncode == 0
    with database(data_dir) as superuser:
        size, checkpoints, sealed = asyncio.run(judge(superuser, writers.kept))
    assert sealed == {trace_id(run) for run in writers.acknowledged}
    assert len(writers.acknowledged) == WRITERS * RUNS_EACH
    print(
        f"{len(sealed)} runs, {size} leaves, {checkpoints} checkpoints, {len(writers.kept)} kept, {KILLS} kills, "
        f"{writers.unanswered} requests unanswered, {time.monotonic() - began:.0f} s"
    )


async def judge(superuser: dict[str, Any], kept: dict[str, str]) -> tuple[int, int, set[str]]:
    """The size of the log, the number of checkpoints, and the traces whose seals are in it; all of it holds."""
    size = await assert_whole(superuser, TENANT)
    leaves = await leaves_of(superuser, TENANT)
    for note, vkey in kept.items():
        seen = Checkpoint.parse(open_note(note, [Verifier.parse(vkey)]).text)
        assert seen.root == root_of(leaves[: seen.size]), "what was seen while it went on is what there is"
    checkpoints = await checkpoints_of(superuser, TENANT)
    assert checkpoints[-1].size == size
    return size, len(checkpoints), {row[0] for row in await rows_of(superuser, SEALED, TENANT)}
