"""JSON as records are written, and no other: one flat object, each key once, in canonical form (RFC 8785).

Two readers of one text must never see two records, so whatever readers are known to differ about is refused with the
reason: repeated keys, NaN and Infinity, fractions, integers that a double rounds, halves of surrogate pairs, nesting.
"""

import json
from collections.abc import Sequence
from typing import NoReturn

from spine.services.canonical_json import MAX_SAFE_INTEGER, Scalar, canonical

SCALARS = (str, int, bool, type(None))
LONGEST_INTEGER = len(str(-MAX_SAFE_INTEGER))


class NotStrict(ValueError):
    """JSON that is refused; the message says what is wrong with it."""


def read_object(text: str) -> dict[str, Scalar]:
    """The object that stands in the text; raises NotStrict."""
    try:
        found = DECODER.decode(text)
    except NotStrict:
        raise
    except RecursionError:
        raise NotStrict("nested too deeply") from None
    except ValueError as error:
        raise NotStrict(f"not JSON: {error}") from None
    if type(found) is not dict:
        raise NotStrict("not an object")
    _demand_scalars(found)
    if canonical(found).decode() != text:
        raise NotStrict("not canonical JSON: spaces, the order of the keys, or a number or text in another spelling")
    return found


def _demand_scalars(found: dict[str, Scalar]) -> None:
    for name, value in found.items():
        if type(value) not in SCALARS:
            raise NotStrict(f"nested value of {name[:80]!r}")
        for text in (name, value):
            if type(text) is str and not text.isascii():
                _demand_whole_characters(text)


def _demand_whole_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotStrict("lone surrogate: half a character") from None


def _unique(pairs: Sequence[tuple[str, Scalar]]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for name, value in pairs:
        if name in found:
            raise NotStrict(f"duplicate key {name[:80]!r}")
        found[name] = value
    return found


def _integer(text: str) -> int:
    if len(text) > LONGEST_INTEGER or not -MAX_SAFE_INTEGER <= int(text) <= MAX_SAFE_INTEGER:
        raise NotStrict(f"integer beyond ±(2^53 - 1): {text[:40]}")
    return int(text)


def _no_fraction(text: str) -> NoReturn:
    raise NotStrict(f"not an integer: {text[:40]}")


def _no_constant(text: str) -> NoReturn:
    raise NotStrict(f"not a number: {text}")


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_integer,
    parse_float=_no_fraction,
    parse_constant=_no_constant,
)
