"""Rules about size, names and docstrings: each yields the lines that break it, with the reason."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import Module

Findings = Iterator[tuple[int, str]]

MOST_LINES_IN_FILE = 400
MOST_LINES_IN_FUNCTION = 60

# What every domain may hold, and the rooms that only one has.
DOMAIN_FILE = re.compile(r"__init__|tables|errors|(engine|driver)(_[a-z]+)*")
ROOMS = {"activity": {"genai", "semconv"}, "analytics": {"pricing"}, "policies": {"conditions"}}


def is_too_long(module: Module) -> Findings:
    """A file that should be split by operation."""
    lines = len(module.source.splitlines())
    if lines > MOST_LINES_IN_FILE:
        yield lines, f"{lines} lines, over {MOST_LINES_IN_FILE}"


def has_long_functions(module: Module) -> Findings:
    """A function that cannot be read at one glance."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_LINES_IN_FUNCTION:
                yield node.lineno, f"{node.name} has {lines} lines, over {MOST_LINES_IN_FUNCTION}"


def lacks_docstring(module: Module) -> Findings:
    """A module that does not say what it is for."""
    if ast.get_docstring(module.tree) is None:
        yield 1, "has no docstring"


def is_misnamed(module: Module) -> Findings:
    """A file that a newcomer would not guess: every domain has the same names."""
    inside = module.path.parts[2:]
    if not inside:
        return
    stem = module.path.stem
    rooms = ROOMS.get(module.path.parts[1], set())
    if len(inside) > 1 or not (DOMAIN_FILE.fullmatch(stem) or stem in rooms):
        yield 1, f"{'/'.join(inside)} is no file of a domain"
