"""Rules about what code does: each yields the lines that break it, with the reason."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import Module, called_name, imports

Findings = Iterator[tuple[int, str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef

ENDS_TRANSACTION = {"commit", "rollback", "begin", "begin_nested"}
TEXT_SQL = {"text", "literal_column", "TextClause", "exec_driver_sql", "DDL", "prefix_with", "suffix_with"}
SQL = re.compile(
    r"\bselect\b.+\bfrom\b|\binsert\s+into\b|\bupdate\s+\w+\s+set\b|\bdelete\s+from\b|\bon\s+conflict\b"
    r"|\bwith\s+\w+\s+as\s*\(|\b(truncate|drop|alter|create|lock)\s+(table|index|view)\b|\bset\s+(local|role)\b"
    r"|^\s*(begin|commit|rollback)\b",
    re.IGNORECASE | re.DOTALL,
)
CONSOLE_OR_FILE = {"open", "print", "input"}
INPUT_OUTPUT = {
    *("aiohttp", "asyncio", "concurrent", "ftplib", "http", "httpx", "io", "multiprocessing", "os", "pathlib"),
    *("requests", "select", "shutil", "signal", "smtplib", "socket", "ssl", "subprocess", "tempfile", "threading"),
    *("urllib", "urllib3"),
}


def reaches_tables_by_name(module: Module) -> Findings:
    """A driver naming a table that its domain does not declare: by metadata, or as a bare name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in {"metadata", "MetaData"}:
            yield node.lineno, "goes through the metadata, where every domain's tables are"
        elif isinstance(node, ast.alias) and node.name in {"metadata", "MetaData", "TableClause", "table"}:
            yield node.lineno, f"imports {node.name}; a driver uses the tables that its domain declares"


def does_io(module: Module) -> Findings:
    """An engine that reads or writes the world."""
    for one in imports(module):
        if one.within(*INPUT_OUTPUT):
            yield one.line, f"imports {one.target}; an engine does no input or output"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CONSOLE_OR_FILE:
            yield node.lineno, f"calls {node.func.id}; an engine does no input or output"


def ends_a_transaction(module: Module) -> Findings:
    """Beginning or ending a transaction below the registry, which alone does so."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in ENDS_TRANSACTION:
            yield node.lineno, f".{node.attr} is the unit of work's"


def writes_sql_as_text(module: Module) -> Findings:
    """SQL that is text rather than an expression: its tables could be anyone's."""
    for one in imports(module):
        if one.within("sqlalchemy") and one.target.split(".")[-1] in TEXT_SQL:
            yield one.line, f"imports {one.target}"
    seen = {id(text) for text in _docstrings(module.tree)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TEXT_SQL:
            yield node.lineno, f"calls {node.func.attr}"
        elif isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) and id(node) not in seen:
            seen.update(map(id, ast.walk(node)))
            if SQL.search(_text(node)):
                yield node.lineno, "a string that is SQL"


def dispatches_by_name(module: Module) -> Findings:
    """Choosing what runs by a computed name; inside `__getattr__` the name stands in the caller's source."""
    delegating = {
        id(inner)
        for function in _functions(module.tree)
        if function.name == "__getattr__"
        for inner in ast.walk(function)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and id(node) not in delegating and _is_by_name(node):
            yield node.lineno, f"{called_name(node)} with a computed name; use an explicit map"
        elif isinstance(node, ast.Subscript) and _is_namespace(node.value):
            yield node.lineno, "looks a name up in a namespace; use an explicit map"


def only_forwards(module: Module) -> Findings:
    """A hop that neither decides nor composes: one call with the function's own parameters."""
    for function in _functions(module.tree):
        parameters = _parameters(function)
        call = _only_call(function)
        if call is not None and parameters and _passed(call) == parameters:
            yield function.lineno, f"{function.name} only forwards its parameters to {ast.unparse(call.func)}"


def swallows_errors(module: Module) -> Findings:
    """Catching everything and saying nothing, or catching what even Ctrl-C raises."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield node.lineno, "a bare except"
            elif _is_broad(node.type) and all(_is_idle(statement) for statement in node.body):
                yield node.lineno, "catches everything and goes on"
        elif isinstance(node, ast.Call) and called_name(node) == "suppress" and any(map(_is_broad, node.args)):
            yield node.lineno, "suppresses everything"


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _text(node: ast.expr) -> str:
    """What a string expression says, with `x` for what is known only at run time."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "x"
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return f"{_text(node.left)}{_text(node.right)}" if isinstance(node, ast.BinOp) else "x"


def _is_by_name(call: ast.Call) -> bool:
    name = called_name(call)
    if name == "getattr":
        return len(call.args) > 1 and not isinstance(call.args[1], ast.Constant)
    if name in {"import_module", "__import__", "methodcaller", "attrgetter"}:
        return bool(call.args) and not isinstance(call.args[0], ast.Constant)
    return isinstance(call.func, ast.Name) and name in {"eval", "exec"}


def _is_namespace(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return called_name(node) in {"globals", "locals", "vars"}
    return isinstance(node, ast.Attribute) and node.attr == "__dict__"


def _parameters(function: Function) -> list[str]:
    """The names of a function's parameters, sorted, with the stars of the starred ones."""
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    starred = [f"*{one.arg}" for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return sorted({*names, *starred} - {"self", "cls"})


def _only_call(function: Function) -> ast.Call | None:
    """The call that is the function's whole body, its docstring apart."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if len(body) != 1 or not isinstance(body[0], ast.Return | ast.Expr):
        return None
    value = body[0].value
    if isinstance(value, ast.Await):
        value = value.value
    return value if isinstance(value, ast.Call) else None


def _passed(call: ast.Call) -> list[str]:
    """The names that a call passes on unchanged, sorted, in the same writing; `?` stands for anything else."""
    positional = [_written(value) for value in call.args]
    keywords = [f"{'' if one.arg else '*'}{_written(one.value)}" for one in call.keywords]
    return sorted(positional + keywords)


def _written(value: ast.expr) -> str:
    if isinstance(value, ast.Starred):
        return f"*{_written(value.value)}"
    return value.id if isinstance(value, ast.Name) else "?"


def _is_broad(node: ast.expr) -> bool:
    types = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(one, ast.Name) and one.id in {"Exception", "BaseException"} for one in types)


def _is_idle(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass | ast.Continue | ast.Break):
        return True
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
