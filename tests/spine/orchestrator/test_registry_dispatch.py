"""Dispatching: typed answers, an audit of what was refused, one transaction a write and one snapshot a read."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from sqlalchemy import Select, bindparam, insert, literal_column, select
from sqlalchemy import Text as SqlText

from domains.account import driver
from domains.account.tables import tenants
from spine.bootstrap import Runtime
from spine.contracts.access import CreateKey, Nothing
from spine.contracts.actors import Principal
from spine.contracts.enums import AuditEntityType, LimitType, Permission, Role
from spine.contracts.errors import CoordinatorMisuse, ErrorCode, MisuseError, NotFound, UndeclaredDependency
from spine.contracts.governance import CreateLimit, LimitSummary, ListLimits
from spine.contracts.ledger import AuditEvent, ListAuditEntries
from spine.contracts.operations import Invariant, OperationResult
from spine.contracts.paging import Page, PageRequest
from spine.contracts.statements import Read, Write
from spine.orchestrator.context import ReadContext, WriteContext
from spine.orchestrator.coordinators.run_ingest_coordinator import ingest_spans
from spine.orchestrator.coordinators.run_lifecycle_coordinator import append_steps, complete_run, start_run
from spine.orchestrator.operation_registry import OperationRegistry
from spine.storage.sessions import ReadSession, WriteSession
from tests.conftest import Execute, owner_of
from tests.spine.orchestrator.registries import READING, Text, reading, registry_with, writing

SECRET = "the password is swordfish"
SLUGS = Read(select(tenants.c.slug).where(tenants.c.tenant_id == bindparam("tenant_id")), {}, lambda row: str(row[0]))
FAILING = Read(select(literal_column("1/0")), {}, lambda row: row[0])


def rename(slug: str) -> Write:
    """No statement of the product: the tenant exists already."""
    values = {"tenant_id": bindparam("tenant_id"), "slug": slug, "created_at": datetime.now(UTC)}
    return Write(insert(tenants).values(values), {})


async def audits(execute: Execute, principal: Principal) -> list[tuple[str, str, str]]:
    """(event, entity id, state) of what the ledger says of operations, newest first."""
    page = (await execute("logs.audit_entries", ListAuditEntries(page=PageRequest(100)), principal)).unwrap()
    entries = [entry for entry in page.nodes if entry.entity_type is AuditEntityType.OPERATION]
    return [(entry.event_type, entry.entity_id, entry.after_state or "") for entry in entries]


def said(result: OperationResult[Any]) -> str:
    return f"{result.error!r} {result.error}"


class TestRefusals:
    async def test_an_unknown_operation_is_refused_and_audited(self, execute: Execute, principal: Principal) -> None:
        result = await execute("runs.drop", Nothing(), principal)
        assert result.error is not None
        assert result.error.code is ErrorCode.UNKNOWN_OPERATION
        assert await audits(execute, principal) == [("OperationDenied", "runs.drop", '{"code":"UNKNOWN_OPERATION"}')]

    async def test_a_missing_permission_is_refused_and_audited(self, execute: Execute, principal: Principal) -> None:
        viewer = structs.replace(principal, permissions=frozenset({Permission.RUNS_READ}))
        request = CreateKey(name="mine", role=Role.OWNER)
        result = await execute("api_keys.create_key", request, viewer)
        assert result.error is not None
        assert result.error.code is ErrorCode.FORBIDDEN
        assert "api_keys:manage" in result.error.message
        assert await audits(execute, principal) == [("OperationDenied", "api_keys.create_key", '{"code":"FORBIDDEN"}')]

    async def test_nobody_is_refused_and_has_no_ledger_to_write_to(self, execute: Execute) -> None:
        result = await execute("activity.runs", Nothing(), None)
        assert result.error is not None
        assert result.error.code is ErrorCode.UNAUTHENTICATED

    async def test_a_request_of_another_type_is_refused(self, execute: Execute, principal: Principal) -> None:
        result = await execute("activity.runs", {"first": 1}, principal)
        assert result.error is not None
        assert result.error.code is ErrorCode.VALIDATION

    async def test_a_broken_invariant_before_the_handler_is_audited(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        async def never(ctx: WriteContext, request: Text) -> str:
            raise AssertionError("the handler ran")

        polite = Invariant("BI-TEST-001", "texts are polite", lambda request: request.text == "please")
        registry = registry_with(runtime, writing(never, before=(polite,)))
        result = await registry.execute("test.write", Text("now"), principal)
        assert said(result) == "InvariantViolated('BI-TEST-001: texts are polite') BI-TEST-001: texts are polite"
        assert await audits(registry.execute, principal) == [
            ("OperationDenied", "test.write", '{"code":"INVARIANT_VIOLATION"}')
        ]

    async def test_a_broken_invariant_after_the_handler_undoes_it(self, runtime: Runtime, principal: Principal) -> None:
        async def limit(ctx: WriteContext, request: Text) -> str:
            ctx.record(AuditEvent(event_type="Kept", entity_type=AuditEntityType.OPERATION, entity_id="kept"))
            return "bad"

        good = Invariant("BI-TEST-002", "answers are good", lambda _request, result: result == "good")
        registry = registry_with(runtime, writing(limit, after=(good,)))
        result = await registry.execute("test.write", Text("x"), principal)
        assert result.error is not None
        assert result.error.code is ErrorCode.INVARIANT_VIOLATION
        assert [event for event, *_ in await audits(registry.execute, principal)] == ["OperationDenied"]

    @pytest.mark.parametrize("kind", [reading, writing])
    async def test_a_crash_is_masked_and_audited(
        self, runtime: Runtime, principal: Principal, kind: Callable[..., Any]
    ) -> None:
        async def read(ctx: ReadContext, request: Nothing) -> str:
            raise RuntimeError(SECRET)

        async def write(ctx: WriteContext, request: Text) -> str:
            raise RuntimeError(SECRET)

        operation = kind(read if kind is reading else write)
        registry = registry_with(runtime, operation)
        request = Nothing() if kind is reading else Text("x")
        result = await registry.execute(operation.name, request, principal)
        assert said(result) == "InternalError('an internal error occurred') an internal error occurred"
        assert await audits(registry.execute, principal) == [("OperationFailed", operation.name, '{"code":"INTERNAL"}')]

    async def test_an_error_of_the_database_shows_nothing_of_itself(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        async def read(ctx: ReadContext, request: Nothing) -> str:
            missing: Select[Any] = select(literal_column("hidden_column")).select_from(tenants)
            return str(await ctx.session.fetch(Read(missing, {}, lambda row: row[0])))

        result = await registry_with(runtime, reading(read)).execute("test.read", Nothing(), principal)
        assert said(result) == "InternalError('an internal error occurred') an internal error occurred"


class TestMisuse:
    async def test_a_capability_that_is_not_declared_is_out_of_reach(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        async def read(ctx: ReadContext, request: Nothing) -> str:
            ctx.bridge("incidents").incidents_for_run_capability()
            return "reached"

        with pytest.raises(UndeclaredDependency, match=r"test\.read does not declare incidents"):
            await registry_with(runtime, reading(read)).execute("test.read", Nothing(), principal)
        declared = reading(read, cross_domain_deps=("incidents.incidents_for_run_capability",))
        assert (await registry_with(runtime, declared).execute("test.read", Nothing(), principal)).unwrap() == "reached"

    async def test_a_misuse_gives_its_connection_back(self, runtime: Runtime, principal: Principal) -> None:
        async def write(ctx: WriteContext, request: Text) -> str:
            ctx.bridge("logs").traces_store_capability()
            return ""

        registry = registry_with(runtime, writing(write))
        for _ in range(25):  # more than the pool has connections
            with pytest.raises(UndeclaredDependency):
                await registry.execute("test.write", Text("x"), principal)

    @pytest.mark.parametrize("coordinator", [ingest_spans, start_run, append_steps, complete_run])
    async def test_a_coordinator_is_entered_through_the_registry_alone(self, coordinator: Any) -> None:
        with pytest.raises(CoordinatorMisuse, match="Coordinator was entered outside"):
            await coordinator(None, None)

    async def test_a_transaction_whose_statement_failed_is_never_called_committed(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        async def write(ctx: WriteContext, request: Text) -> str:
            try:
                await ctx.session.fetch(FAILING)
            except asyncpg.PostgresError:
                return "went on regardless"
            return ""

        with pytest.raises(MisuseError, match="was to be committed"):
            await registry_with(runtime, writing(write)).execute("test.write", Text("x"), principal)


class TestReads:
    def test_a_read_session_has_no_way_to_write(self) -> None:
        assert {"execute", "insert"} <= set(dir(WriteSession)) - set(dir(ReadSession))

    async def test_a_read_that_writes_by_a_trick_is_stopped_by_postgresql(
        self, runtime: Runtime, principal: Principal
    ) -> None:
        async def read(ctx: ReadContext, request: Nothing) -> str:
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError) as caught:
                await WriteSession.execute(ctx.session, rename("stolen"))  # type: ignore[arg-type]
            await ctx.session.recover()
            return str(caught.value.sqlstate)

        registry = registry_with(runtime, reading(read))
        assert (await registry.execute("test.read", Nothing(), principal)).unwrap() == "25006"

    async def test_the_operations_of_a_request_see_one_snapshot(
        self, execute: Execute, runtime: Runtime, principal: Principal
    ) -> None:
        session = runtime.registry.get_session_dep()
        limits = ListLimits(page=PageRequest(10), count=True)
        limit = CreateLimit(name="tokens", limit_type=LimitType.TOKENS_TOTAL, max_value=Decimal(5))

        async def count() -> int | None:
            page: Page[LimitSummary] = (await execute("controls.limits", limits, principal, session=session)).unwrap()
            return page.total_count

        assert await count() == 0
        (await execute("controls.create_limit", structs.replace(limit, name="by another"), principal)).unwrap()
        assert await count() == 0, "another request's commit is not in the snapshot"
        (await execute("controls.create_limit", limit, principal, session=session)).unwrap()
        assert await count() == 2, "a write of its own renews the snapshot"
        await session.close()

    async def test_a_session_serves_one_tenant(self, execute: Execute, principal: Principal, other: Principal) -> None:
        session = execute.__self__.get_session_dep()  # type: ignore[attr-defined]
        (await execute("account.viewer", Nothing(), principal, session=session)).unwrap()
        result = await execute("account.viewer", Nothing(), other, session=session)
        assert result.error is not None
        await session.close()

    async def test_a_failed_read_leaves_the_request_able_to_read(self, runtime: Runtime, principal: Principal) -> None:
        async def read(ctx: ReadContext, request: Nothing) -> str:
            await ctx.session.fetch(FAILING)
            return ""

        registry = registry_with(runtime, reading(read))
        session = registry.get_session_dep()
        result = await registry.execute("test.read", Nothing(), principal, session=session)
        assert result.error is not None
        (await registry.execute("account.viewer", Nothing(), principal, session=session)).unwrap()
        await session.close()

    async def test_a_read_waits_for_a_lock_no_longer_than_its_timeout(
        self, execute: Execute, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        blocker = await asyncpg.connect(**superuser)
        try:
            async with blocker.transaction():
                await blocker.execute("LOCK TABLE limits IN ACCESS EXCLUSIVE MODE")
                started = asyncio.get_running_loop().time()
                result = await execute("controls.limits", ListLimits(page=PageRequest(1)), principal)
                waited = asyncio.get_running_loop().time() - started
        finally:
            await blocker.close()
        assert result.error is not None
        assert result.error.code is ErrorCode.UNAVAILABLE
        assert 0.1 < waited < 1.5
        (await execute("controls.limits", ListLimits(page=PageRequest(1)), principal)).unwrap()


class TestWrites:
    async def test_a_write_that_fails_leaves_nothing(self, runtime: Runtime, principal: Principal) -> None:
        async def write(ctx: WriteContext, request: Text) -> str:
            await ctx.session.insert(driver.create_tenant("copy", ctx.now))
            await ctx.session.execute(rename("twice"))
            return ""

        registry = registry_with(runtime, writing(write))
        before = await registry.execute("account.viewer", Nothing(), principal)
        result = await registry.execute("test.write", Text("x"), principal)
        assert result.error is not None
        assert result.error.code is ErrorCode.CONFLICT
        assert await audits(registry.execute, principal) == []
        assert (await registry.execute("account.viewer", Nothing(), principal)).unwrap() == before.unwrap()

    async def test_an_error_undoes_what_was_written_before_it(self, runtime: Runtime) -> None:
        stranger = owner_of("never-made")

        async def write(ctx: WriteContext, request: Text) -> str:
            assert await ctx.session.insert(driver.create_tenant("never-made", ctx.now)) == 1
            raise NotFound("run", "1")

        registry = registry_with(runtime, writing(write))
        result = await registry.execute("test.write", Text("x"), stranger)
        assert isinstance(result.error, NotFound)
        viewer = await registry.execute("account.viewer", Nothing(), stranger)
        assert isinstance(viewer.error, NotFound)

    async def test_a_change_and_its_audit_entry_are_one(self, execute: Execute, principal: Principal) -> None:
        request = CreateKey(name="ours", role=Role.VIEWER)
        made = (await execute("api_keys.create_key", request, principal, request_id="request 7")).unwrap()
        entries = (await execute("logs.audit_entries", ListAuditEntries(page=PageRequest(9)), principal)).unwrap().nodes
        (entry,) = [one for one in entries if one.entity_id == made.key_id]
        assert (entry.operation, entry.event_type, entry.request_id) == (
            "api_keys.create_key",
            "ApiKeyCreated",
            "request 7",
        )
        assert entry.actor == principal.actor

    @pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
    async def test_a_text_that_cannot_be_stored_is_the_callers_mistake(
        self, runtime: Runtime, principal: Principal, text: str
    ) -> None:
        async def write(ctx: WriteContext, request: Text) -> str:
            given = select(bindparam("given", type_=SqlText))
            return str(await ctx.session.fetch(Read(given, {"given": request.text}, lambda row: row[0])))

        async def read(ctx: ReadContext, request: Text) -> str:
            given = select(bindparam("given", type_=SqlText))
            return str(await ctx.session.fetch(Read(given, {"given": request.text}, lambda row: row[0])))

        registry = registry_with(
            runtime, writing(write, idempotent=True), structs.replace(READING, handler=read, request=Text)
        )
        for name in ("test.read", "test.write"):
            result = await registry.execute(name, Text(text), principal)
            assert result.error is not None
            assert result.error.code is ErrorCode.VALIDATION, name
            assert await audits(registry.execute, principal) == []


async def audited(ctx: WriteContext, request: Text) -> str:
    ctx.record(AuditEvent(event_type="Tried", entity_type=AuditEntityType.OPERATION, entity_id="x"))
    return request.text


class TestMigrationsWhileServing:
    """A column of another type makes a cached statement fail once: it is run again, unnoticed."""

    async def alter(self, superuser: dict[str, Any], kind: str) -> None:
        await self.change(superuser, f"tenants ALTER COLUMN slug TYPE {kind}")

    async def change(self, superuser: dict[str, Any], change: str) -> None:
        connection = await asyncpg.connect(**superuser)
        try:
            await connection.execute(f"ALTER TABLE {change}")
        finally:
            await connection.close()

    @pytest.mark.parametrize("shared", [True, False])
    async def test_a_read_is_run_again(
        self, execute: Execute, runtime: Runtime, principal: Principal, superuser: dict[str, Any], *, shared: bool
    ) -> None:
        session = runtime.registry.get_session_dep() if shared else None
        (await execute("account.viewer", Nothing(), principal)).unwrap()
        try:
            await self.alter(superuser, "varchar(63)")
            result = await execute("account.viewer", Nothing(), principal, session=session)
            assert result.unwrap().tenant.startswith("t-")
        finally:
            if session is not None:
                await session.close()
            await self.alter(superuser, "text")
        (await execute("account.viewer", Nothing(), principal)).unwrap()

    async def test_a_write_is_run_again_and_writes_once(
        self, runtime: Runtime, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        async def write(ctx: WriteContext, request: Text) -> str:
            ctx.record(AuditEvent(event_type="Tried", entity_type=AuditEntityType.OPERATION, entity_id="x"))
            return str(await ctx.session.fetch_one(SLUGS))

        registry: OperationRegistry = registry_with(runtime, writing(write))
        (await registry.execute("test.write", Text("x"), principal)).unwrap()
        try:
            await self.alter(superuser, "varchar(63)")
            assert (await registry.execute("test.write", Text("x"), principal)).unwrap().startswith("t-")
        finally:
            await self.alter(superuser, "text")
        assert [event for event, *_ in await audits(registry.execute, principal)] == ["Tried", "Tried"]

    async def test_a_write_of_rows_to_a_changed_table_is_run_again_and_writes_once(
        self, runtime: Runtime, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        registry = registry_with(runtime, writing(audited))
        (await registry.execute("test.write", Text("x"), principal)).unwrap()
        try:
            await self.change(superuser, "audit_ledger ALTER COLUMN request_id TYPE varchar(99)")
            (await registry.execute("test.write", Text("x"), principal)).unwrap()
        finally:
            await self.change(superuser, "audit_ledger ALTER COLUMN request_id TYPE text")
        (await registry.execute("test.write", Text("x"), principal)).unwrap()
        assert [event for event, *_ in await audits(registry.execute, principal)] == ["Tried"] * 3

    async def test_a_table_with_a_column_that_the_program_does_not_know_is_for_a_newer_one_to_write(
        self, runtime: Runtime, principal: Principal, superuser: dict[str, Any]
    ) -> None:
        registry = registry_with(runtime, writing(audited))
        (await registry.execute("test.write", Text("x"), principal)).unwrap()
        try:
            await self.change(superuser, "audit_ledger ADD COLUMN newer text")
            result = await registry.execute("test.write", Text("x"), principal)
        finally:
            await self.change(superuser, "audit_ledger DROP COLUMN newer")
        assert result.error is not None
        assert result.error.code is ErrorCode.UNAVAILABLE
        (await registry.execute("test.write", Text("x"), principal)).unwrap()
        assert [event for event, *_ in await audits(registry.execute, principal)] == ["Tried"] * 2
