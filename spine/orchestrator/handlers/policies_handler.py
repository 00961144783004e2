"""Policy rules: reading them, and writing, changing and retiring them."""

from datetime import datetime
from uuid import UUID

from domains.policies import driver, engine
from domains.policies.conditions import compile_condition
from spine.contracts.enums import AuditEntityType, OperationKind, Permission, RuleStatus
from spine.contracts.errors import Conflict, NotFound
from spine.contracts.governance import (
    CreatePolicyRule,
    ListPolicyRules,
    PolicyRuleSummary,
    RetirePolicyRule,
    RuleChanged,
    RulesByKey,
    UpdatePolicyRule,
)
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.orchestrator.context import ReadContext, WriteContext
from spine.services.ids import uuid7
from spine.storage.keyset import Keyset, page_of

RULES = Keyset("policies.rules", (datetime, UUID))


async def list_rules(ctx: ReadContext, request: ListPolicyRules) -> Page[PolicyRuleSummary]:
    """A page of rules, newest first."""
    whole = driver.list_rules(request.status)
    counted = driver.count_rules(request.status) if request.count else None
    rows, total = await ctx.session.fetch_counted(RULES.read(whole, driver.ORDER, request.page), counted)
    return page_of(rows, request.page.first, lambda rule: RULES.cursor(rule.created_at, rule.key), total)


async def rules_by_key(ctx: ReadContext, request: RulesByKey) -> dict[UUID, PolicyRuleSummary]:
    """The rules that exist of these keys."""
    return {rule.key: rule for rule in await ctx.session.fetch(driver.rules_by_key(request.rule_keys))}


async def create_rule(ctx: WriteContext, request: CreatePolicyRule) -> RuleChanged:
    """Write a new rule in version 1; Conflict when its name exists."""
    key, actor = uuid7(), ctx.principal.actor
    head = {
        "id": key,
        "name": request.name,
        "version": 1,
        "status": RuleStatus.ACTIVE,
        "created_at": ctx.now,
        "created_by_kind": actor.kind,
        "created_by_id": actor.id,
        "created_by_name": actor.name,
        "retired_at": None,
        "retirement_reason": None,
        "superseded_by": None,
    }
    try:
        await ctx.session.execute(driver.insert_rule(head))
    except Conflict as error:
        raise Conflict(f"a rule named {request.name} exists already", field="name") from error
    await _write_version(ctx, key, 1, request)
    await _record(ctx, "PolicyRuleCreated", key, None)
    return RuleChanged(key)


async def update_rule(ctx: WriteContext, request: UpdatePolicyRule) -> RuleChanged:
    """Write a rule's next version; Conflict when it is retired or is not at the expected version."""
    head = await _locked(ctx, request.rule_key)
    if request.expected_version not in {None, head.version}:
        raise Conflict(f"the rule is at version {head.version}", field="expectedVersion")
    before = await _current(ctx, request.rule_key)
    changed = CreatePolicyRule(
        name=before.name,
        condition=before.condition if request.condition is None else request.condition,
        description=before.description if request.description is None else request.description,
        mode=before.mode if request.mode is None else request.mode,
        consequence=before.consequence if request.consequence is None else request.consequence,
        scope=before.scope,
        scope_id=before.scope_id,
    )
    await _write_version(ctx, request.rule_key, head.version + 1, changed)
    await ctx.session.execute(driver.set_version(request.rule_key, head.version + 1))
    await _record(ctx, "PolicyRuleModified", request.rule_key, before)
    return RuleChanged(request.rule_key)


async def retire_rule(ctx: WriteContext, request: RetirePolicyRule) -> RuleChanged:
    """Take a rule out of force for good; its successor, if named, must exist."""
    await _locked(ctx, request.rule_key)
    before = await _current(ctx, request.rule_key)
    successor = request.superseded_by_key
    if successor is not None and not await ctx.session.fetch(driver.rules_by_key([successor])):
        raise NotFound(driver.RULE, str(successor), field="superseded_by_key")
    await ctx.session.execute(driver.retire(request.rule_key, ctx.now, request.reason, successor))
    await _record(ctx, "PolicyRuleRetired", request.rule_key, before, request.reason)
    return RuleChanged(request.rule_key)


async def _locked(ctx: WriteContext, key: UUID) -> driver.RuleHead:
    head = await ctx.session.fetch_one(driver.lock_rule(key))
    if head is None:
        raise NotFound(driver.RULE, str(key))
    if head.status is RuleStatus.RETIRED:
        raise Conflict("this rule is retired, which is final")
    return head


async def _current(ctx: WriteContext, key: UUID) -> PolicyRuleSummary:
    rule = await ctx.session.fetch_one(driver.rules_by_key([key]))
    if rule is None:
        raise NotFound(driver.RULE, str(key))
    return rule


async def _write_version(ctx: WriteContext, key: UUID, version: int, rule: CreatePolicyRule) -> None:
    """A version and its digest; the phase follows from the facts that the condition reads."""
    await ctx.session.execute(
        driver.insert_version(
            {
                "rule_id": key,
                "version": version,
                "description": rule.description,
                "condition": rule.condition,
                "phase": compile_condition(rule.condition).phase,
                "mode": rule.mode,
                "consequence": rule.consequence,
                "scope": rule.scope,
                "scope_id": rule.scope_id,
                "digest": engine.rule_digest(version, rule),
                "created_at": ctx.now,
            },
        ),
    )


async def _record(
    ctx: WriteContext, event_type: str, key: UUID, before: PolicyRuleSummary | None, reason: str | None = None
) -> None:
    after = await _current(ctx, key)
    ctx.record(
        AuditEvent(
            event_type=event_type,
            entity_type=AuditEntityType.POLICY_RULE,
            entity_id=after.id,
            reason=reason,
            before=None if before is None else _state(before),
            after=_state(after),
        ),
    )


def _state(rule: PolicyRuleSummary) -> dict[str, object]:
    return {
        "name": rule.name,
        "version": rule.version,
        "description": rule.description,
        "condition": rule.condition,
        "mode": rule.mode,
        "consequence": rule.consequence,
        "scope": rule.scope,
        "scope_id": rule.scope_id,
        "digest": rule.digest,
        "status": rule.status,
    }


OPERATIONS = (
    Operation(
        name="policies.rules",
        kind=OperationKind.READ,
        request=ListPolicyRules,
        result=Page[PolicyRuleSummary],
        handler=list_rules,
        permission=Permission.POLICIES_READ,
        cross_domain_deps=(),
        cost=5,
        summary="A page of policy rules, newest first.",
    ),
    Operation(
        name="policies.rules_by_key",
        kind=OperationKind.READ,
        request=RulesByKey,
        result=PolicyRuleSummary,
        handler=rules_by_key,
        permission=Permission.POLICIES_READ,
        cross_domain_deps=(),
        cost=1,
        batch_key="rule_keys",
        summary="Policy rules by key.",
    ),
    Operation(
        name="policies.create_rule",
        kind=OperationKind.WRITE,
        request=CreatePolicyRule,
        result=RuleChanged,
        handler=create_rule,
        permission=Permission.POLICIES_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_new_rule,
        before=(engine.BI_POLICY_001,),
        summary="Write a new policy rule.",
    ),
    Operation(
        name="policies.update_rule",
        kind=OperationKind.WRITE,
        request=UpdatePolicyRule,
        result=RuleChanged,
        handler=update_rule,
        permission=Permission.POLICIES_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_next_version,
        before=(engine.BI_POLICY_001,),
        summary="Write a policy rule's next version.",
    ),
    Operation(
        name="policies.retire_rule",
        kind=OperationKind.WRITE,
        request=RetirePolicyRule,
        result=RuleChanged,
        handler=retire_rule,
        permission=Permission.POLICIES_WRITE,
        cross_domain_deps=(),
        cost=10,
        validate=engine.check_retirement,
        summary="Take a policy rule out of force for good.",
    ),
)
