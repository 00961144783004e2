"""Whether the process lives (`/healthz`), and whether it can serve (`/readyz`)."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from spine.bootstrap import Runtime


class Health:
    """Both answers; neither needs a key, and neither says more than a load balancer asks."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def alive(self, _request: Request) -> Response:
        """200 as long as the process answers."""
        return _answer(200, "alive")

    async def ready(self, _request: Request) -> Response:
        """200, or 503 with the reason: the database is unreachable, migrations pend, or the server is stopping."""
        reason = await self._runtime.ready()
        return _answer(200, "ready") if reason is None else _answer(503, reason)


def _answer(status: int, text: str) -> Response:
    return Response(
        orjson.dumps({"status": text}), status, {"cache-control": "no-store"}, media_type="application/json"
    )
