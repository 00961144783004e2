"""Every client tool: its name, which is its folder's under tools/, its runtime, the commands that must succeed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TSC: Final = "node ../../node_modules/typescript-7/bin/tsc"  # gql.tada needs version 6, which has a JavaScript API


class Runtime(StrEnum):
    """What a tool is installed into; none sees another's packages."""

    NODE = "node"
    ARIADNE = "ariadne"
    GQL = "gql"


@dataclass(frozen=True)
class Tool:
    """A tool by its name, which is also its folder's; the last command's last line says what it found."""

    name: str
    runtime: Runtime
    commands: tuple[str, ...]


GENQL_SCALARS: Final = " ".join(
    f"--scalar {scalar}:{typescript}"
    for scalar, typescript in (
        ("BigInt", "number"),
        ("Date", "string"),
        ("DateTime", "string"),
        ("Decimal", "string"),
        ("JSON", "unknown"),
    )
)
GENQL: Final = 'genql --endpoint $HOC_URL/graphql --header "Authorization: Bearer $HOC_KEY" --output src/client'

TOOLS: Final = (
    Tool("graphql-core", Runtime.ARIADNE, ("python validate_documents.py schema/schema.graphql schema/operations",)),
    Tool(
        "ariadne-codegen",
        Runtime.ARIADNE,
        ("ariadne-codegen client", "python -m mypy hoc_client ariadne_program.py", "python ariadne_program.py"),
    ),
    Tool("gql", Runtime.GQL, ("python -m mypy --strict gql_program.py", "python gql_program.py")),
    Tool("graphql-http", Runtime.NODE, ("node audit.mjs",)),
    Tool("graphql-ws", Runtime.NODE, ("node checks.mjs",)),
    Tool("graphql-sse", Runtime.NODE, ("node checks.mjs",)),
    Tool(
        "graphql-codegen",
        Runtime.NODE,
        (
            "graphql-codegen --config codegen.ts",
            "graphql-codegen --config sdl.ts",
            TSC,
            "node build/program.js",
        ),
    ),
    Tool(
        "relay-compiler",
        Runtime.NODE,
        ("node documents.mjs", "relay-compiler relay.config.json", "node execute.mjs"),
    ),
    Tool("genql", Runtime.NODE, (f"{GENQL} {GENQL_SCALARS}", TSC, "node build/program.js")),
    Tool("gql.tada", Runtime.NODE, ("gql.tada generate-output", TSC, "gql.tada check --fail-on-warn")),
    Tool("graphql-eslint", Runtime.NODE, ("node lint.mjs",)),
    Tool("graphql-inspector", Runtime.NODE, ("node inspect.mjs",)),
)
