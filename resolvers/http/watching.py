"""What lasts longer than a request, a socket or a stream, ends before the server does, and soon after its key.

The key is looked up four times a second; the authenticator remembers it for one, so a refusal is noticed within two.
"""

import asyncio
from typing import Final

from resolvers.http.auth import Authenticator
from spine.contracts.errors import HocError, Unauthenticated, Unavailable

EVERY_S: Final = 0.25
PATIENCE_S: Final = 10.0
"""How long a key may go unverified because the database does not answer; nobody can revoke one meanwhile either."""


async def refusal(authenticator: Authenticator, presented: str, request_id: str) -> HocError:
    """Wait until the key may not be used any more, and answer why: Unauthenticated, KeyFrozen or Unavailable."""
    loop = asyncio.get_running_loop()
    verified = loop.time()
    while True:
        await asyncio.sleep(EVERY_S)
        if authenticator.stopping:
            return Unavailable("the server is stopping; resume at another")
        try:
            await authenticator.holder(presented, request_id)
        except Unauthenticated as error:
            return error
        except HocError:
            if loop.time() - verified > PATIENCE_S:
                return Unavailable("the key could not be verified")
        else:
            verified = loop.time()
