"""What policies offers to other domains: what rules said of runs, and judging runs by them."""

from domains.policies import conditions, driver, driver_evaluations, driver_summaries, engine, engine_replay
from spine.contracts.ports import PolicyEvaluations, RuleEvaluation, RuleReplay


class _PolicyEvaluations:
    evaluations_for_runs = staticmethod(driver_evaluations.evaluations_for_runs)
    decisions_for_runs = staticmethod(driver_evaluations.decisions_for_runs)
    shown_evaluations = staticmethod(driver_summaries.shown_evaluations)
    shown_decisions = staticmethod(driver_summaries.shown_decisions)
    evaluation_records = staticmethod(driver_evaluations.evaluation_records)
    decision_records = staticmethod(driver_evaluations.decision_records)
    outcome_tallies = staticmethod(driver_evaluations.outcome_tallies)


class _RuleEvaluation:
    engine_version = conditions.ENGINE
    active_rules = staticmethod(driver.active_rules)
    judge = staticmethod(engine.judge)
    insert_evaluations = staticmethod(driver_evaluations.insert_evaluations)
    insert_decisions = staticmethod(driver_evaluations.insert_decisions)
    final_outcomes = staticmethod(driver_evaluations.final_outcomes)
    settled_outcomes = staticmethod(driver_evaluations.settled_outcomes)


class _RuleReplay:
    rule_versions = staticmethod(driver.rule_versions)
    replay_evaluation = staticmethod(engine_replay.replay_evaluation)
    replay_allowed = staticmethod(engine_replay.replay_allowed)


class PoliciesBridge:
    """The door to policies."""

    def policy_evaluations_capability(self) -> PolicyEvaluations:
        """What rules said of runs."""
        return _PolicyEvaluations()

    def rule_evaluation_capability(self) -> RuleEvaluation:
        """Rules in force, and their judgement."""
        return _RuleEvaluation()

    def rule_replay_capability(self) -> RuleReplay:
        """Rules as they were, and their judgement made again."""
        return _RuleReplay()
