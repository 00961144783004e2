"""How HTTP says that a GraphQL request was refused before it was executed, where the media type lets it."""

import math
from collections.abc import Mapping
from typing import Any, Final

from resolvers.http.requests import STATUS
from spine.contracts.errors import ErrorCode

BAD_REQUEST: Final = 400
LATER: Final = (ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE, ErrorCode.EXECUTION_TIMEOUT)
"""Refusals that are not the document's fault: they have their own status; any other is a 400."""


def refusal_status(answer: Any) -> int:
    """The status of a GraphQL answer that has no data."""
    codes = [details.get("code") for details in _details(answer)]
    return next((STATUS[code] for code in LATER if code in codes), BAD_REQUEST)


def retry_headers(answer: Any) -> dict[str, str]:
    """When to come again, in whole seconds, for a key whose budget is empty."""
    waits = [details["retryAfterMs"] for details in _details(answer) if "retryAfterMs" in details]
    return {"retry-after": str(math.ceil(max(waits) / 1_000))} if waits else {}


def _details(answer: Any) -> list[Mapping[str, Any]]:
    """The extensions of the answer's errors."""
    return [error.get("extensions", {}) for error in answer.get("errors", ())]
