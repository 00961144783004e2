"""Authentication: the bearer key of a request to its principal, before anything of the request is parsed.

A verified principal is kept for a second, so a revoked key is refused within two (one here, one for the statement that
is under way). Keys are remembered by their SHA-256 only. Refusals are kept too, and more briefly, so that a flood of
one wrong key does not reach the database each time.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from resolvers.http.metrics import REFUSALS
from resolvers.observing import note_principal
from spine.bootstrap import Runtime
from spine.contracts.access import Authenticate
from spine.contracts.actors import Principal
from spine.contracts.errors import HocError, Unauthenticated

KEEP_S: Final = 1.0
KEEP_REFUSAL_S: Final = 0.25
MOST: Final = 10_000
MAX_KEY: Final = 200


Refusal = type[Unauthenticated]
"""A refusal is kept by its class: an error that was raised holds what the request it ended had in its hands."""


class Authenticator:
    """Principals by key, each kept for a moment."""

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Principal | Refusal]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Future[Principal | Refusal | HocError]] = {}

    @property
    def stopping(self) -> bool:
        """Whether the server ends what lasts."""
        return self._runtime.stopping

    async def principal(self, request: Request, request_id: str) -> Principal:
        """Who is asking; raises Unauthenticated, KeyFrozen, or Unavailable when the database does not answer."""
        try:
            principal = await self.holder(bearer(request.headers.get("authorization")), request_id)
        except Unauthenticated as refused:
            REFUSALS.labels(refused.code).inc()
            raise
        note_principal(principal)
        return principal

    async def holder(self, presented: str, request_id: str) -> Principal:
        """Whose key this is; raises what `principal` does."""
        digest = hashlib.sha256(presented.encode()).digest()
        until, known = self._known.get(digest, (0.0, Unauthenticated))
        found = known if self._clock() < until else await self._asked_once(presented, digest, request_id)
        if isinstance(found, Principal):
            return found
        raise found

    async def _asked_once(self, presented: str, digest: bytes, request_id: str) -> Principal | Refusal | HocError:
        """What the database says of a key; all who ask at once, such as the sockets of one key, share the answer."""
        asking = self._asking.get(digest)
        if asking is None:
            asking = self._asking[digest] = asyncio.ensure_future(self._ask(presented, digest, request_id))
            asking.add_done_callback(lambda _: self._asking.pop(digest))
        return await asyncio.shield(asking)

    async def _ask(self, presented: str, digest: bytes, request_id: str) -> Principal | Refusal | HocError:
        asked_at = self._clock()
        result = await self._runtime.registry.execute(
            "api_keys.authenticate", Authenticate(presented), None, request_id=request_id
        )
        error = result.error
        if error is not None and not isinstance(error, Unauthenticated):
            return error
        found: Principal | Refusal = result.unwrap() if error is None else type(error)
        keep = KEEP_S if error is None else KEEP_REFUSAL_S
        self._known[digest] = (asked_at + keep, found)
        self._known.move_to_end(digest)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return found


def bearer(authorization: str | None) -> str:
    """The key of `Bearer <key>`; raises Unauthenticated when there is none."""
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key or len(key) > MAX_KEY:
        raise Unauthenticated
    return key
