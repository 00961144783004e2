"""What rules said of runs, and what was decided."""

from schema.contract import contract_type
from spine.contracts import evidence


@contract_type(evidence.PolicyEvaluationSummary, name="PolicyEvaluation", ids=("policy_id",))
class PolicyEvaluation:
    """What one version of a rule said about a run; ALLOW is summed per rule version."""


@contract_type(evidence.DecisionSummary, name="Decision")
class Decision:
    """A governance decision that changed the run."""
