"""What is asked of which server, and the check that all of them answer the same."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct

from tests.bench.load import ask, post
from tests.bench.serving import ORDINARY, OURS, ROOT, Server

QUERY = (ROOT / "schema/operations/console.graphql").read_text(encoding="utf-8")
PLAIN_QUERY = re.sub(r", \$(after|filter): \w+|(after|filter): \$\w+, ", "", QUERY)
NODE = QUERY[QUERY.index("node {") + 6 : QUERY.rindex("} }\n  }")]
RUN_QUERY = f"query Run($id: ID!) {{ run(id: $id) {{ {NODE} }} }}"
RUNS_ASKED = 5
MOMENTS = frozenset({"computedAt", "verifiedAt"})

Requests = Mapping[str, Sequence[bytes]]
"""By a server's name: what it is sent in turn."""


class AnswersDifferError(Exception):
    """Two servers answer the same query differently, or not as the benchmark needs."""


class Compared(Struct, frozen=True):
    """What was equal: how many runs by their proof's verdict, and an answer's length."""

    verdicts: dict[str, int]
    answer_bytes: int


def console_body(first: int, query: str = QUERY) -> bytes:
    """The query with its variables."""
    return orjson.dumps({"query": query, "variables": {"first": first}})


def page_requests(servers: Sequence[Server], keys: Sequence[str], first: int) -> Requests:
    """The console's page, one request a tenant; the ordinary server knows no filter."""
    asked = {server.name: PLAIN_QUERY if server.name == ORDINARY else QUERY for server in servers}
    return {name: [post("/graphql", key, console_body(first, query)) for key in keys] for name, query in asked.items()}


async def run_requests(servers: Sequence[Server], keys: Sequence[str]) -> Requests:
    """Single runs, some of each tenant's newest."""
    asked: dict[str, list[bytes]] = {server.name: [] for server in servers}
    for key in keys:
        page = orjson.loads(await ask(servers[0], post("/graphql", key, console_body(LIVE + RUNS_ASKED))))
        for edge in page["data"]["runs"]["edges"][LIVE:]:
            body = orjson.dumps({"query": RUN_QUERY, "variables": {"id": edge["node"]["id"]}})
            for name, requests in asked.items():
                requests.append(post("/graphql" if name == OURS else "/run", key, body))
    return asked


LIVE = 2
"""The newest runs of each tenant are live and have nothing to verify."""


async def check_equal(servers: Sequence[Server], requests: Requests) -> Compared:
    """Send all servers all requests; AnswersDifferError at the first difference, or where a proof fails."""
    verdicts: Counter[str] = Counter()
    answer_bytes = 0
    for number in range(len(requests[servers[0].name])):
        bodies = [await ask(server, requests[server.name][number]) for server in servers]
        answer_bytes = len(bodies[0])
        answers = [_without_moments(orjson.loads(body)) for body in bodies]
        answers[0].pop("extensions", None)  # what it cost, which only ours says
        for server, answer in zip(servers[1:], answers[1:], strict=True):
            where = difference(answers[0], answer)
            if where is not None:
                raise AnswersDifferError(f"{servers[0].name} and {server.name}: {where}")
        verdicts.update(_verdict(run) for run in _runs(answers[0]["data"]))
    return Compared(dict(verdicts), answer_bytes)


def _runs(answered: Any) -> list[Any]:
    return [answered["run"]] if "run" in answered else [edge["node"] for edge in answered["runs"]["edges"]]


def _verdict(run: Any) -> str:
    """The verdict on a run; one that has ended must be VERIFIED and in the log, else the benchmark verifies nothing."""
    integrity = run["proof"]["integrity"]
    verdict = str(integrity["verificationStatus"])
    proved = verdict == "VERIFIED" and integrity["model"] == "MERKLE_TREE"
    if not proved and run["state"] == "COMPLETED":
        raise AnswersDifferError(f"a run of the fleet does not verify: {integrity}")
    return verdict


def difference(one: Any, other: Any, path: str = "$") -> str | None:
    """The first place at which two JSON values differ; None when they are equal."""
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        found = (difference(one[name], other[name], f"{path}.{name}") for name in one)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        found = (difference(*pair, f"{path}[{place}]") for place, pair in enumerate(zip(one, other, strict=True)))
    else:
        return None if type(one) is type(other) and one == other else f"{path}: {one!r} is not {other!r}"
    return next((where for where in found if where is not None), None)


def _without_moments(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_moments(item) for name, item in value.items() if name not in MOMENTS}
    return [_without_moments(item) for item in value] if isinstance(value, list) else value
