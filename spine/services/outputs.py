"""Outputs as replay compares them: by the commitment to their canonical form, under the salt of the recorded step.

A JSON document is canonical with sorted keys and without blanks, so that only what it says counts; whatever JSON
readers would not all read alike (repeated names, NaN, integers beyond ±(2^53-1), lone surrogates) is compared by its
exact bytes, as is any other text.
"""

import json
from typing import Any

from spine.services.canonical_json import MAX_SAFE_INTEGER
from spine.services.commitments import commitment


def canonical_output(content: bytes) -> bytes:
    """The canonical form of an output; the bytes themselves when they are no JSON that all readers read alike."""
    try:
        value = json.loads(
            content.decode(), object_pairs_hook=_object, parse_int=_integer, parse_constant=_refuse, parse_float=_number
        )
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return content


def output_hash(salt: bytes | None, content: bytes) -> str:
    """The commitment to the canonical form, hex: kept with a divergence, it must not outlive the output as a digest."""
    return commitment(salt, canonical_output(content)).hex()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _integer(text: str) -> int:
    number = int(text)
    if abs(number) > MAX_SAFE_INTEGER:
        raise ValueError("an integer that readers would round")
    return number


def _number(text: str) -> float:
    number = float(text)
    if repr(number) != text:
        raise ValueError("a number that is not written in its shortest form")
    return number


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
