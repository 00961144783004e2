"""What each hashed record has for fields, and of what kind: read from the types that records are kept and written as.

A reader of bundles refuses a record with a field too many or too few, or of another kind, before it looks at a hash:
what is signed is not thereby well-formed. A field that was added later may be missing, for records from before it are
written without it; where it is there, it says something.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args, get_type_hints
from uuid import UUID

from msgspec import Struct, UnsetType

from spine.contracts.records import SealRecord, StepRecord
from spine.services.canonical_json import MAX_SAFE_INTEGER, Scalar
from spine.services.clock import to_us
from spine.services.proof.hashing import EVIDENCE_WRITERS
from spine.services.proof.leaves import LEDGER_COLUMNS
from spine.services.proof.written import WrittenSeal, WrittenStep

Check = Callable[[Scalar], bool]

HEX = re.compile(r"(?:[0-9a-f]{2})*")
DECIMAL = re.compile(r"-?[1-9][0-9]{0,29}|0")
FIRST_US, LAST_US = to_us(datetime.min.replace(tzinfo=UTC)), to_us(datetime.max.replace(tzinfo=UTC))
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class NotARecord(ValueError):
    """A record with fields that its kind has not; the message names the first."""


class Shape(NamedTuple):
    """The fields of one kind of record as JSON."""

    name: str
    checks: Mapping[str, Check]
    needed: frozenset[str]

    def demand(self, record: Mapping[str, Scalar]) -> None:
        """Refuse a record that is not of this kind; raises NotARecord."""
        for missing in sorted(self.needed - record.keys()):
            raise NotARecord(f"field {missing} is missing")
        for name, value in record.items():
            check = self.checks.get(name)
            if check is None:
                raise NotARecord(f"unknown field {name[:80]!r}")
            if not check(value):
                raise NotARecord(f"field {name} holds what no {self.name} holds there")


def shape_of(record: type[Struct], written: type[Struct]) -> Shape:
    """The fields of a record that is written as this other Struct; UnsetType marks those that were added later."""
    kinds: dict[str, Any] = {"prev_hash": bytes, **get_type_hints(record)}
    checks: dict[str, Check] = {}
    needed = set()
    for name, kind in get_type_hints(written).items():
        checks[name] = _named(record) if name == "record" else _check(name, kinds[name])
        if UnsetType in get_args(kind):
            checks[name] = _said(checks[name])
        else:
            needed.add(name)
    return Shape(record.__name__, checks, frozenset(needed))


def _check(name: str, kind: Any) -> Check:
    """How a field of this type is written; see `spine.services.proof.hashing`."""
    kinds = get_args(kind) or (kind,)
    written = _is_decimal if name.endswith("_ns") else next(check for of, check in CHECKS if issubclass(kinds[0], of))
    return (lambda value: value is None or written(value)) if type(None) in kinds else written


def _said(check: Check) -> Check:
    """Of a field that is left out where there is nothing to say."""
    return lambda value: value is not None and value is not False and check(value)


def _named(record: type[Struct]) -> Check:
    return lambda value: value == record.__name__


def _is_text(value: Scalar) -> bool:
    return type(value) is str


def _is_flag(value: Scalar) -> bool:
    return type(value) is bool


def _is_hex(value: Scalar) -> bool:
    return type(value) is str and HEX.fullmatch(value) is not None


def _is_key(value: Scalar) -> bool:
    return type(value) is str and KEY.fullmatch(value) is not None


def _is_decimal(value: Scalar) -> bool:
    return type(value) is str and DECIMAL.fullmatch(value) is not None


def _is_instant(value: Scalar) -> bool:
    """Microseconds that a calendar shows."""
    return type(value) is str and _is_decimal(value) and FIRST_US <= int(value) <= LAST_US


def _is_integer(value: Scalar) -> bool:
    """An integer, beyond what JSON readers keep its decimal text."""
    return type(value) is int or (type(value) is str and _is_decimal(value) and abs(int(value)) > MAX_SAFE_INTEGER)


CHECKS: tuple[tuple[type, Check], ...] = (
    (bool, _is_flag),
    (int, _is_integer),
    (str, _is_text),
    (bytes, _is_hex),
    (UUID, _is_key),
    (datetime, _is_instant),
)

STEP = shape_of(StepRecord, WrittenStep)
SEAL = shape_of(SealRecord, WrittenSeal)
EVIDENCE = {
    kind.__name__: shape_of(kind, get_type_hints(writer)["return"]) for kind, writer in EVIDENCE_WRITERS.items()
}

MAYBE_TEXT = frozenset({"actor_id", "actor_name", "reason", "before_state", "after_state"})
ENTRY_CHECKS: Mapping[str, Check] = {
    **{name: lambda value: value is None or _is_text(value) for name in MAYBE_TEXT},
    **dict.fromkeys(LEDGER_COLUMNS - MAYBE_TEXT, _is_text),
    "id": _is_key,
    "created_at": _is_instant,
}
LEDGER_ENTRY = Shape("ledger entry", ENTRY_CHECKS, LEDGER_COLUMNS)

LEAF_CHECKS: Mapping[str, Check] = {"hash": _is_hex, "id": _is_key, "kind": _is_text, "version": _is_integer}
LEAF = Shape("leaf", LEAF_CHECKS, frozenset(LEAF_CHECKS))
