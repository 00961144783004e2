"""Per-run limits: reading them, and setting, changing and disabling them."""

from datetime import datetime
from uuid import UUID

from domains.controls import driver, engine
from spine.contracts.enums import AuditEntityType, Consequence, LimitStatus, OperationKind, Permission
from spine.contracts.errors import Conflict, NotFound
from spine.contracts.governance import (
    CreateLimit,
    DisableLimit,
    LimitChanged,
    LimitsByKey,
    LimitSummary,
    ListLimits,
    UpdateLimit,
)
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.orchestrator.context import ReadContext, WriteContext
from spine.services.ids import uuid7
from spine.services.limit_units import stored_value
from spine.storage.keyset import Keyset, page_of

LIMITS = Keyset("controls.limits", (datetime, UUID))


async def list_limits(ctx: ReadContext, request: ListLimits) -> Page[LimitSummary]:
    """A page of limits, newest first."""
    whole = driver.list_limits(request.status)
    counted = driver.count_limits(request.status) if request.count else None
    rows, total = await ctx.session.fetch_counted(LIMITS.read(whole, driver.ORDER, request.page), counted)
    return page_of(rows, request.page.first, lambda limit: LIMITS.cursor(limit.created_at, limit.key), total)


async def limits_by_key(ctx: ReadContext, request: LimitsByKey) -> dict[UUID, LimitSummary]:
    """The limits that exist of these keys."""
    return {limit.key: limit for limit in await ctx.session.fetch(driver.limits_by_key(request.limit_keys))}


async def create_limit(ctx: WriteContext, request: CreateLimit) -> LimitChanged:
    """Set a per-run limit."""
    key, actor = uuid7(), ctx.principal.actor
    await ctx.session.execute(
        driver.insert_limit(
            {
                "id": key,
                "name": request.name,
                "limit_type": request.limit_type,
                "scope": request.scope,
                "scope_id": request.scope_id,
                "max_value": stored_value(request.limit_type, request.max_value),
                "consequence": request.consequence,
                "status": LimitStatus.ACTIVE,
                "created_at": ctx.now,
                "updated_at": ctx.now,
                "created_by_kind": actor.kind,
                "created_by_id": actor.id,
                "created_by_name": actor.name,
            },
        ),
    )
    await _record(ctx, "LimitCreated", key, None)
    return LimitChanged(key)


async def update_limit(ctx: WriteContext, request: UpdateLimit) -> LimitChanged:
    """Change a limit that is in force; what runs hit before keeps the value of its moment."""
    before = await _locked(ctx, request.limit_key)
    await _change(
        ctx,
        before,
        name=before.name if request.name is None else request.name,
        max_value=stored_value(before.limit_type, before.max_value if request.max_value is None else request.max_value),
        consequence=before.consequence if request.consequence is None else request.consequence,
        status=LimitStatus.ACTIVE,
    )
    await _record(ctx, "LimitUpdated", request.limit_key, before)
    return LimitChanged(request.limit_key)


async def disable_limit(ctx: WriteContext, request: DisableLimit) -> LimitChanged:
    """Take a limit out of force."""
    before = await _locked(ctx, request.limit_key)
    await _change(
        ctx,
        before,
        name=before.name,
        max_value=stored_value(before.limit_type, before.max_value),
        consequence=before.consequence,
        status=LimitStatus.DISABLED,
    )
    await _record(ctx, "LimitDisabled", request.limit_key, before, request.reason)
    return LimitChanged(request.limit_key)


async def _locked(ctx: WriteContext, key: UUID) -> LimitSummary:
    limit = await ctx.session.fetch_one(driver.lock_limit(key))
    if limit is None:
        raise NotFound(driver.LIMIT, str(key))
    if limit.status is LimitStatus.DISABLED:
        raise Conflict("this limit is disabled")
    return limit


async def _change(
    ctx: WriteContext,
    limit: LimitSummary,
    *,
    name: str,
    max_value: int,
    consequence: Consequence,
    status: LimitStatus,
) -> None:
    values = {
        "new_name": name,
        "new_value": max_value,
        "new_consequence": consequence,
        "new_status": status,
        "now": ctx.now,
    }
    await ctx.session.execute(driver.change_limit(limit.key, values))


async def _record(
    ctx: WriteContext, event_type: str, key: UUID, before: LimitSummary | None, reason: str | None = None
) -> None:
    [after] = await ctx.session.fetch(driver.limits_by_key([key]))
    ctx.record(
        AuditEvent(
            event_type=event_type,
            entity_type=AuditEntityType.LIMIT,
            entity_id=after.id,
            reason=reason,
            before=None if before is None else _state(before),
            after=_state(after),
        ),
    )


def _state(limit: LimitSummary) -> dict[str, object]:
    return {
        "name": limit.name,
        "limit_type": limit.limit_type,
        "scope": limit.scope,
        "scope_id": limit.scope_id,
        "max_value": str(limit.max_value),
        "unit": limit.unit,
        "consequence": limit.consequence,
        "status": limit.status,
    }


OPERATIONS = (
    Operation(
        name="controls.limits",
        kind=OperationKind.READ,
        request=ListLimits,
        result=Page[LimitSummary],
        handler=list_limits,
        permission=Permission.POLICIES_READ,
        cross_domain_deps=(),
        cost=5,
        summary="A page of per-run limits, newest first.",
    ),
    Operation(
        name="controls.limits_by_key",
        kind=OperationKind.READ,
        request=LimitsByKey,
        result=LimitSummary,
        handler=limits_by_key,
        permission=Permission.POLICIES_READ,
        cross_domain_deps=(),
        cost=1,
        batch_key="limit_keys",
        summary="Per-run limits by key.",
    ),
    Operation(
        name="controls.create_limit",
        kind=OperationKind.WRITE,
        request=CreateLimit,
        result=LimitChanged,
        handler=create_limit,
        permission=Permission.POLICIES_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_new_limit,
        before=(engine.BI_CTRL_001,),
        summary="Set a per-run limit.",
    ),
    Operation(
        name="controls.update_limit",
        kind=OperationKind.WRITE,
        request=UpdateLimit,
        result=LimitChanged,
        handler=update_limit,
        permission=Permission.POLICIES_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_limit_change,
        before=(engine.BI_CTRL_001,),
        summary="Change a per-run limit.",
    ),
    Operation(
        name="controls.disable_limit",
        kind=OperationKind.WRITE,
        request=DisableLimit,
        result=LimitChanged,
        handler=disable_limit,
        permission=Permission.POLICIES_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_disabling,
        summary="Take a per-run limit out of force.",
    ),
)
