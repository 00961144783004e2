"""Python files as the rules see them: parsed, with every import resolved to a full dotted name.

Imports inside functions, under TYPE_CHECKING, relative ones, and `importlib.import_module` of a literal all count: a
lazy import is an import.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One source file; `path` is relative to the project."""

    path: PurePosixPath
    source: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, source: str) -> "Module":
        """A module from its text, which need not exist on disk."""
        return cls(PurePosixPath(path), source, ast.parse(source))

    @property
    def package(self) -> tuple[str, ...]:
        """The package that relative imports start from."""
        return self.path.parts[:-1]

    @property
    def domain(self) -> str:
        """The domain's dotted name, for a module below domains/."""
        return ".".join(self.path.parts[:2])


@dataclass(frozen=True)
class Import:
    """One imported name, `domains.logs.driver.seals` for `from domains.logs.driver import seals`."""

    target: str
    line: int

    def within(self, *packages: str) -> bool:
        """Whether the target is one of the packages, or lies below one."""
        return any(self.target == package or self.target.startswith(f"{package}.") for package in packages)


def modules(project: Path, root: str) -> Iterator[Module]:
    """Every file below a root that holds code; nothing when there is no such folder."""
    for path in sorted((project / root).rglob("*.py")):
        module = Module.parse(path.relative_to(project).as_posix(), path.read_text("utf-8"))
        if module.tree.body:
            yield module


def imports(module: Module) -> Iterator[Import]:
    """Every import of a module, wherever in it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            yield from (Import(_joined(origin, alias.name), node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and called_name(node) in {"import_module", "__import__"}:
            yield from (
                Import(argument.value, node.lineno)
                for argument in node.args[:1]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def called_name(call: ast.Call) -> str:
    """The last part of what is called: `b` for `b(…)` and for `a.b(…)`, empty for anything else."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _origin(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.package[: len(module.package) - node.level + 1]
    return ".".join((*package, *filter(None, [node.module])))


def _joined(origin: str, name: str) -> str:
    return origin if name == "*" else f"{origin}.{name}"
