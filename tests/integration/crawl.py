"""Asking for everything: queries over every field of the SDL, and what each field was found to hold."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_required_argument,
)

DEPTH = 5


class Crawler:
    """Walks one server's graph with one key and keeps the values of every field."""

    def __init__(self, url: str, key: str) -> None:
        self._url = f"{url}/graphql"
        self._headers = {"authorization": f"Bearer {key}"}
        contract = httpx.get(f"{self._url}/schema.graphql", headers=self._headers)
        self.schema: GraphQLSchema = build_schema(contract.text)
        self.values: dict[str, list[Any]] = defaultdict(list)
        self.ids: dict[str, set[str]] = defaultdict(set)

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The whole answer."""
        body = {"query": query, "variables": variables}
        answer: dict[str, Any] = httpx.post(self._url, json=body, headers=self._headers, timeout=60).json()
        return answer

    def crawl(self, field: str, arguments: str = "") -> dict[str, Any]:
        """Ask a root field for everything below it."""
        query_type = self.schema.query_type
        assert query_type is not None
        wanted = get_named_type(query_type.fields[field].type)
        assert isinstance(wanted, GraphQLObjectType)
        answer = self.ask(f"{{ {field}{arguments} {self.selection(wanted, ())} }}")
        self._keep(query_type, {field: answer["data"][field]}, {field})
        return answer

    def selection(self, parent: GraphQLObjectType, path: tuple[str, ...]) -> str:
        """Every field of a type that needs no argument; a type is not entered again below itself."""
        parts = ["__typename"]
        for name, field in parent.fields.items():
            inner = get_named_type(field.type)
            if any(is_required_argument(argument) for argument in field.args.values()):
                continue
            given = "(includePayloads: true)" if "includePayloads" in field.args else ""
            if not isinstance(inner, GraphQLObjectType):
                parts.append(name + given)
            elif name == "edges":
                parts.append("edges { cursor node { __typename } }")
            elif inner.name not in path and len(path) < DEPTH:
                parts.append(f"{name}{given} {self.selection(inner, (*path, parent.name))}")
        return "{ " + " ".join(parts) + " }"

    def _keep(self, parent: GraphQLObjectType, value: Any, only: set[str] | None = None) -> None:
        for name, found in value.items():
            if name == "__typename" or (only is not None and name not in only):
                continue
            field = parent.fields[name]
            inner = get_named_type(field.type)
            for one in found if isinstance(found, list) else [found]:
                self.values[f"{parent.name}.{name}"].append(_hashable(one))
                if name == "id" and isinstance(one, str):
                    self.ids[parent.name].add(one)
                if isinstance(inner, GraphQLObjectType) and one is not None:
                    self._keep(inner, one)

    def fields(self) -> Iterator[tuple[str, GraphQLField]]:
        """Every field of every object type that queries can reach, as `Type.field`."""
        seen: set[str] = set()
        assert self.schema.query_type is not None
        waiting = [self.schema.query_type]
        while waiting:
            parent = waiting.pop()
            if parent.name in seen:
                continue
            seen.add(parent.name)
            for name, field in parent.fields.items():
                inner = get_named_type(field.type)
                if isinstance(inner, GraphQLObjectType):
                    waiting.append(inner)
                if parent is not self.schema.query_type:
                    yield f"{parent.name}.{name}", field


def _hashable(value: Any) -> Any:
    return "…" if isinstance(value, dict | list) else value


def is_constant(field: GraphQLField, found: list[Any]) -> bool:
    """Whether an enum shows fewer than two values, a nullable field only null, or any field nothing at all."""
    if isinstance(get_named_type(field.type), GraphQLEnumType):
        return len(set(found) - {None}) <= 1
    if isinstance(field.type, GraphQLNonNull):
        return not found
    return all(value is None for value in found)
