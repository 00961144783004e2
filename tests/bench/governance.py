"""What is in force for the made-up fleet: four rules for what is read, twenty for what is ingested, three limits."""

from decimal import Decimal

from spine.contracts.enums import Consequence, LimitType, RuleMode
from spine.contracts.governance import CreateLimit, CreatePolicyRule
from tests.bench.fleet import FORBIDDEN_TOOL

RULES = (
    CreatePolicyRule(
        name="no account is deleted",
        condition=f'step.skill_name == "{FORBIDDEN_TOOL}"',
        mode=RuleMode.BLOCK,
        consequence=Consequence.INCIDENT,
    ),
    CreatePolicyRule(name="slow step", condition="step.duration_ms > 1450"),
    CreatePolicyRule(name="many tokens", condition="run.total_tokens > 18000", mode=RuleMode.AUDIT),
    CreatePolicyRule(name="failed steps", condition="run.failed_step_count > 0"),
)
TWENTY_RULES = (
    *RULES,
    *(
        CreatePolicyRule(name=f"model {model} by hand only", condition=f'step.model == "{model}"')
        for model in ("o1-pro", "gpt-3.5-turbo", "claude-2", "llama-2-70b")
    ),
    *(
        CreatePolicyRule(name=f"no {word} in results", condition=f'step.output.contains("{word}")')
        for word in ("password", "BEGIN RSA", "card number", "ssn")
    ),
    *(
        CreatePolicyRule(
            name=f"no call of {tool}", condition=f'step.skill_name == "{tool}" && step.status == "FAILURE"'
        )
        for tool in ("drop_table", "wire_money", "open_gate", "grant_role")
    ),
    *(
        CreatePolicyRule(name=f"over {tokens} output tokens", condition=f"run.output_tokens > {tokens}")
        for tokens in (100_000, 200_000, 400_000, 800_000)
    ),
)
LIMITS = (
    CreateLimit(name="time of a run", limit_type=LimitType.TIME_MS, max_value=Decimal(9000)),
    CreateLimit(
        name="tokens of a run",
        limit_type=LimitType.TOKENS_TOTAL,
        max_value=Decimal(20_000),
        consequence=Consequence.INCIDENT,
    ),
    CreateLimit(name="cost of a run", limit_type=LimitType.COST_USD, max_value=Decimal("0.08")),
)
