"""Reads CEL's checked syntax tree out of a compiled expression: which names it resolved, and what evaluating costs.

The CEL runtime offers its tree only serialized (cel.expr.CheckedExpr inside an Any, protobuf wire format), so the few
fields that matter are read here; numbers are those of the public cel-spec `syntax.proto` and `checked.proto`.
"""

import sys
from collections.abc import Iterator, Mapping

from msgspec import Struct

# The numbers of the fields that are read, by message.
ANY_VALUE = 2
CHECKED_REFERENCES, CHECKED_EXPR, CHECKED_SOURCE = 2, 4, 5
SOURCE_POSITIONS = 4
REFERENCE_NAME, REFERENCE_OVERLOADS = 1, 3
EXPR_ID, EXPR_CONSTANT, EXPR_SELECT, EXPR_CALL, EXPR_LIST, EXPR_STRUCT, EXPR_COMPREHENSION = 2, 3, 5, 6, 7, 8, 9
CONSTANT_STRING = 6
CALL_TARGET, CALL_ARGUMENTS = 1, 3
STRUCT_NAME, STRUCT_ENTRIES = 1, 2
ENTRY_KEY, ENTRY_VALUE = 3, 4
COMPREHENSION_RANGE, COMPREHENSION_START, COMPREHENSION_REST = 2, 4, (5, 6, 7)

Wire = int | bytes
Fields = Mapping[int, list[Wire]]


class Call(Struct, frozen=True):
    """A function call: the overloads that it may take, its place, how often it runs at most, and its last argument.

    `times` is None inside a loop over anything but a literal list or map; `literal` is the last argument when it is
    a string literal.
    """

    overloads: frozenset[str]
    offset: int
    times: int | None
    literal: str | None


class CheckedExpression(Struct, frozen=True):
    """The names that the checker resolved, each with its first place in the text, and every call."""

    names: Mapping[str, int]
    calls: tuple[Call, ...]


def read_checked(serialized: bytes) -> CheckedExpression:
    """Read the serialized form of a compiled expression."""
    checked = _fields(_message(_fields(serialized), ANY_VALUE))
    references = {_number(entry, 1): _fields(_message(entry, 2)) for entry in _messages(checked, CHECKED_REFERENCES)}
    source = _fields(_message(checked, CHECKED_SOURCE))
    offsets = {_number(entry, 1): _number(entry, 2) for entry in _messages(source, SOURCE_POSITIONS)}
    names: dict[str, int] = {}
    for key, reference in references.items():
        if REFERENCE_OVERLOADS not in reference:
            name = _message(reference, REFERENCE_NAME).decode()
            names[name] = min(offsets.get(key, 0), names.get(name, sys.maxsize))
    calls = []
    for node, times in _walk(_fields(_message(checked, CHECKED_EXPR))):
        if EXPR_CALL in node:
            key = _number(node, EXPR_ID)
            overloads = frozenset(_bytes(text).decode() for text in references[key].get(REFERENCE_OVERLOADS, ()))
            calls.append(Call(overloads, offsets.get(key, 0), times, _last_literal(node)))
    return CheckedExpression(names, tuple(calls))


def _walk(root: Fields) -> Iterator[tuple[Fields, int | None]]:
    """Every node with how often it is evaluated at most; without recursion, so no tree can be too deep."""
    waiting: list[tuple[Fields, int | None]] = [(root, 1)]
    while waiting:
        node, times = waiting.pop()
        yield node, times
        waiting.extend((child, times) for child in _children(node))
        if EXPR_COMPREHENSION in node:
            loop = _fields(_message(node, EXPR_COMPREHENSION))
            over = _fields(_message(loop, COMPREHENSION_RANGE))
            length = _literal_length(over)
            inner = None if times is None or length is None else times * length
            waiting.append((over, times))
            waiting.append((_fields(_message(loop, COMPREHENSION_START)), times))
            waiting.extend((_fields(_message(loop, part)), inner) for part in COMPREHENSION_REST)


def _children(node: Fields) -> Iterator[Fields]:
    for part in (EXPR_SELECT, EXPR_LIST):  # both hold their operands in field 1
        if part in node:
            yield from _messages(_fields(_message(node, part)), 1)
    if EXPR_CALL in node:
        call = _fields(_message(node, EXPR_CALL))
        yield from _messages(call, CALL_TARGET)
        yield from _messages(call, CALL_ARGUMENTS)
    for entry in _messages(_fields(_message(node, EXPR_STRUCT)), STRUCT_ENTRIES):
        yield from _messages(entry, ENTRY_KEY)
        yield from _messages(entry, ENTRY_VALUE)


def _literal_length(node: Fields) -> int | None:
    """How many elements a literal list or map has; None for anything else."""
    if EXPR_LIST in node:
        return len(_fields(_message(node, EXPR_LIST)).get(1, ()))
    if EXPR_STRUCT in node:
        struct = _fields(_message(node, EXPR_STRUCT))
        return None if STRUCT_NAME in struct else len(struct.get(STRUCT_ENTRIES, ()))
    return None


def _last_literal(node: Fields) -> str | None:
    arguments = list(_messages(_fields(_message(node, EXPR_CALL)), CALL_ARGUMENTS))
    constant = _fields(_message(arguments[-1], EXPR_CONSTANT)) if arguments else {}
    return _message(constant, CONSTANT_STRING).decode() if CONSTANT_STRING in constant else None


def _number(fields: Fields, field: int) -> int:
    value = fields.get(field, [0])[-1]
    return value if isinstance(value, int) else 0


def _bytes(value: Wire) -> bytes:
    return value if isinstance(value, bytes) else b""


def _message(fields: Fields, field: int) -> bytes:
    return _bytes(fields.get(field, [b""])[-1])


def _messages(fields: Fields, field: int) -> Iterator[Fields]:
    return (_fields(_bytes(value)) for value in fields.get(field, ()))


def _fields(message: bytes) -> dict[int, list[Wire]]:
    """A message's fields by number; the protobuf wire format, varints and lengths."""
    found: dict[int, list[Wire]] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        value: Wire
        if kind == 0:
            value, at = _varint(message, at)
        else:
            length, at = _varint(message, at) if kind == 2 else ((8, at) if kind == 1 else (4, at))  # noqa: PLR2004
            value, at = message[at : at + length], at + length
        found.setdefault(tag >> 3, []).append(value)
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:  # noqa: PLR2004 - the last byte of a varint has no high bit
            return value, at
