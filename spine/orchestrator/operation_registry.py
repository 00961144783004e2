"""The operation registry: the only door from L2 to anything, the owner of every commit.

Dispatch order: authority, request validation, pre-conditions, unit of work, handler, post-conditions (they see the
result and run before the commit), the audit entry in the same transaction, commit. Whatever goes wrong comes back as a
typed result with a stable code; denials, violations and crashes are audited, and raw exception text goes to the log.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec
import structlog

from spine.authority.decision import decide
from spine.consequences.hub import Hub
from spine.contracts.access_log import AccessNote
from spine.contracts.actors import Principal
from spine.contracts.config import RuntimeConfig
from spine.contracts.enums import AuditEntityType, ChangeKind, OperationKind, Topic
from spine.contracts.errors import (
    ErrorCode,
    HocError,
    InternalError,
    InvariantViolated,
    MisuseError,
    RegistryError,
    Unavailable,
    UnknownOperation,
    ValidationFailed,
)
from spine.contracts.events import Change
from spine.contracts.ledger import AuditEvent
from spine.contracts.log import PendingLeaf
from spine.contracts.operations import CHANGING, Invariant, Operation, OperationResult
from spine.orchestrator.bridges import BRIDGES, capabilities
from spine.orchestrator.context import (
    AnonymousContext,
    DispatchFacts,
    ReadContext,
    SequenceContext,
    StreamContext,
    WriteContext,
    dispatching,
)
from spine.orchestrator.leaves import ledger_leaves
from spine.orchestrator.observing import observed
from spine.orchestrator.operation_checks import check_operation
from spine.services.clock import Clock
from spine.services.ids import uuid7
from spine.storage.events import append
from spine.storage.idempotency import recall, remember, turn_of
from spine.storage.sessions import TEMPORARY, BadValue, DatabaseError, StaleStatement, WriteSession
from spine.storage.unit_of_work import UNREACHABLE, Database, Report, RequestSession

REGISTRY_VERSION = "2.0.0"
REQUEST_TAG = b"hoc-spine/request/v1\n"
AUDITED_CODES = {
    ErrorCode.FORBIDDEN,
    ErrorCode.UNKNOWN_OPERATION,
    ErrorCode.POLICY_DENIED,
    ErrorCode.INVARIANT_VIOLATION,
    ErrorCode.INTERNAL,
}

log = structlog.get_logger("hoc.registry")


class OperationRegistry:
    """Operations by name; frozen after start-up."""

    def __init__(self, database: Database, clock: Clock, config: RuntimeConfig, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self._clock = clock
        self._config = config
        self._report: Report | None = None
        self._operations: dict[str, Operation] = {}
        self._frozen = False

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Every registered operation."""
        return self._operations

    def register(self, operations: Iterable[Operation]) -> None:
        """Register all of them or none; RegistryError names the operation that is wrong."""
        if self._frozen:
            raise RegistryError("the registry is frozen")
        added: dict[str, Operation] = {}
        known = capabilities()
        for operation in operations:
            if operation.name in self._operations or operation.name in added:
                raise RegistryError(f"{operation.name} is registered twice")
            check_operation(operation, known)
            added[operation.name] = operation
        self._operations.update(added)

    def freeze(self) -> None:
        """End registration; fails when a bridge capability has no consumer."""
        used = {dependency for operation in self._operations.values() for dependency in operation.cross_domain_deps}
        unused = capabilities() - used - {AUDIT_CAPABILITY}
        if unused:
            raise RegistryError(f"no operation declares {', '.join(sorted(unused))}")
        for operation in self._operations.values():
            unknown = set(operation.dispatches) - set(self._operations)
            if unknown:
                raise RegistryError(f"{operation.name}: it dispatches {', '.join(sorted(unknown))}, which is not there")
            if operation.recalls is not None and operation.recalls not in self._operations:
                raise RegistryError(f"{operation.name}: it recalls {operation.recalls}, which is not there")
        self._frozen = True

    def get_session_dep(self) -> RequestSession:
        """The session that L2 holds for one request: opened lazily, closed with the request."""
        return self._database.request(self._report)

    def keep_accesses(self, report: Report) -> None:
        """From now on report what every request's operations disclose of runs."""
        self._report = report

    async def execute(
        self,
        name: str,
        request: Any,
        principal: Principal | None,
        *,
        session: RequestSession | None = None,
        request_id: str | None = None,
    ) -> OperationResult[Any]:
        """Dispatch one operation; never raises for anything that a caller or the database did."""
        request_id = request_id or uuid4().hex
        if not self._frozen:
            raise RegistryError("the registry is not frozen yet")
        operation = self._operations.get(name)
        return await observed(operation, self._answer(name, operation, request, principal, session, request_id))

    async def _answer(
        self,
        name: str,
        operation: Operation | None,
        request: Any,
        principal: Principal | None,
        session: RequestSession | None,
        request_id: str,
    ) -> OperationResult[Any]:
        if operation is None:
            return await self._refuse(name, UnknownOperation(name), principal, request_id)
        decision = decide(operation, principal)
        if decision.error is not None:
            return await self._refuse(name, decision.error, principal, request_id)
        try:
            value = await self._dispatch(operation, request, principal, session, request_id)
        except MisuseError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a typed answer
            answer = answer_to(error, name, request_id)
            if operation.on_failure is not None and principal is not None:
                await self._keep_failure(operation, request, principal, request_id, answer)
            return await self._refuse(name, answer, principal, request_id)
        return OperationResult(name, value, None)

    async def _keep_failure(
        self, operation: Operation, request: Any, principal: Principal, request_id: str, error: HocError
    ) -> None:
        """Let the operation keep what its failure leaves to be told; that it could not goes to the log."""
        keep: Any = operation.on_failure
        if not isinstance(request, operation.request):
            return
        try:
            with dispatching(operation.name):
                async with self._database.write(principal.tenant_id) as writing:
                    await keep(WriteContext(operation, principal, self._facts(request_id), writing), request, error)
        except (HocError, DatabaseError, *UNREACHABLE) as failure:
            log.error("failure.lost", operation=operation.name, request_id=request_id, error=repr(failure))  # noqa: TRY400

    async def _dispatch(
        self,
        operation: Operation,
        request: Any,
        principal: Principal | None,
        session: RequestSession | None,
        request_id: str,
    ) -> Any:
        if not isinstance(request, operation.request):
            raise ValidationFailed(f"{operation.name} takes {operation.request.__name__}")
        if operation.validate is not None:
            operation.validate(request)
        _hold(operation.before, request)
        with dispatching(operation.name):
            if operation.anonymous:
                return await _rerun_once(lambda: self._read_anonymously(operation, request, request_id))
            if principal is None:
                raise MisuseError(f"{operation.name} was dispatched without a principal")
            if operation.kind is OperationKind.STREAM:
                return await operation.handler(
                    StreamContext(operation, principal, self._facts(request_id), self._hub), request
                )
            if operation.kind in CHANGING:
                result = await self._change(operation, request, principal, request_id)
                if session is not None:
                    await session.renew()
                return result
            return await self._read(operation, request, principal, session, request_id)

    async def _change(self, operation: Operation, request: Any, principal: Principal, request_id: str) -> Any:
        if operation.kind is OperationKind.WRITE:
            return await _rerun_once(lambda: self._write(operation, request, principal, request_id))

        async def dispatch(name: str, step: Any) -> OperationResult[Any]:
            return await self.execute(name, step, principal, request_id=request_id)

        result = await operation.handler(
            SequenceContext(operation, principal, self._facts(request_id), dispatch), request
        )
        _hold(operation.after, request, result)
        return result

    def _facts(self, request_id: str) -> DispatchFacts:
        return DispatchFacts(request_id, self._clock(), self._config, self._operations)

    async def _read_anonymously(self, operation: Operation, request: Any, request_id: str) -> Any:
        async with self._database.anonymous() as session:
            return await operation.handler(AnonymousContext(session, self._facts(request_id)), request)

    async def _read(
        self,
        operation: Operation,
        request: Any,
        principal: Principal,
        session: RequestSession | None,
        request_id: str,
    ) -> Any:
        if session is None:
            session = self.get_session_dep()
            try:
                return await self._read(operation, request, principal, session, request_id)
            finally:
                await session.close()
        try:
            return await self._read_once(operation, request, principal, session, request_id)
        except StaleStatement:
            await session.renew()
            return await self._read_once(operation, request, principal, session, request_id)

    async def _read_once(
        self, operation: Operation, request: Any, principal: Principal, session: RequestSession, request_id: str
    ) -> Any:
        async with session.reading(principal.tenant_id, lasting=_is_asked_alike(operation, request)) as reading:
            context = ReadContext(operation, principal, self._facts(request_id), reading)
            try:
                result = await operation.handler(context, request)
            except StaleStatement:
                raise
            except DatabaseError:
                await reading.recover()
                raise
            _hold(operation.after, request, result)
            if session.notes is not None and operation.discloses is not None:
                told = operation.discloses(request, result)
                if told.run_keys:
                    session.notes.append(AccessNote(principal, request_id, operation.name, told))
            return result

    async def _write(self, operation: Operation, request: Any, principal: Principal, request_id: str) -> Any:
        key = request.idempotency_key if operation.idempotent else None
        turn = None if key is None else turn_of(principal.tenant_id, operation, key)
        async with self._database.write(principal.tenant_id, turn) as writing:
            context = WriteContext(operation, principal, self._facts(request_id), writing)
            if key is not None:
                digests = request_digests(self._config.key_pepper, request)
                found = await recall(writing, operation, key, digests)
                if found is not None:
                    return found
            result = await operation.handler(context, request)
            _hold(operation.after, request, result)
            if key is not None:
                await remember(writing, operation, key, digests[0], result, context.now)
            audited = await self._audit(writing, operation.name, context.events, principal, request_id, context.leaves)
            changes = [*context.changes, *audited]
            await append(writing, changes, context.now)
        if changes:
            self._hub.committed(principal.tenant_id)
        return result

    async def _audit(
        self,
        writing: WriteSession,
        operation: str,
        events: Sequence[AuditEvent],
        principal: Principal,
        request_id: str,
        leaves: Sequence[PendingLeaf] = (),
    ) -> list[Change]:
        """Append the entries to the ledger, and queue their leaves with the handler's; what that changed."""
        now = self._clock()
        entries = {uuid7(): event for event in events}
        ledger = BRIDGES["logs"].audit_ledger_write_capability()
        appended = ledger.insert_entries(entries, operation, principal.actor, request_id, now)
        await writing.insert(appended)
        await writing.insert(ledger.queue_leaves([*leaves, *ledger_leaves(appended, now)]))
        return [Change(Topic.AUDIT, ChangeKind.ADDED, key) for key in entries]

    async def _refuse(
        self, name: str, error: HocError, principal: Principal | None, request_id: str
    ) -> OperationResult[Any]:
        log.info("operation.refused", operation=name, request_id=request_id, code=error.code)
        if principal is not None and error.code in AUDITED_CODES:
            event = AuditEvent(
                event_type="OperationFailed" if error.code is ErrorCode.INTERNAL else "OperationDenied",
                entity_type=AuditEntityType.OPERATION,
                entity_id=name[:200],
                after={"code": error.code},
            )
            try:
                async with self._database.write(principal.tenant_id) as writing:
                    changes = await self._audit(writing, name[:200], [event], principal, request_id)
                    await append(writing, changes, self._clock())
                self._hub.committed(principal.tenant_id)
            except (HocError, DatabaseError, *UNREACHABLE) as failure:
                log.error("audit.lost", operation=name, request_id=request_id, error=repr(failure))  # noqa: TRY400
        return OperationResult(name, None, error)


def answer_to(error: Exception, operation: str, request_id: str) -> HocError:
    """What a caller is told of a failure; anything that is not meant for callers goes to the log alone.

    A refused value is named by its error's type: the text of such an error quotes the value.
    """
    if isinstance(error, HocError):
        return error
    facts = {"operation": operation, "request_id": request_id, "error": type(error).__name__}
    if isinstance(error, (BadValue, UnicodeEncodeError)):  # such as U+0000, or a number beyond 64 bits
        log.info("operation.unstorable", **facts)
        return ValidationFailed("a value is out of range, or holds what is not text")
    if isinstance(error, (*TEMPORARY, *UNREACHABLE, TimeoutError, StaleStatement)):  # stale again: a newer database
        log.warning("operation.unavailable", **facts, reason=str(error))
        return Unavailable("the database did not answer in time")
    log.error("operation.crashed", **facts, exc_info=error)
    return InternalError()


AUDIT_CAPABILITY = "logs.audit_ledger_write_capability"


async def _rerun_once(dispatch: Callable[[], Awaitable[Any]]) -> Any:
    """After a migration a cached statement fails once; its transaction was rolled back whole, so run it again."""
    try:
        return await dispatch()
    except StaleStatement:
        return await dispatch()


def request_digests(pepper: bytes, request: msgspec.Struct) -> tuple[bytes, bytes]:
    """What makes two requests under one idempotency key the same: as it is remembered, and as it used to be.

    A request may hold payloads, which could be guessed from a plain digest after they were erased. It is remembered for
    longer than they are, so its digest is keyed: the pepper is not in the database.
    """
    written = msgspec.json.encode(request, order="deterministic")
    return hmac.digest(pepper, REQUEST_TAG + written, "sha256"), hashlib.sha256(written).digest()


def _is_asked_alike(operation: Operation, request: Any) -> bool:
    """Whether one plan serves whoever asks: lookups by keys, and lists that nothing narrows."""
    narrowing = getattr(request, "filter", None)
    return operation.batch_key is not None or (narrowing is not None and narrowing == type(narrowing)())


def _hold(invariants: tuple[Invariant, ...], *facts: Any) -> None:
    for invariant in invariants:
        if not invariant.holds(*facts):
            raise InvariantViolated(invariant.id, invariant.message)
