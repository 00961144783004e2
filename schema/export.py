"""The contract as text: `schema/schema.graphql` is what this writes, and CI refuses a difference."""

from pathlib import Path

import strawberry

SCHEMA_FILE = Path(__file__).with_name("schema.graphql")


def sdl(schema: strawberry.Schema) -> str:
    """The schema in SDL, sorted; it ends with a newline."""
    return schema.as_str().rstrip("\n") + "\n"
