"""The plans of a schema's operations, compiled when they are first executed and kept while they are used.

A plan is of one operation at the values that its @skip and @include have. Parsed documents are kept and shared, so an
operation is known by its identity.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from graphql import Executor, OperationDefinitionNode
from msgspec import Struct

from resolvers.execution.classify import Classifying, NotCovered, conditions
from resolvers.execution.compile import Compiling, Plan
from resolvers.limits.documents import KEPT

MOST_VARIANTS: Final = 16
"""Plans of one operation, which has as many as its conditions have combinations of values."""
MOST_CREDIT: Final = 8.0
"""How often in a row a plan may be given up for graphql-core."""
EARNED: Final = 1 / 16
"""What each execution without a replay gives back: at worst one in so many is executed twice."""

Values = tuple[object, ...]


class _Operation(Struct, eq=False):
    """An operation, the variables of its conditions (None when it is not covered), and its plans by their values."""

    node: OperationDefinitionNode
    variables: tuple[str, ...] | None
    plans: dict[Values, Plan | None]


class Plans:
    """What one schema's operations were compiled to; `units` says what an object of a type counts."""

    def __init__(self, units: Mapping[str, int]) -> None:
        self._units = units
        self._seen: dict[str, set[type]] = {}
        self._operations: OrderedDict[int, _Operation] = OrderedDict()

    def of(self, executor: Executor[Any]) -> Plan | None:
        """The plan of the executor's operation; None for one that graphql-core executes."""
        operation = self._known(executor)
        if operation.variables is None:
            return None
        given, native = executor.variable_values.coerced, executor.context_value.native
        values = (native, *(given.get(name) for name in operation.variables))
        if values not in operation.plans:
            if len(operation.plans) >= MOST_VARIANTS:
                operation.plans.pop(next(iter(operation.plans)))
            operation.plans[values] = self._compiled(executor, native=native)
        plan = operation.plans[values]
        return plan if plan is not None and self._trusted(plan) else None

    def _known(self, executor: Executor[Any]) -> _Operation:
        node = executor.operation
        found = self._operations.get(id(node))
        if found is None:
            try:
                variables = conditions(node, executor.fragment_definitions.values())
            except NotCovered:
                variables = None
            found = self._operations[id(node)] = _Operation(node, variables, {})
            if len(self._operations) > KEPT:
                self._operations.popitem(last=False)
        return found

    def _compiled(self, executor: Executor[Any], *, native: bool) -> Plan | None:
        try:
            return Compiling(self._units, self._seen, native=native).plan(Classifying(executor).root(), MOST_CREDIT)
        except NotCovered:
            return None

    def _trusted(self, plan: Plan) -> bool:
        """Whether its last executions were not given up too often; each request earns it some trust."""
        plan.credit = min(MOST_CREDIT, plan.credit + EARNED)
        return plan.credit >= 1
