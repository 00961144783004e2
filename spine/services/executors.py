"""The skills that this server can execute itself: only such as are what they are called, and the same everywhere.

`calculate` is arithmetic over `{"expression": "(3 + 4) * 2"}`, its answer rounded to two places and written as a
decimal, which is what tools of this name in the field's benchmarks do. Whoever runs agents in this process adds theirs
to `Runtime(executors=…)`.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from spine.contracts.executors import Executor, Executors

MOST_CHARACTERS: Final = 500
CHARACTERS: Final = frozenset("0123456789+-*/(). ")

Number = int | float

BINARY: Final[Mapping[type[ast.operator], Callable[[Number, Number], Number]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
UNARY: Final[Mapping[type[ast.unaryop], Callable[[Number], Number]]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


class Calculation(Struct, frozen=True, forbid_unknown_fields=True):
    """What `calculate` takes."""

    expression: str


async def calculate(given: bytes | None) -> bytes:
    """The value of an arithmetic expression; raises ValueError for anything else."""
    expression = msgspec.json.decode(given or b"", type=Calculation).expression
    if len(expression) > MOST_CHARACTERS or not CHARACTERS.issuperset(expression):
        raise ValueError("no arithmetic expression")
    try:
        value = float(_value(ast.parse(expression.strip(), mode="eval").body))
    except (SyntaxError, RecursionError, MemoryError, ArithmeticError) as error:
        raise ValueError(f"this cannot be calculated: {type(error).__name__}") from error
    return str(round(value, 2)).encode()


def _value(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.UnaryOp) and type(node.op) in UNARY:
        return UNARY[type(node.op)](_value(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        return BINARY[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError("no arithmetic expression")


BUILT_IN: Final[Executors] = {"calculate": Executor(calculate, repeatable=True)}
