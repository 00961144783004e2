"""Policy rules and how they are written."""

import strawberry

from schema.account import actor as _actor  # noqa: F401 - a rule holds an actor
from schema.contract import contract_type
from schema.inputs import contract_input, optional, optional_id, required, required_id
from schema.relay import Node
from spine.contracts import governance
from spine.contracts.enums import Consequence, RuleMode, Scope


@contract_type(governance.PolicyRuleSummary, name="PolicyRule")
class PolicyRule(Node):
    """A policy rule in its current version; rules are versioned and retire, they are never deleted."""


@contract_input(governance.CreatePolicyRule, name="CreatePolicyRuleInput")
class CreatePolicyRuleInput:
    """Write a new rule; its condition is compiled against the fact model first."""

    name: str = required("Its name, unique in the tenant.")
    condition: str = required("A CEL condition over facts such as `step.skill_name`, at most 2,000 characters.")
    description: str | None = optional("What it is for.")
    mode: RuleMode | None = optional("What happens when it applies; WARN when absent.")
    consequence: Consequence | None = optional("What follows a BLOCK; ALERT when absent.")
    scope: Scope | None = optional("What it applies to; TENANT when absent.")
    scope_id: str | None = optional("The agent or project, for those scopes.")


@contract_input(governance.UpdatePolicyRule, name="UpdatePolicyRuleInput")
class UpdatePolicyRuleInput:
    """Write a rule's next version; absent fields stay as they are."""

    id: strawberry.ID = required_id("rule_key", "PolicyRule", "The rule.")
    expected_version: int | None = optional("The version that was read; with another in force it is a CONFLICT.")
    condition: str | None = optional("A CEL condition.")
    description: str | None = optional("What it is for.")
    mode: RuleMode | None = optional("What happens when it applies.")
    consequence: Consequence | None = optional("What follows a BLOCK.")


@contract_input(governance.RetirePolicyRule, name="RetirePolicyRuleInput")
class RetirePolicyRuleInput:
    """Take a rule out of force for good."""

    id: strawberry.ID = required_id("rule_key", "PolicyRule", "The rule.")
    reason: str = required("Why, for people.")
    superseded_by_id: strawberry.ID | None = optional_id("superseded_by_key", "PolicyRule", "The rule that follows it.")
