"""One operation through both executors, on the same rows: what differs between the answers, if anything does."""

import json
import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from graphql import DocumentNode, ExecutionResult, GraphQLError, execute, parse
from msgspec import Struct, structs
from strawberry.execution import optimized_is_awaitable

from resolvers.context import RequestContext
from resolvers.execution.run import REPLAYS, PlannedExecutor
from resolvers.limits.bounds import Bounds
from resolvers.limits.executor import LimitedExecutor
from resolvers.limits.extension import Guard
from resolvers.schema import build_schema
from spine.bootstrap import Runtime, catalogue
from spine.contracts.actors import Principal
from spine.contracts.operations import OperationResult
from tests.resolvers.execution.operations import Operation

Change = Callable[[Any], Any]


class Answers:
    """What operations answered: the rows of a database, read once for both executors."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], OperationResult[Any]] = {}


class Remembering(RequestContext):
    """A request whose dispatches are answered as before; `change` may spoil what comes of them."""

    def __init__(self, runtime: Runtime, principal: Principal, answers: Answers, change: Change) -> None:
        super().__init__(runtime.registry, principal, "test-request")
        self._answers = answers
        self._change = change

    async def dispatch(self, operation: str, request: Any) -> OperationResult[Any]:
        """The first answer to such a request, for no points: which loads meet in one dispatch is a matter of time."""
        key = (operation, repr(request))
        result = self._answers.known.get(key)
        if result is None:
            points = self.meter.points
            result = self._answers.known[key] = await super().dispatch(operation, request)
            self.meter.points = points
        return OperationResult(operation, self._change(result.value), result.error)


class Both:
    """Executes operations twice."""

    def __init__(self, runtime: Runtime, principal: Principal) -> None:
        schema = build_schema()
        self.graph = schema._schema
        self._guard = Guard(Bounds(deadline_s=60, max_work_ms=60_000))
        self._guard.price(schema, catalogue())
        self._runtime = runtime
        self._principal = principal
        self._documents: dict[str, DocumentNode] = {}
        self._answers = Answers()
        self._standing = self._guard.budgets.rate_limit(principal, 0)

    async def difference(self, operation: Operation, seed: int | None = None) -> str | None:
        """What differs, in words; a seed spoils one value of each answer of the registry. None when nothing does.

        An answer with data over sound rows needs no replay, and one without errors has as many objects.
        """
        document = self._documents.setdefault(operation.text, parse(operation.text))
        known = None
        while known != len(self._answers.known):  # of two roots that fail the first one counts: none may wait for rows
            known = len(self._answers.known)
            before = REPLAYS._value.get()
            plan, plan_points = await self._executed(PlannedExecutor, document, operation, seed)
            replays = REPLAYS._value.get() - before
        core, core_points = await self._executed(LimitedExecutor, document, operation, seed)
        differing = [
            f"{what}: {one}\n instead of {other}"
            for what, one, other in (
                ("data", json.dumps(plan.data, default=repr), json.dumps(core.data, default=repr)),
                ("errors", told(plan), told(core)),
                ("points", plan_points, plan_points if core.errors else core_points),
                ("replays", replays, 0 if core.data is not None and seed is None else replays),
            )
            if one != other
        ]
        return "\n".join([operation.text, str(operation.variables), *differing]) if differing else None

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """The readable rows of all lists that a query asks for, by graphql-core."""
        answer, _ = await self._executed(LimitedExecutor, parse(query), Operation(query, {}), None)
        return [row for page in (answer.data or {}).values() for row in page["nodes"] if row is not None]

    async def _executed(
        self, executor: type[LimitedExecutor], document: DocumentNode, operation: Operation, seed: int | None
    ) -> tuple[ExecutionResult, int]:
        change = spoiling(seed) if seed is not None else kept
        async with Remembering(self._runtime, self._principal, self._answers, change) as context:
            context.meter = self._guard.meter()
            context.standing = lambda: self._standing
            result: Any = execute(
                self.graph,
                document,
                context_value=context,
                variable_values=dict(operation.variables),
                operation_name=operation.name,
                executor_class=executor,
                is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # as Strawberry has it
                hide_suggestions=True,
            )
            answer: ExecutionResult = await result if optimized_is_awaitable(result) else result
            return answer, context.meter.points


def told(result: ExecutionResult) -> str:
    """The errors, wherever they stand in the list: which of two that fail at once comes first is nobody's promise."""
    return json.dumps(sorted(_error(one) for one in result.errors or ()))


def _error(error: GraphQLError) -> str:
    cause = error.original_error
    code = getattr(cause, "code", None)
    return json.dumps([error.path, error.message, list(error.locations or ()), type(cause).__name__, code], default=str)


def kept(value: Any) -> Any:
    """Nothing is changed."""
    return value


class Odd:
    """An object that is nothing that the schema knows."""

    def __repr__(self) -> str:
        return "something odd"


WRONG: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: 2**40,
    lambda: -(2**31) - 1,
    lambda: 1.5,
    lambda: float("nan"),
    lambda: True,
    lambda: "text",
    lambda: (),
    lambda: [None],
    lambda: ValueError("spoilt"),
    Odd,
)
"""What stands where something else should."""
KEY = re.compile(r"key$|^fingerprint$")
"""What batches load by: a wrong one fails all that is loaded with it, which is a matter of time."""


def spoiling(seed: int) -> Change:
    """Put something wrong somewhere; the same in the same value, whichever others were loaded with it."""

    def change(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: _spoilt(one, Random(f"{seed} {key}")) for key, one in value.items()}  # noqa: S311
        return _spoilt(value, Random(f"{seed}"))  # noqa: S311 - reproducible, not secret

    return change


def _spoilt(value: Any, random: Random) -> Any:
    fields = [one for one in value.__struct_fields__ if not KEY.search(one)] if isinstance(value, Struct) else []
    if fields and random.randrange(12):
        name = random.choice(fields)
        return structs.replace(value, **{name: _spoilt(getattr(value, name), random)})
    if isinstance(value, list | tuple) and value and random.randrange(12):
        place = random.randrange(len(value))
        return [*value[:place], _spoilt(value[place], random), *value[place + 1 :]]
    return random.choice(WRONG)()
