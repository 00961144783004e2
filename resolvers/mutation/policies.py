"""Writing policy rules."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.mutation.changes import change, shown
from schema.fields import field
from schema.payloads import PolicyRulePayload
from schema.policies.rule import CreatePolicyRuleInput, RetirePolicyRuleInput, UpdatePolicyRuleInput

Created = Annotated[CreatePolicyRuleInput, strawberry.argument(name="input", description="The rule.")]
Updated = Annotated[UpdatePolicyRuleInput, strawberry.argument(name="input", description="The rule and what changes.")]
Retired = Annotated[RetirePolicyRuleInput, strawberry.argument(name="input", description="The rule, and why.")]


@strawberry.type
class PoliciesMutation:
    """The policies domain's writes."""

    @field("Write a policy rule.", PolicyRulePayload, "policies.create_rule", "policies.rules_by_key")
    async def create_policy_rule(self, info: Info, given: Created) -> Any:
        """Create a rule."""
        return await _rule(info, "policies.create_rule", given)

    @field(
        "Write a rule's next version; earlier evaluations keep theirs.",
        PolicyRulePayload,
        "policies.update_rule",
        "policies.rules_by_key",
    )
    async def update_policy_rule(self, info: Info, given: Updated) -> Any:
        """Update a rule."""
        return await _rule(info, "policies.update_rule", given)

    @field("Take a rule out of force for good.", PolicyRulePayload, "policies.retire_rule", "policies.rules_by_key")
    async def retire_policy_rule(self, info: Info, given: Retired) -> Any:
        """Retire a rule."""
        return await _rule(info, "policies.retire_rule", given)


async def _rule(info: Info, operation: str, given: Any) -> PolicyRulePayload:
    changed, errors = await change(info, operation, given)
    rule = await shown(info.context.load("policies.rules_by_key", changed.rule_key)) if changed else None
    return PolicyRulePayload(policy_rule=rule, user_errors=errors)
