"""Rules, limits and prices as people read and write them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import Consequence, LimitStatus, LimitType, RuleMode, RulePhase, RuleStatus, Scope
from spine.contracts.paging import PageRequest
from spine.contracts.scalars import BigInt


class PolicyRuleSummary(Struct, frozen=True, gc=False, kw_only=True):
    """A policy rule in its current version. Rules are versioned and retire; they are never deleted."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    name: Annotated[str, Meta(description="Its name, unique in the tenant.")]
    description: Annotated[str, Meta(description="What it is for.")]
    condition: Annotated[str, Meta(description="The CEL condition; the rule applies when it is true.")]
    phase: Annotated[RulePhase, Meta(description="When it is evaluated; follows from the facts it reads.")]
    mode: Annotated[RuleMode, Meta(description="What happens when it applies.")]
    consequence: Annotated[Consequence, Meta(description="What follows a BLOCK.")]
    scope: Annotated[Scope, Meta(description="What it applies to.")]
    scope_id: Annotated[str | None, Meta(description="The agent or project, for those scopes.")]
    version: Annotated[int, Meta(description="Its version, from 1.")]
    digest: Annotated[str, Meta(description="SHA-256 of this version's text, hex.")]
    status: Annotated[RuleStatus, Meta(description="Whether it is in force.")]
    created_at: Annotated[datetime, Meta(description="When it was created (UTC).")]
    created_by: Annotated[Actor, Meta(description="Who created it.")]
    updated_at: Annotated[datetime, Meta(description="When this version was written (UTC).")]
    retired_at: Annotated[datetime | None, Meta(description="When it retired (UTC).")]
    retirement_reason: Annotated[str | None, Meta(description="Why it retired.")]


class ListPolicyRules(Struct, frozen=True, kw_only=True):
    """Ask for a page of rules, newest first."""

    page: PageRequest
    status: RuleStatus | None = None
    count: bool = False


class RulesByKey(Struct, frozen=True):
    """Ask for rules by key; absent and foreign ones are left out."""

    rule_keys: tuple[UUID, ...]


class CreatePolicyRule(Struct, frozen=True, kw_only=True):
    """Write a new rule; its condition is compiled against the fact model first."""

    name: str
    condition: str
    description: str = ""
    mode: RuleMode = RuleMode.WARN
    consequence: Consequence = Consequence.ALERT
    scope: Scope = Scope.TENANT
    scope_id: str | None = None


class UpdatePolicyRule(Struct, frozen=True, kw_only=True):
    """Write a rule's next version; absent fields stay. `expected_version` makes a lost update a CONFLICT."""

    rule_key: UUID
    expected_version: int | None = None
    condition: str | None = None
    description: str | None = None
    mode: RuleMode | None = None
    consequence: Consequence | None = None


class RetirePolicyRule(Struct, frozen=True, kw_only=True):
    """Take a rule out of force for good."""

    rule_key: UUID
    reason: str
    superseded_by_key: UUID | None = None


class RuleChanged(Struct, frozen=True):
    """Which rule a mutation changed."""

    rule_key: UUID


class LimitSummary(Struct, frozen=True, gc=False, kw_only=True):
    """A per-run limit. Values are in the limit's unit: milliseconds, tokens, US dollars, failed steps."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    name: Annotated[str, Meta(description="Its name.")]
    limit_type: Annotated[LimitType, Meta(description="What it measures.")]
    scope: Annotated[Scope, Meta(description="What it applies to; the narrowest limit of a type wins.")]
    scope_id: Annotated[str | None, Meta(description="The agent or project, for those scopes.")]
    max_value: Annotated[Decimal, Meta(description="A run may reach it; more is a breach.")]
    unit: Annotated[str, Meta(description="ms, tokens, USD or failures.")]
    consequence: Annotated[Consequence, Meta(description="What follows a breach.")]
    status: Annotated[LimitStatus, Meta(description="Whether it is in force.")]
    created_at: Annotated[datetime, Meta(description="When it was created (UTC).")]
    created_by: Annotated[Actor, Meta(description="Who created it.")]
    updated_at: Annotated[datetime, Meta(description="When it was last changed (UTC).")]


class ListLimits(Struct, frozen=True, kw_only=True):
    """Ask for a page of limits, newest first."""

    page: PageRequest
    status: LimitStatus | None = None
    count: bool = False


class LimitsByKey(Struct, frozen=True):
    """Ask for limits by key; absent and foreign ones are left out."""

    limit_keys: tuple[UUID, ...]


class CreateLimit(Struct, frozen=True, kw_only=True):
    """Set a per-run limit; `max_value` is in the type's unit and greater than 0."""

    name: str
    limit_type: LimitType
    max_value: Decimal
    scope: Scope = Scope.TENANT
    scope_id: str | None = None
    consequence: Consequence = Consequence.ALERT


class UpdateLimit(Struct, frozen=True, kw_only=True):
    """Change a limit; absent fields stay. What runs hit before keeps the value of its moment."""

    limit_key: UUID
    name: str | None = None
    max_value: Decimal | None = None
    consequence: Consequence | None = None


class DisableLimit(Struct, frozen=True, kw_only=True):
    """Take a limit out of force."""

    limit_key: UUID
    reason: str


class LimitChanged(Struct, frozen=True):
    """Which limit a mutation changed."""

    limit_key: UUID


class ModelPriceSummary(Struct, frozen=True, gc=False, kw_only=True):
    """What a model costs, in US dollars for a million tokens."""

    provider: Annotated[str | None, Meta(description="The provider; null when the price holds for any.")]
    model: Annotated[str, Meta(description="The model's name.")]
    input_usd_per_million: Annotated[Decimal, Meta(description="Price of a million input tokens.")]
    output_usd_per_million: Annotated[Decimal, Meta(description="Price of a million output tokens.")]
    source: Annotated[str, Meta(description="Where the price comes from.")]
    effective_from: Annotated[date, Meta(description="The day from which it holds.")]
    version: Annotated[str, Meta(description="The price list's or the tenant price's version.")]
    is_shipped: Annotated[bool, Meta(description="Whether it is of the shipped list rather than the tenant's own.")]


class ListModelPrices(Struct, frozen=True, kw_only=True):
    """Ask for the prices in force, tenant prices first."""

    page: PageRequest
    count: bool = False


class SetModelPrice(Struct, frozen=True, kw_only=True):
    """Set the tenant's own price of a model; it wins over the shipped one from now on."""

    provider: str
    model: str
    input_usd_per_million: Decimal
    output_usd_per_million: Decimal
    source: str


class PriceChanged(Struct, frozen=True):
    """Which price a mutation set, and its new version."""

    provider: str
    model: str
    version: BigInt
