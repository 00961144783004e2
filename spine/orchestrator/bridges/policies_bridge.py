"""What policies offers to other domains: what rules said of runs, and judging runs by them."""

from domains.policies import driver, driver_evaluations, engine
from spine.contracts.ports import PolicyEvaluations, RuleEvaluation


class _PolicyEvaluations:
    evaluations_for_runs = staticmethod(driver_evaluations.evaluations_for_runs)
    decisions_for_runs = staticmethod(driver_evaluations.decisions_for_runs)
    evaluation_records = staticmethod(driver_evaluations.evaluation_records)
    decision_records = staticmethod(driver_evaluations.decision_records)


class _RuleEvaluation:
    active_rules = staticmethod(driver.active_rules)
    judge = staticmethod(engine.judge)
    insert_evaluations = staticmethod(driver_evaluations.insert_evaluations)
    insert_decisions = staticmethod(driver_evaluations.insert_decisions)
    final_outcomes = staticmethod(driver_evaluations.final_outcomes)
    settled_outcomes = staticmethod(driver_evaluations.settled_outcomes)


class PoliciesBridge:
    """The door to policies."""

    def policy_evaluations_capability(self) -> PolicyEvaluations:
        """What rules said of runs."""
        return _PolicyEvaluations()

    def rule_evaluation_capability(self) -> RuleEvaluation:
        """Rules in force, and their judgement."""
        return _RuleEvaluation()
