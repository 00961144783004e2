"""Exports of runs and incidents as canonical JSON: names as the API has them, keys sorted, no spaces.

What the API does not show, a record's own keys, is not there either.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from msgspec import Struct

EXPORT_FORMAT = "hoc-spine/export@v1"

Shown = dict[str, Any]
"""JSON: objects, lists, text, numbers, booleans, null."""


def shown(value: object) -> Any:
    """A contract's object as the API shows it: exact decimals and times as text."""
    if isinstance(value, Struct):
        names = [name for name in value.__struct_fields__ if name != "key" and not name.endswith("_key")]
        return {camel(name): shown(getattr(value, name)) for name in names}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shown(one) for one in value]
    return value


def camel(name: str) -> str:
    """A field's name as GraphQL has it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def encode_export(document: Mapping[str, Any]) -> str:
    """The document's canonical text, with a line's end."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode() + "\n"
