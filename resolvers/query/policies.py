"""Policy rules."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.paging import DEFAULT_FIRST, UNSET, After, First, connection, counting, page_request
from schema.fields import field
from schema.policies.rule import PolicyRule
from schema.relay import Connection
from spine.contracts.enums import RuleStatus
from spine.contracts.governance import ListPolicyRules

Status = Annotated[RuleStatus | None, strawberry.argument(description="With this status; any when absent.")]


@strawberry.type
class PoliciesQuery:
    """The policies domain's root fields."""

    @field("Policy rules, newest first.", Connection[PolicyRule], "policies.rules")
    async def policy_rules(
        self, info: Info, status: Status = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of rules."""
        request = ListPolicyRules(page=page_request(first, after), status=status or None, count=counting(info))
        return await connection(info, "policies.rules", request)
