"""Rules about what may be imported, in the seed's words: each yields the lines that break it, with the reason."""

import sys
from collections.abc import Iterator

from tests.architecture.source import Import, Module, imports

Findings = Iterator[tuple[int, str]]

# The registry's public face is the one module of the orchestrator that L2 may see.
OPEN_TO_RESOLVERS = ("spine.bootstrap", "spine.contracts", "spine.settings", "spine.orchestrator.operation_registry")
OPEN_TO_CLI = (*OPEN_TO_RESOLVERS, "spine.services.proof")
DATABASE = ("sqlalchemy", "sqlmodel", "asyncpg", "psycopg", "psycopg2", "alembic", "sqlite3")


def bypasses_the_spine(module: Module) -> Findings:
    """L2 reaching into a domain, the database, or a part of the spine other than its doors."""
    doors = OPEN_TO_CLI if "cli" in module.path.parts else OPEN_TO_RESOLVERS
    for one in imports(module):
        if one.within("domains", *DATABASE) or (one.within("spine") and not one.within(*doors)):
            yield one.line, f"imports {one.target}; resolvers enter through the registry only"


def leaves_the_contracts(module: Module) -> Findings:
    """Contracts depending on anything but the standard library, msgspec and each other."""
    for one in imports(module):
        if one.target.split(".")[0] not in {*sys.stdlib_module_names, "msgspec"} and not one.within("spine.contracts"):
            yield one.line, f"imports {one.target}; contracts hold no logic to need it"


def enters_a_sibling(module: Module) -> Findings:
    """A domain importing another one."""
    for one in imports(module):
        if one.within("domains") and not one.within(module.domain):
            yield one.line, f"imports {one.target}; domains meet only through bridges"


def imports_its_engine(module: Module) -> Findings:
    """A driver depending on what decides: of its own folder it may know only drivers, tables and errors."""
    for one in imports(module):
        if _own_name(module, one).split("_")[0] not in {"", "driver", "tables", "errors"}:
            yield one.line, f"imports {one.target}; a driver builds statements and decides nothing"


def imports_a_database(module: Module) -> Findings:
    """An engine that sees the database, or its own domain's statements and tables."""
    for one in imports(module):
        if one.within(*DATABASE, "spine.storage") or _own_name(module, one).split("_")[0] in {"driver", "tables"}:
            yield one.line, f"imports {one.target}; an engine decides on values it is given"


def imports_the_orchestrator(module: Module) -> Findings:
    """A domain looking up at what calls it."""
    for one in imports(module):
        if one.within("spine.orchestrator", "spine.bootstrap", "resolvers", "schema"):
            yield one.line, f"imports {one.target}; control flows down, never up"


def _own_name(module: Module, one: Import) -> str:
    """Which module of the own domain is imported; empty when it is none."""
    if not one.within(module.domain) or one.target == module.domain:
        return ""
    return one.target.split(".")[2]
