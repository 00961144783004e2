"""The architecture's rules: what each scans, and how it is run. There is no allow-list.

A rule that finds nothing to look at has not passed but failed: a renamed folder must not silence it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from tests.architecture import code_rules, import_rules, shape_rules
from tests.architecture.source import Module, modules

CODE = ("schema", "resolvers", "spine", "domains")
HANDLERS = "spine/orchestrator/handlers"
COORDINATORS = "spine/orchestrator/coordinators"
BRIDGES = "spine/orchestrator/bridges"


@dataclass(frozen=True)
class Violation:
    """A line that breaks a rule."""

    code: str
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code} {self.text}"


class EmptyScanRootError(Exception):
    """A rule has nothing to look at below one of its roots."""


@dataclass(frozen=True)
class Rule:
    """A check of the modules below `roots` that `applies` picks by path; the check yields lines and reasons."""

    code: str
    roots: tuple[str, ...]
    check: Callable[[Module], Iterator[tuple[int, str]]]
    applies: Callable[[PurePosixPath], bool] = lambda _: True

    def violations(self, module: Module) -> list[Violation]:
        """What is wrong with one module."""
        return [Violation(self.code, str(module.path), line, text) for line, text in self.check(module)]

    def scan(self, project: Path, root: str) -> list[Violation]:
        """What is wrong below a root; EmptyScanRootError when there is nothing to look at."""
        chosen = [module for module in modules(project, root) if self.applies(module.path)]
        if not chosen:
            raise EmptyScanRootError(f"{self.code} finds nothing to look at below {root}/")
        return [violation for module in chosen for violation in self.violations(module)]


def is_driver(path: PurePosixPath) -> bool:
    """L6, one per domain or one per topic."""
    return path.stem == "driver" or path.stem.startswith("driver_")


def is_tables(path: PurePosixPath) -> bool:
    """L7."""
    return path.stem == "tables"


def is_storage_side(path: PurePosixPath) -> bool:
    """L6 and L7."""
    return is_driver(path) or is_tables(path)


def is_engine(path: PurePosixPath) -> bool:
    """L5: engines and the rooms beside them; whatever is in a domain and is not storage."""
    return path.stem != "__init__" and not is_storage_side(path)


RULES = (
    Rule("L2_BYPASS_L4", ("resolvers",), import_rules.bypasses_the_spine),
    Rule("CONTRACTS_PURE", ("spine/contracts",), import_rules.leaves_the_contracts),
    Rule("L5_CROSS_DOMAIN", ("domains",), import_rules.enters_a_sibling, is_engine),
    Rule("L6_CROSS_DOMAIN", ("domains",), import_rules.enters_a_sibling, is_storage_side),
    Rule("L6_CROSS_DOMAIN", ("domains",), code_rules.reaches_tables_by_name, is_driver),
    Rule("L6_L5_ENGINE", ("domains",), import_rules.imports_its_engine, is_driver),
    Rule("L5_DB_MODULE", ("domains",), import_rules.imports_a_database, is_engine),
    Rule("L5_IO", ("domains",), code_rules.does_io, is_engine),
    Rule("L5_COORDINATOR", ("domains",), import_rules.imports_the_orchestrator),
    Rule("L6_COMMIT", ("domains", HANDLERS, COORDINATORS, BRIDGES), code_rules.ends_a_transaction),
    Rule("NO_TEXT_SQL", ("domains",), code_rules.writes_sql_as_text, is_driver),
    Rule("GETATTR_DISPATCH", ("spine/orchestrator",), code_rules.dispatches_by_name),
    Rule("FORWARD_ONLY", ("domains", HANDLERS, COORDINATORS), code_rules.only_forwards),
    Rule("SWALLOWED_ERROR", CODE, code_rules.swallows_errors),
    Rule("FILE_LENGTH", (*CODE, "tests"), shape_rules.is_too_long),
    Rule("FUNCTION_LENGTH", (*CODE, "tests"), shape_rules.has_long_functions),
    Rule("MODULE_DOCSTRING", (*CODE, "tests"), shape_rules.lacks_docstring),
    Rule("DOMAIN_FILES", ("domains",), shape_rules.is_misnamed),
)

SCANS = [pytest.param(rule, root, id=f"{rule.code}-{root}") for rule in RULES for root in rule.roots]
