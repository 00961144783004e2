"""Validates every GraphQL document of a folder against the schema, by the specification's rules.

Usage: validate_documents.py SCHEMA FOLDER
"""

import sys
from pathlib import Path

from graphql import GraphQLError, GraphQLSchema, Source, build_schema, parse, validate


def main() -> int:
    """Print each error with its file and line; 1 when there is one, or nothing to validate."""
    schema = build_schema(Path(sys.argv[1]).read_text("utf-8"))
    documents = sorted(Path(sys.argv[2]).glob("**/*.graphql"))
    if not documents:
        print(f"{sys.argv[2]} holds no document")
        return 1
    failures = [f"{path}: {error}" for path in documents for error in errors(schema, path)]
    print("\n".join(failures) or f"{len(documents)} documents are valid")
    return 1 if failures else 0


def errors(schema: GraphQLSchema, path: Path) -> list[GraphQLError]:
    """What is wrong with one document; a syntax error is one of them."""
    try:
        document = parse(Source(path.read_text("utf-8"), str(path)))
    except GraphQLError as error:
        return [error]
    return validate(schema, document)


if __name__ == "__main__":
    sys.exit(main())
