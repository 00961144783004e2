"""API keys: authenticating them, and making, freezing and revoking them."""

from domains.api_keys import driver, driver_budgets, engine, engine_budgets
from spine.authority.rbac import permissions_of
from spine.contracts.access import (
    Authenticate,
    ChangeKey,
    CreateKey,
    KeyChanged,
    KeyCreated,
    LeasePoints,
    PointsLeased,
)
from spine.contracts.actors import Principal
from spine.contracts.enums import ActorKind, AuditEntityType, OperationKind, Permission
from spine.contracts.errors import Conflict, NotFound, Unauthenticated
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.orchestrator.context import AnonymousContext, WriteContext


async def authenticate(ctx: AnonymousContext, request: Authenticate) -> Principal:
    """The principal of a presented key; Unauthenticated or KeyFrozen when it may not be used."""
    parts = engine.parse(request.presented)
    found = await ctx.session.fetch_one(driver.find_key(parts.key_id))
    if found is None:
        raise Unauthenticated
    engine.admit(ctx.config.key_pepper, parts, found.secret_hash, found.status)
    await ctx.session.become(found.tenant_id)
    details = await ctx.session.fetch_one(driver.key_details(parts.key_id))
    if details is None:
        raise Unauthenticated
    permissions = permissions_of(details.role, details.scopes)
    return Principal(found.tenant_id, details.actor, details.role, permissions, details.key_id)


async def create_key(ctx: WriteContext, request: CreateKey) -> KeyCreated:
    """Make a key; the answer is the only place that ever shows it."""
    parts, text = engine.new_key(ctx.config.key_environment)
    await ctx.session.execute(
        driver.insert_key(
            {
                "key_id": parts.key_id,
                "name": request.name,
                "role": request.role,
                "scopes": list(request.scopes),
                "actor_kind": ActorKind.SERVICE if request.scopes else ActorKind.HUMAN,
                "actor_id": parts.key_id,
                "secret_hash": engine.secret_hash(ctx.config.key_pepper, parts),
                "created_at": ctx.now,
                "expires_at": request.expires_at,
                "frozen_at": None,
                "revoked_at": None,
                "revoked_reason": None,
            },
        ),
    )
    after = {"name": request.name, "role": request.role, "scopes": request.scopes, "expires_at": request.expires_at}
    ctx.record(_event("ApiKeyCreated", parts.key_id, None, after))
    return KeyCreated(parts.key_id, text)


async def freeze_key(ctx: WriteContext, request: ChangeKey) -> KeyChanged:
    """Refuse a key until it is unfrozen."""
    state = await _state(ctx, request.key_id)
    if state.frozen:
        raise Conflict("this key is frozen already")
    await ctx.session.execute(driver.set_frozen(request.key_id, ctx.now))
    ctx.record(_event("ApiKeyFrozen", request.key_id, request.reason, {"frozen": True}))
    return KeyChanged(request.key_id)


async def unfreeze_key(ctx: WriteContext, request: ChangeKey) -> KeyChanged:
    """Admit a frozen key again."""
    state = await _state(ctx, request.key_id)
    if not state.frozen:
        raise Conflict("this key is not frozen")
    await ctx.session.execute(driver.set_frozen(request.key_id, None))
    ctx.record(_event("ApiKeyUnfrozen", request.key_id, request.reason, {"frozen": False}))
    return KeyChanged(request.key_id)


async def revoke_key(ctx: WriteContext, request: ChangeKey) -> KeyChanged:
    """Refuse a key for good."""
    await _state(ctx, request.key_id)
    await ctx.session.execute(driver.set_revoked(request.key_id, ctx.now, request.reason))
    ctx.record(_event("ApiKeyRevoked", request.key_id, request.reason, {"revoked": True}))
    return KeyChanged(request.key_id)


async def lease_points(ctx: WriteContext, request: LeasePoints) -> PointsLeased:
    """Take points from the budget of the key that asks; refilled by the database's time."""
    key_id, size = ctx.principal.key_id, ctx.config.points_per_key
    budget = await ctx.session.fetch_one(driver_budgets.budget(key_id))
    if budget is None:
        await ctx.session.execute(driver_budgets.open_budget(key_id, size))
        (budget,) = await ctx.session.fetch(driver_budgets.budget(key_id))
    returned = budget.points + request.returned
    held = engine_budgets.refilled(
        returned, budget.refilled_at, budget.now, size=size, per_second=ctx.config.points_per_second
    )
    granted = engine_budgets.granted(held, request)
    at = max(budget.refilled_at, budget.now)
    await ctx.session.execute(driver_budgets.keep_budget(key_id, held - granted, at))
    return PointsLeased(granted, int(held) - granted)


async def _state(ctx: WriteContext, key_id: str) -> driver.KeyState:
    state = await ctx.session.fetch_one(driver.key_state(key_id))
    if state is None:
        raise NotFound("API key", key_id)
    if state.revoked:
        raise Conflict("this key is revoked, which is final")
    return state


def _event(event_type: str, key_id: str, reason: str | None, after: object) -> AuditEvent:
    return AuditEvent(
        event_type=event_type, entity_type=AuditEntityType.API_KEY, entity_id=key_id, reason=reason, after=after
    )


OPERATIONS = (
    Operation(
        name="api_keys.authenticate",
        kind=OperationKind.READ,
        request=Authenticate,
        result=Principal,
        handler=authenticate,
        permission=None,
        cross_domain_deps=(),
        cost=1,
        anonymous=True,
        summary="Find the principal of a presented key.",
    ),
    Operation(
        name="api_keys.lease_points",
        kind=OperationKind.WRITE,
        request=LeasePoints,
        result=PointsLeased,
        handler=lease_points,
        permission=None,
        cross_domain_deps=(),
        cost=1,
        for_own_key=True,
        validate=engine_budgets.check_lease,
        summary="Take points from the key's own budget, for what its queries cost.",
    ),
    *(
        Operation(
            name=f"api_keys.{handler.__name__}",
            kind=OperationKind.WRITE,
            request=request,
            result=result,
            handler=handler,
            permission=Permission.API_KEYS_MANAGE,
            cross_domain_deps=(),
            cost=10,
            validate=validate,
            summary=summary,
        )
        for handler, request, result, validate, summary in (
            (create_key, CreateKey, KeyCreated, engine.check_new_key, "Make a key and show it once."),
            (freeze_key, ChangeKey, KeyChanged, engine.check_change, "Refuse a key until it is unfrozen."),
            (unfreeze_key, ChangeKey, KeyChanged, engine.check_change, "Admit a frozen key again."),
            (revoke_key, ChangeKey, KeyChanged, engine.check_change, "Refuse a key for good."),
        )
    ),
)
