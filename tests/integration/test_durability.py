"""Acknowledged is durable: server and PostgreSQL are killed again and again under load; nothing is lost or doubled.

HOC_HAMMER=1 kills 20 times, the suite 8 times.

Whatever was not acknowledged is sent again after the restart, also what had been committed before the answer was lost.
"""

import asyncio
import os
import random
import signal
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.resolvers.cli.processes import Server
from tests.spine.orchestrator.reported import MS, START_NS, span_id, trace_id
from tests.spine.storage.embedded.processes import is_running, postmaster_pid, wait_for

KILLS = 20 if os.environ.get("HOC_HAMMER") == "1" else 8
WORKERS = 4
EXPORTS_PER_RUN = 4
STEPS_PER_EXPORT = 4
STEPS = EXPORTS_PER_RUN * STEPS_PER_EXPORT - 1  # one of the spans is the agent's
TOKENS = 10

PAGE = """query($after: String) { runs(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes {
    traceId stepCount inputTokens incidentCount proof { integrity { verificationStatus chainLength } } } } }"""


def attribute(key: str, value: str | int) -> dict[str, Any]:
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def a_span(trace: int, number: int) -> dict[str, Any]:
    """Span 1 of a trace is its agent, every other a model call of it."""
    said = [attribute("gen_ai.operation.name", "invoke_agent"), attribute("gen_ai.agent.name", "survivor")]
    if number > 1:
        said = [attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.usage.input_tokens", TOKENS)]
    return {
        "traceId": trace_id(trace),
        "spanId": span_id(number),
        "parentSpanId": span_id(1) if number > 1 else "",
        "name": f"span {number}",
        "startTimeUnixNano": str(START_NS + number * MS),
        "endTimeUnixNano": str(START_NS + (number + 1) * MS),
        "attributes": said,
    }


@dataclass
class Load:
    """Senders that never give up: what is not acknowledged stays in the queue."""

    key: str
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    unanswered: Counter[str] = field(default_factory=Counter)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    runs: int = 0

    def next_export(self) -> tuple[int, int]:
        """A run and the number of its export; runs are begun as they are needed."""
        if not self.waiting:
            self.runs += 1
            self.waiting.extend((self.runs, part) for part in range(EXPORTS_PER_RUN))
        return self.waiting.popleft()

    async def send(self, client: httpx.AsyncClient, export: tuple[int, int]) -> bool:
        """Send once; whether it was acknowledged."""
        run, part = export
        numbers = range(part * STEPS_PER_EXPORT + 1, (part + 1) * STEPS_PER_EXPORT + 1)
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [a_span(run, number) for number in numbers]}]}]}
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        try:
            answer = await client.post("/v1/traces", content=orjson.dumps(body), headers=headers)
        except httpx.HTTPError as error:
            self.unanswered[type(error).__name__] += 1
            return False
        if answer.status_code != 200:
            self.unanswered[str(answer.status_code)] += 1
            assert answer.status_code in {429, 503}, answer.text
            assert answer.headers["retry-after"]
            return False
        assert orjson.loads(answer.content) == {}
        self.acknowledged.append(export)
        self.answered.set()
        return True

    async def work(self, client: httpx.AsyncClient, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            export = self.next_export()
            if not await self.send(client, export):
                self.waiting.appendleft(export)
                await asyncio.sleep(0.02)

    async def until_killed(self, url: str, kill: Any, after: float) -> None:
        """Send from all workers; `kill` comes so many seconds after the first answer, and a moment later they stop."""
        stopped = asyncio.Event()
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
            self.answered = asyncio.Event()
            workers = [asyncio.ensure_future(self.work(client, stopped)) for _ in range(WORKERS)]
            await self.answered.wait()
            await asyncio.sleep(after)
            kill()
            await asyncio.sleep(0.05)
            stopped.set()
            await asyncio.gather(*workers)

    async def finish(self, url: str) -> None:
        """Send what is left."""
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
            while self.waiting:
                export = self.waiting.popleft()
                assert await self.send(client, export)


def kill_postgres(server: Server) -> None:
    """Kill -9 of the postmaster; its backends notice and die."""
    os.kill(postmaster_pid(server.data_dir / "postgres"), signal.SIGKILL)


def runs_of(server: Server, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        answer = httpx.post(
            f"{server.url}/graphql",
            json={"query": PAGE, "variables": {"after": after}},
            headers={"authorization": f"Bearer {key}"},
            timeout=60,
        ).json()
        page = answer["data"]["runs"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def test_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(20)  # noqa: S311 - moments that can be had again
    data_dir = tmp_path / "hoc"
    victims = ["server", "postgres"] * (KILLS // 2)
    chance.shuffle(victims)
    with Server(data_dir) as first:
        load = Load(first.new_key())
    for victim in victims:
        with Server(data_dir, HOC_LOG_LEVEL="error") as server:
            url = server.url
            kill = server.process.kill if victim == "server" else partial(kill_postgres, server)
            asyncio.run(load.until_killed(url, kill, chance.uniform(0.0, 0.4)))
            server.kill()
    with Server(data_dir) as server:
        asyncio.run(load.finish(server.url))
        found = runs_of(server, load.key)
    assert len(load.acknowledged) == len(set(load.acknowledged)) == load.runs * EXPORTS_PER_RUN > KILLS * 2
    assert sum(load.unanswered.values()) >= KILLS
    assert {run["traceId"] for run in found} == {trace_id(run) for run in range(1, load.runs + 1)}
    assert len(found) == load.runs
    for run in found:
        assert (run["stepCount"], int(run["inputTokens"])) == (STEPS, STEPS * TOKENS)
        integrity = run["proof"]["integrity"]
        assert (integrity["verificationStatus"], integrity["chainLength"]) == ("VERIFIED", STEPS)
    wait_for(lambda: not is_running(data_dir), "PostgreSQL stops with the last server")


def test_a_server_whose_postgres_was_killed_says_so_and_starts_it_again(tmp_path: Path) -> None:
    with Server(tmp_path / "hoc") as server:
        load = Load(server.new_key())
        asyncio.run(load.finish(server.url))
        url = server.url
        assert httpx.get(f"{url}/readyz").status_code == 200
        kill_postgres(server)
        wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 503, "the server says that it is not ready")

        assert httpx.get(f"{url}/healthz").status_code == 200
        wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 200, "the server has started PostgreSQL again")

        async def one() -> bool:
            async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
                return await load.send(client, load.next_export())

        assert asyncio.run(one()) is True
        assert "database.restarted" in server.stderr
    wait_for(lambda: not is_running(tmp_path / "hoc"), "PostgreSQL stops with the server")
