"""The limit that governs a run."""

from schema.contract import contract_type
from spine.contracts import runs


@contract_type(runs.PolicyContext, name="PolicyContext", ids=("policy_id",))
class PolicyContext:
    """The limit that governs a run most closely, and how the run stands against it."""
