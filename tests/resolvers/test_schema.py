"""The executable schema: checked against the registry, and its caches shared by all requests."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import GraphQLInterfaceType
from msgspec.structs import replace
from strawberry.extensions.parser_cache import DEFAULT_MAXSIZE, _get_parse_cache

from resolvers.query.nodes import FINDERS
from resolvers.schema import build_schema
from schema.batched import check_batched_fields
from spine.contracts.errors import RegistryError
from spine.contracts.operations import Operation
from spine.contracts.runs import RunsByKey, RunSummary
from spine.orchestrator.handlers import OPERATIONS
from tests.resolvers.conftest import SCHEMA, Ask

REGISTERED = {operation.name: operation for operation in OPERATIONS}
EVIDENCE = REGISTERED["activity.run_evidence"]


class TestBatchedFields:
    def test_every_one_is_fed_by_a_registered_operation_of_its_type(self) -> None:
        check_batched_fields(SCHEMA, REGISTERED)

    @pytest.mark.parametrize(
        ("wrong", "complaint"),
        [
            (lambda: None, "Run.evidence: there is no operation activity.run_evidence"),
            (lambda: replace(EVIDENCE, batch_key=None), "Run.evidence: activity.run_evidence is not a batch operation"),
            (lambda: replace(EVIDENCE, result=RunSummary), "Run.evidence: activity.run_evidence answers .*RunSummary"),
            (lambda: replace(EVIDENCE, request=RunsByKey), "Run.evidence: the request of .* has no decisions, inc"),
        ],
    )
    def test_a_field_and_an_operation_that_disagree_stop_the_start(
        self, wrong: Callable[[], Operation | None], complaint: str
    ) -> None:
        operation = wrong()
        operations = {name: one for name, one in REGISTERED.items() if name != EVIDENCE.name}
        if operation is not None:
            operations[EVIDENCE.name] = operation
        with pytest.raises(RegistryError, match=complaint):
            check_batched_fields(SCHEMA, operations)

    def test_every_node_has_a_batch_operation_that_finds_it(self) -> None:
        node = SCHEMA._schema.type_map["Node"]
        assert isinstance(node, GraphQLInterfaceType)
        assert {kind.name for kind in SCHEMA._schema.get_possible_types(node)} == set(FINDERS)
        assert all(REGISTERED[finder].batch_key for finder in FINDERS.values())


class TestCaches:
    async def test_a_query_is_parsed_once(self, ask: Ask) -> None:
        """What else is known of it (that it is valid, its price, its plan) is known by the parsed document."""
        query = "{ viewer { tenant role permissions } }"
        await ask(query)
        cache: Any = _get_parse_cache(DEFAULT_MAXSIZE)
        before = cache.cache_info()
        await ask(query)
        after = cache.cache_info()
        assert (after.hits - before.hits, after.misses - before.misses) == (1, 0)

    def test_the_schema_is_the_same_each_time(self) -> None:
        assert build_schema().as_str() == SCHEMA.as_str()
