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
EXPR_ID, EXPR_CONSTANT, EXPR_IDENT, EXPR_SELECT, EXPR_CALL, EXPR_LIST = 2, 3, 4, 5, 6, 7
EXPR_STRUCT, EXPR_COMPREHENSION = 8, 9
CONSTANT_STRING = 6
CALL_TARGET, CALL_ARGUMENTS = 1, 3
STRUCT_NAME, STRUCT_ENTRIES = 1, 2
ENTRY_KEY, ENTRY_VALUE = 3, 4
COMPREHENSION_VARIABLE, COMPREHENSION_RANGE, COMPREHENSION_START, COMPREHENSION_REST = 1, 2, 4, (5, 6, 7)

Wire = int | bytes
Fields = Mapping[int, list[Wire]]


class Call(Struct, frozen=True):
    """A function call: the overloads that it may take, its place, how often it runs at most, and its last argument.

    `times` is None inside a loop over anything but a literal list or map. `literal` is the last argument when it is a
    string literal; `written` says that it is a literal or runs over literals, so that no fact can make it long.
    """

    overloads: frozenset[str]
    offset: int
    times: int | None
    literal: str | None
    written: bool


class Visit(Struct, frozen=True):
    """A node, how often it is evaluated at most, and the loop variables around it that run over literals."""

    node: Fields
    times: int | None
    literals: frozenset[str]


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
    calls = tuple(
        _call(visit, references, offsets)
        for visit in _walk(_fields(_message(checked, CHECKED_EXPR)))
        if EXPR_CALL in visit.node
    )
    return CheckedExpression(names, calls)


def _call(visit: Visit, references: Mapping[int, Fields], offsets: Mapping[int, int]) -> Call:
    key = _number(visit.node, EXPR_ID)
    overloads = frozenset(_bytes(text).decode() for text in references[key].get(REFERENCE_OVERLOADS, ()))
    last = (list(_messages(_fields(_message(visit.node, EXPR_CALL)), CALL_ARGUMENTS)) or [{}])[-1]
    literal = _string(last)
    written = EXPR_CONSTANT in last or _name(last) in visit.literals
    return Call(overloads, offsets.get(key, 0), visit.times, literal, written)


def _walk(root: Fields) -> Iterator[Visit]:
    """Every node; without recursion, so no tree can be too deep."""
    waiting = [Visit(root, 1, frozenset())]
    while waiting:
        visit = waiting.pop()
        yield visit
        waiting.extend(Visit(child, visit.times, visit.literals) for child in _children(visit.node))
        if EXPR_COMPREHENSION in visit.node:
            waiting.extend(_loop(visit))


def _loop(visit: Visit) -> Iterator[Visit]:
    """A loop's range and start run as often as the loop, the rest once for each element."""
    loop = _fields(_message(visit.node, EXPR_COMPREHENSION))
    over = _fields(_message(loop, COMPREHENSION_RANGE))
    yield Visit(over, visit.times, visit.literals)
    yield Visit(_fields(_message(loop, COMPREHENSION_START)), visit.times, visit.literals)
    elements = _elements(over)
    times = None if visit.times is None or elements is None else visit.times * len(elements)
    variable = frozenset({_message(loop, COMPREHENSION_VARIABLE).decode()})
    written = all(EXPR_CONSTANT in element for element in elements or [{}])
    literals = visit.literals | variable if written else visit.literals - variable
    for part in COMPREHENSION_REST:
        yield Visit(_fields(_message(loop, part)), times, literals)


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


def _elements(node: Fields) -> list[Fields] | None:
    """The elements of a literal list, or the keys of a literal map, which is what loops run over; else None."""
    if EXPR_LIST in node:
        return list(_messages(_fields(_message(node, EXPR_LIST)), 1))
    struct = _fields(_message(node, EXPR_STRUCT))
    if EXPR_STRUCT not in node or STRUCT_NAME in struct:
        return None
    return [_fields(_message(entry, ENTRY_KEY)) for entry in _messages(struct, STRUCT_ENTRIES)]


def _string(node: Fields) -> str | None:
    constant = _fields(_message(node, EXPR_CONSTANT))
    return _message(constant, CONSTANT_STRING).decode() if CONSTANT_STRING in constant else None


def _name(node: Fields) -> str:
    return _message(_fields(_message(node, EXPR_IDENT)), 1).decode()


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
