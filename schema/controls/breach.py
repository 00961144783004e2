"""Limits that runs reached."""

from schema.contract import contract_type
from spine.contracts.evidence import LimitHitSummary


@contract_type(LimitHitSummary, name="LimitBreach", ids=("limit_id",))
class LimitBreach:
    """A run came near to a limit or passed it: its value then, and the limit's value of that moment."""
