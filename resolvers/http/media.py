"""Content negotiation as the GraphQL-over-HTTP draft has it: which of our two media types a client prefers.

`application/json` is the answer of old: 200 whatever GraphQL says. `application/graphql-response+json` says by its
status whether the request itself was wrong, so that caches and proxies may trust it.
"""

from typing import Final

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
OFFERED: Final = (JSON, GRAPHQL)


def preferred(accept: str | None) -> str | None:
    """The media type to answer with; None when the client accepts neither. Ties go to application/json."""
    if accept is None or not accept.strip() or accept in (JSON, "*/*"):  # what most clients send
        return JSON
    wanted = [_parsed(part) for part in accept.split(",")]
    weights = {offer: _weight(offer, wanted) for offer in OFFERED}
    best = max(OFFERED, key=lambda offer: weights[offer])
    return best if weights[best] > 0 else None


def names(accept: str) -> set[str]:
    """The media types and ranges that a client names and does accept."""
    return {media_type for media_type, quality in map(_parsed, accept.split(",")) if quality > 0}


def _parsed(part: str) -> tuple[str, float]:
    media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return media_type, _quality(value.strip())
    return media_type, 1.0


def _quality(text: str) -> float:
    """A q-value; what is none counts as not accepted."""
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _weight(offer: str, wanted: list[tuple[str, float]]) -> float:
    """The most specific range that covers the offer decides, as RFC 9110 says."""
    for covering in (offer, f"{offer.partition('/')[0]}/*", "*/*"):
        found = [quality for media_type, quality in wanted if media_type == covering]
        if found:
            return max(found)
    return 0.0
