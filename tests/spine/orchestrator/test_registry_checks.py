"""What fails at start-up: every operation that could fail later, named."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from spine.bootstrap import Runtime
from spine.consequences.hub import Hub
from spine.contracts.access import Nothing
from spine.contracts.enums import OperationKind
from spine.contracts.errors import RegistryError
from spine.contracts.operations import Operation
from spine.contracts.proof import TakeRunAway
from spine.contracts.runs import RunsByKey
from spine.orchestrator.bridges import capabilities
from spine.orchestrator.context import ReadContext, SequenceContext, WriteContext
from spine.orchestrator.disclosures import of_batch
from spine.orchestrator.handlers import OPERATIONS
from spine.orchestrator.operation_registry import OperationRegistry
from spine.services.clock import system_clock
from spine.storage.unit_of_work import Database, DatabaseSettings
from tests.spine.orchestrator.registries import CONFIG, READING, WRITING, Text, answer


def registry() -> OperationRegistry:
    database = Database(DatabaseSettings(connect={}))  # nothing is dispatched
    return OperationRegistry(database, system_clock, CONFIG, Hub(database, {}, system_clock, timedelta(hours=1)))


def not_a_coroutine(ctx: ReadContext, request: Nothing) -> str:
    return ""


async def of_another_context(ctx: WriteContext, request: Nothing) -> str:
    return ""


async def of_another_request(ctx: ReadContext, request: Text) -> str:
    return ""


async def of_another_result(ctx: ReadContext, request: Nothing) -> int:
    return 1


async def with_more_parameters(ctx: ReadContext, request: Nothing, more: int) -> str:
    return str(more)


async def without_annotations(ctx, request):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    return ""


async def unresolvable(ctx: "Nowhere", request: Nothing) -> str:  # type: ignore[name-defined]  # noqa: F821
    return ""


async def no_mapping(ctx: ReadContext, request: RunsByKey) -> str:
    return ""


async def of_other_values(ctx: ReadContext, request: RunsByKey) -> dict[Any, int]:
    return {}


async def of_one_run(ctx: ReadContext, request: TakeRunAway) -> str:
    return ""


def wrong(base: Operation = READING, **changes: Any) -> Operation:
    return structs.replace(base, **changes)


RUNS = wrong(request=RunsByKey, result=int, handler=of_other_values, batch_key="run_keys", discloses=of_batch)


async def in_sequence(ctx: SequenceContext, request: Nothing) -> str:
    return str(await ctx.perform("test.write", Text("x")))


IN_SEQUENCE = wrong(
    WRITING, kind=OperationKind.SEQUENCE, request=Nothing, handler=in_sequence, dispatches=("test.write",)
)

WRONG = {
    "a handler that is no function": wrong(handler=None),
    "a handler that is a name": wrong(handler="answer"),
    "a handler that does not wait": wrong(handler=not_a_coroutine),
    "a handler whose types do not resolve": wrong(handler=unresolvable),
    "a handler without types": wrong(handler=without_annotations),
    "a READ with a write context": wrong(handler=of_another_context),
    "a WRITE with a read context": wrong(WRITING, handler=answer, request=Nothing),
    "a handler of another request": wrong(handler=of_another_request),
    "a handler of another result": wrong(handler=of_another_result),
    "a handler that wants more": wrong(handler=with_more_parameters),
    "a dependency that no bridge offers": wrong(cross_domain_deps=("logs.no_such_capability",)),
    "a dependency on no bridge": wrong(cross_domain_deps=("nowhere.traces_store_capability",)),
    "a WRITE without a permission": wrong(WRITING, permission=None),
    "a batch key that is no field": wrong(request=RunsByKey, handler=of_other_values, batch_key="keys", result=int),
    "a batch that returns no mapping": wrong(RUNS, handler=no_mapping),
    "a batch of other values": wrong(RUNS, result=str),
    "a batch over runs that does not say which it discloses": wrong(RUNS, discloses=None),
    "a READ of one run that does not say so": wrong(request=TakeRunAway, handler=of_one_run),
    "an idempotent request without a key": wrong(WRITING, handler=of_another_context, request=Nothing, idempotent=True),
    "a READ that dispatches others": wrong(dispatches=("test.write",)),
    "a SEQUENCE without others to dispatch": wrong(IN_SEQUENCE, dispatches=()),
    "a SEQUENCE without a permission": wrong(IN_SEQUENCE, permission=None),
    "a SEQUENCE with a read context": wrong(IN_SEQUENCE, handler=answer),
    "an idempotent READ": wrong(handler=of_another_request, request=Text, idempotent=True),
}


class TestRegistration:
    @pytest.mark.parametrize("operation", WRONG.values(), ids=WRONG)
    def test_refuses_what_would_fail_later_and_names_it(self, operation: Operation) -> None:
        with pytest.raises(RegistryError, match=r"test\.(read|write)"):
            registry().register([operation])

    def test_takes_a_batch_over_runs(self) -> None:
        registry().register([RUNS])

    def test_takes_all_operations_or_none(self) -> None:
        fresh = registry()
        with pytest.raises(RegistryError):
            fresh.register([READING, wrong(handler=None, name="test.other")])
        assert fresh.operations == {}

    def test_refuses_a_name_twice_at_once_and_one_after_the_other(self) -> None:
        fresh = registry()
        with pytest.raises(RegistryError, match=r"test\.read is registered twice"):
            fresh.register([READING, READING])
        fresh.register([READING])
        with pytest.raises(RegistryError, match=r"test\.read is registered twice"):
            fresh.register([READING])

    def test_an_operation_cannot_leave_its_permission_out(self) -> None:
        fields = {name: value for name, value in structs.asdict(READING).items() if name != "permission"}
        with pytest.raises(TypeError, match="permission"):
            Operation(**fields)

    def test_an_operation_cannot_leave_its_dependencies_out(self) -> None:
        fields = {name: value for name, value in structs.asdict(READING).items() if name != "cross_domain_deps"}
        with pytest.raises(TypeError, match="cross_domain_deps"):
            Operation(**fields)

    def test_an_operation_is_frozen(self) -> None:
        with pytest.raises(AttributeError):
            READING.cost = 0  # type: ignore[misc]


class TestFreezing:
    def test_names_the_operation_that_is_to_be_dispatched_and_is_not_there(self) -> None:
        fresh = registry()
        fresh.register([*OPERATIONS, structs.replace(IN_SEQUENCE, name="test.sequence")])
        with pytest.raises(RegistryError, match=r"test\.sequence.*test\.write"):
            fresh.freeze()

    def test_names_the_operation_that_is_to_be_recalled_and_is_not_there(self) -> None:
        fresh = registry()
        fresh.register([*OPERATIONS, structs.replace(READING, recalls="test.absent")])
        with pytest.raises(RegistryError, match=r"test\.read.*test\.absent"):
            fresh.freeze()

    @pytest.mark.parametrize("capability", sorted(capabilities() - {"logs.audit_ledger_write_capability"}))
    def test_names_the_capability_that_nobody_uses(self, capability: str) -> None:
        fresh = registry()
        fresh.register(one for one in OPERATIONS if capability not in one.cross_domain_deps)
        with pytest.raises(RegistryError, match=capability):
            fresh.freeze()

    def test_ends_registration(self) -> None:
        fresh = registry()
        fresh.register(OPERATIONS)
        fresh.freeze()
        with pytest.raises(RegistryError, match="frozen"):
            fresh.register([READING])

    async def test_comes_before_the_first_dispatch(self) -> None:
        fresh = registry()
        fresh.register(OPERATIONS)
        with pytest.raises(RegistryError, match="not frozen"):
            await fresh.execute("account.viewer", Nothing(), None)


class TestTheProductsOperations:
    def test_say_what_they_do_and_cost(self) -> None:
        assert [one.name for one in OPERATIONS if not one.summary.endswith(".") or one.cost < 1] == []

    def test_begin_with_their_domain(self) -> None:
        domains = {one.name.partition(".")[0] for one in OPERATIONS}
        bridged = {name.partition(".")[0] for name in capabilities()}
        assert domains == bridged | {"account", "api_keys", "spine"}

    def test_read_without_a_permission_only_what_is_the_callers_own(self) -> None:
        free = {one.name for one in OPERATIONS if one.permission is None}
        gate = {"integrations.document_policy", "integrations.find_document"}  # asked for every document
        anonymous = {one.name for one in OPERATIONS if one.anonymous}
        own = {"account.viewer", "api_keys.lease_points", "spine.event_cursor"}
        assert free == {*own, *gate, "spine.operations", *anonymous}

    def test_run_without_a_tenant_only_to_authenticate_and_to_find_logs_that_wait(self) -> None:
        logs = {"logs.tenants_waiting", "logs.tenants_unwitnessed", "logs.tenants_unstamped"}
        assert {one.name for one in OPERATIONS if one.anonymous} == {"api_keys.authenticate", *logs}

    def test_are_idempotent_where_a_client_may_report_twice(self, runtime: Runtime) -> None:
        found = {name for name, one in runtime.registry.operations.items() if one.idempotent}
        assert found == {"activity.start_run", "activity.append_steps", "activity.complete_run", "logs.capture"}
        writes = {one.name for one in OPERATIONS if one.kind is OperationKind.WRITE}
        assert found < writes
