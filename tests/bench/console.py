"""The console query as requests of both servers, and the check that both answer the same."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from msgspec import Struct

from tests.bench.load import ask, post
from tests.bench.serving import ROOT, Server

QUERY = (ROOT / "schema/operations/console.graphql").read_text(encoding="utf-8")
MOMENTS = frozenset({"computedAt", "verifiedAt"})


class AnswersDifferError(Exception):
    """The two servers answer the same query differently, or not as the benchmark needs."""


class Compared(Struct, frozen=True):
    """What was equal: how many runs by their proof's verdict, and an answer's length."""

    verdicts: dict[str, int]
    answer_bytes: int


def console_body(first: int) -> bytes:
    """The query with its variables."""
    return orjson.dumps({"query": QUERY, "variables": {"first": first}})


def console_requests(keys: Sequence[str], first: int) -> list[bytes]:
    """One request a tenant."""
    body = console_body(first)
    return [post("/graphql", key, body) for key in keys]


async def check_equal(servers: Sequence[Server], requests: Sequence[bytes]) -> Compared:
    """Ask both for every tenant's page; AnswersDifferError at the first difference, or where a proof fails."""
    verdicts: Counter[str] = Counter()
    answer_bytes = 0
    for request in requests:
        bodies = [await ask(server, request) for server in servers]
        answer_bytes = len(bodies[0])
        pages = [_without_moments(orjson.loads(body)) for body in bodies]
        pages[0].pop("extensions", None)  # what it cost, which only ours says
        for page in pages[1:]:
            where = difference(pages[0], page)
            if where is not None:
                raise AnswersDifferError(where)
        verdicts.update(_verdict(edge["node"]) for edge in pages[0]["data"]["runs"]["edges"])
    return Compared(dict(verdicts), answer_bytes)


def _verdict(run: Any) -> str:
    """The verdict on a run; one that has ended must be VERIFIED, else the benchmark verifies nothing."""
    integrity = run["proof"]["integrity"]
    verdict = str(integrity["verificationStatus"])
    if verdict != "VERIFIED" and run["state"] == "COMPLETED":
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
