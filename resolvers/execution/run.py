"""Executes a plan: the root at once, then wave by wave all fields that were put off, each wave's batches together.

An execution that meets what its plan does not foresee is given up and repeated by graphql-core. Queries have no
effects, so that costs time only; it is counted, and a plan that is given up often is set aside. The methods that plans
call when something is unusual are here as well: they let graphql-core say what it is.
"""

import asyncio
from collections.abc import Hashable, Sequence
from inspect import iscoroutine
from typing import Any, Final

from graphql import ExecutionResult, GraphQLError, GraphQLObjectType, GraphQLResolveInfo, located_error
from graphql.execution.executor import CollectedErrors, invalid_return_type_error
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path, gather_with_cancel
from prometheus_client import Counter
from strawberry.types.arguments import convert_arguments

from resolvers.execution.classify import Field, How
from resolvers.execution.compile import Caller, Kinds, Place, Plan, Step, Unit
from resolvers.execution.info import PlannedInfo
from resolvers.execution.plans import Plans
from resolvers.limits.executor import LimitedExecutor
from resolvers.loaders import Wave
from spine.contracts.loading import Arguments

PLANS: Final = "hoc-plans"
"""Where a GraphQL schema carries its plans, among its extensions; without them graphql-core executes everything."""
REPLAYS: Final = Counter("hoc_graphql_replays_total", "Executions that a plan gave up and graphql-core repeated.")

Entry = tuple[Any, dict[str, Any], Path | None]
"""A parent (or its key), its dict in the answer, and its path."""
Work = list[tuple[Step, list[Entry]]]
Had = dict[int, Sequence[Any]]
"""The values of a wave's fields by their number in it: one for each parent, exceptions stand for themselves."""


class Surprise(Exception):
    """What a plan does not foresee; graphql-core knows it."""


class Stopped(Exception):
    """The meter has stopped the execution."""


class PlannedExecutor(LimitedExecutor):
    """Executes by a plan what plans cover, under the same meter as everything else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.later: list[list[Entry]] = []
        self._given: dict[Field, dict[str, Any]] = {}
        self._plan: Plan

    def execute_operation(self, serially: bool | None = None) -> Any:
        """The result, or its coroutine."""
        plan = self._plan_of(serially)
        return super().execute_operation(serially) if plan is None else self._timed(self._by_plan(plan))

    def _plan_of(self, serially: bool | None) -> Plan | None:
        plans: Plans | None = self.schema.extensions.get(PLANS)
        watched = self.middleware_manager is not None and self.middleware_manager.middlewares
        if plans is None or serially or watched or self.hooks is not None or self.abort_signal is not None:
            return None
        return plans.of(self) if self.error_propagation else None

    async def _by_plan(self, plan: Plan) -> ExecutionResult:
        points = self.meter.points
        self._plan = plan
        try:
            return await self._waves(plan)
        except Exception:  # noqa: BLE001 - whatever it is, graphql-core meets it again and tells it
            if self.meter.stopped:
                return ExecutionResult({}, None)
            plan.credit -= 1
            REPLAYS.inc()
        self.collected_errors = CollectedErrors()
        self.meter.points = points
        await self.context_value.renew(answered=False)
        result: Any = super(LimitedExecutor, self).execute_operation(serially=False)
        answer: ExecutionResult = await result if self.is_awaitable(result) else result
        return answer

    async def _waves(self, plan: Plan) -> ExecutionResult:
        try:
            self.later = [[] for _ in plan.steps]
            data = self._made(plan.root)
            while work := [one for one in zip(plan.steps, self.later, strict=True) if one[1]]:
                self.later = [[] for _ in plan.steps]
                for (step, entries), values in zip(work, await self._had(work), strict=True):
                    await self._completed(step, entries, values)
        except GraphQLError as error:
            if not plan.alone or error.path is None:
                raise Surprise from error
            self.collected_errors.add(error, None)
            data = None
        return ExecutionResult(data, self.collected_errors.errors or None)

    def _made(self, root: Unit) -> Any:
        self.meter.enter()
        try:
            return root(self.root_value, None, self)
        finally:
            self.meter.leave()

    async def _completed(self, step: Step, entries: Sequence[Entry], values: Sequence[Any]) -> None:
        """Complete a field of all its parents, and let others have their turn when it takes long."""
        meter, done = self.meter, 0
        while done < len(entries):
            while meter.tired and not meter.stopped:  # noqa: ASYNC110 - a turn of the loop is what it waits for
                await asyncio.sleep(0)
            meter.enter()
            try:
                done = self._complete_some(step, entries, values, done)
            finally:
                meter.leave()

    def _complete_some(self, step: Step, entries: Sequence[Entry], values: Sequence[Any], done: int) -> int:
        """Complete until the meter is tired; how many are done then."""
        meter, field, complete = self.meter, step.field, step.complete
        key, kind = field.key, field.parent.name
        for index in range(done, len(entries)):
            if meter.stopped:
                raise Stopped
            if meter.tired:
                return index
            _, target, parent = entries[index]
            value = values[index]
            if isinstance(value, Exception):
                self.handle_field_error(value, field.definition.type, field.details, Path(parent, key, kind))
            else:
                target[key] = complete(value, Path(parent, key, kind), self)
        return len(entries)

    async def _had(self, work: Work) -> list[Sequence[Any]]:
        """The values of all fields of a wave, in order; exceptions stand for themselves."""
        numbered = [(number, *one) for number, one in enumerate(work)]
        batched = [one for one in numbered if one[1].field.how is How.BATCH]
        parts = [self._called(*one) for one in numbered if one[1].field.how is not How.BATCH]
        if batched:
            parts.append(self._loaded(batched))
        answers = await gather_with_cancel(*parts) if len(parts) > 1 else [await parts[0]]
        found = {number: values for answer in answers for number, values in answer.items()}
        return [found[number] for number in range(len(work))]

    async def _loaded(self, batched: Sequence[tuple[int, Step, list[Entry]]]) -> Had:
        """The values of batched fields: straight from the batch operations, for all their parents."""
        found: Had = {}
        waves: dict[int, Wave] = {}
        for number, step, entries in batched:
            try:
                wanted = self._wanted(step.field, entries[0])
            except Exception as error:  # noqa: BLE001 - each parent's field gets it
                found[number] = [error] * len(entries)
            else:
                waves[number] = Wave(step.field.batch.operation, wanted, [key for key, _, _ in entries])
        if waves:
            values = await self.context_value.load_waves(list(waves.values()))
            found.update(zip(waves, values, strict=True))
        for number, step, entries in batched:
            if number in waves and step.field.batch.shape is not None:
                found[number] = self._shaped(step.field, entries[0], found[number])
        return found

    def _wanted(self, field: Field, first: Entry) -> Arguments:
        """What look-ahead finds for a batched field; the same for all its parents."""
        found = self._plan.wanted.get(field)
        if found is None:
            found = field.batch.wanted(*self._asked(field, first))
            if field.fixed_below:
                self._plan.wanted[field] = found
        return found

    def _shaped(self, field: Field, first: Entry, values: Sequence[Any]) -> list[Any]:
        info, given = self._asked(field, first)
        shape: Any = field.batch.shape
        shaped = []
        for value in values:
            try:
                shaped.append(value if isinstance(value, Exception) else shape(value, info, given))
            except Exception as error:  # noqa: BLE001 - it is the field's, which tells it
                shaped.append(error)
        return shaped

    async def _called(self, number: int, step: Step, entries: Sequence[Entry]) -> Had:
        """The values of a field that is awaited, one call for each parent."""
        calls = [self._call(step, source, path) for source, _, path in entries]
        return {number: await gather_with_cancel(*calls) if len(calls) > 1 else [await calls[0]]}

    async def _call(self, step: Step, source: Any, parent: Path | None) -> Any:
        field = step.field
        path = Path(parent, field.key, field.parent.name)
        try:
            if step.caller is not None:
                value = self._invoked(step.caller, source, path)
            else:
                value = field.definition.resolve(source, self.raw_info(field, path), **self._arguments(field))  # type: ignore[misc]
            return await value if self.is_awaitable(value) else value
        except Exception as error:  # noqa: BLE001 - it is the field's, which tells it
            return error

    def _invoked(self, caller: Caller, source: Any, path: Path) -> Any:
        """What a plain resolver answers."""
        info = PlannedInfo(self, caller.field, path)
        given = self._converted(caller.field, info).copy()
        for name in caller.source_names:
            given[name] = source
        if caller.info_name is not None:
            given[caller.info_name] = info
        return caller.function(source, **given) if caller.takes_self else caller.function(**given)

    def _asked(self, field: Field, entry: Entry) -> tuple[Any, dict[str, Any]]:
        """Strawberry's info of a field, and the arguments that it was given."""
        info = PlannedInfo(self, field, Path(entry[2], field.key, field.parent.name))
        return info, self._converted(field, info)

    def raw_info(self, field: Field, path: Path) -> GraphQLResolveInfo[Any]:
        """graphql-core's info of a field in a place."""
        return self.build_resolve_info(field.definition, field.nodes, field.parent, path)

    def _arguments(self, field: Field) -> dict[str, Any]:
        if not field.definition.args:
            return {}
        first = field.details[0]
        return get_argument_values(
            field.definition, first.node, self.variable_values, first.fragment_variable_values, self.hide_suggestions
        )

    def _converted(self, field: Field, info: PlannedInfo) -> dict[str, Any]:
        """The arguments as Python has them; they are the same for all parents, and often for all executions."""
        found = self._plan.given.get(field)
        if found is None:
            found = self._given.get(field)
        if found is None:
            declared: Any = field.declared
            converter = info.schema.schema_converter
            found = convert_arguments(
                self._arguments(field), declared.arguments, converter.scalar_registry, converter.config, info
            )
            lasting = field.fixed and all(isinstance(one, Hashable) for one in found.values())
            (self._plan.given if lasting else self._given)[field] = found
        return found

    # What plans call.

    def look(self) -> None:
        """Read the clocks; Stopped when there is no time left."""
        self.meter.look()
        if self.meter.stopped:
            raise Stopped

    def resolve(self, caller: Caller, source: Any, path: Path) -> Any:
        """What a plain resolver answers; null when it fails where null is allowed."""
        field = caller.field
        try:
            answer = self._invoked(caller, source, path)
        except Exception as error:  # noqa: BLE001 - it is the field's, which tells it
            self.handle_field_error(error, field.definition.type, field.details, path)
            return None
        if answer.__class__ not in caller.plain:
            if self.is_awaitable(answer):
                if iscoroutine(answer):
                    answer.close()
                raise Surprise
            caller.plain.add(answer.__class__)
        return answer

    def nulled(self, error: GraphQLError, path: Path) -> None:
        """Note the error that has made this place null."""
        if error.path is None:
            raise Surprise from error
        self.collected_errors.add(error, path)

    def unusual(self, place: Place, value: Any, path: Path) -> Any:
        """A leaf that is not of its type's usual class, as graphql-core completes it."""
        field = place.field
        try:
            return self.complete_value(place.type, field.details, self.raw_info(field, path), path, value, None)
        except Exception as error:  # noqa: BLE001 - it is the field's, which tells it
            self.handle_field_error(error, place.type, field.details, path)

    def admit(self, place: Place, kind: GraphQLObjectType, seen: set[type], value: Any, path: Path) -> None:
        """Let an object of a class in that was not seen before, or raise why it is none of this type."""
        self._refuse_none(place, value, path)
        info = self.raw_info(place.field, path)
        if kind.is_type_of is not None and not kind.is_type_of(value, info):
            error = invalid_return_type_error(kind, value, place.field.details)
            raise located_error(error, place.field.nodes, path.as_list())
        if self.is_awaitable(value):
            raise Surprise
        seen.add(value.__class__)

    def items(self, place: Place, value: Any, path: Path) -> Any:
        """What is no list nor tuple, as a list, or raise why it can't be one."""
        self._refuse_none(place, value, path)
        raise Surprise

    def unit_of(self, place: Place, kinds: Kinds, value: Any, path: Path) -> Unit:
        """The unit of an abstract type's object, which is told by its class, once for each."""
        unit = kinds.known.get(value.__class__)
        if unit is None:
            self._refuse_none(place, value, path)
            abstract = getattr(place.type, "of_type", place.type)
            info = self.raw_info(place.field, path)
            name = (abstract.resolve_type or self.type_resolver)(value, info, abstract)
            if name not in kinds.units:
                raise Surprise
            unit = kinds.known[value.__class__] = kinds.units[name]
        return unit

    def _refuse_none(self, place: Place, value: Any, path: Path) -> None:
        """Raise, where it happened, that there is an exception instead of a value, or none where there must be one."""
        if value is not None and not isinstance(value, Exception):
            return
        field = place.field
        try:
            self.complete_value(place.type, field.details, self.raw_info(field, path), path, value, None)
        except Exception as error:
            raise located_error(error, field.nodes, path.as_list()) from error
        raise Surprise
