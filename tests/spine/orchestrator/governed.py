"""Rules and limits for tests of ingest, and what came of them."""

from decimal import Decimal
from typing import Any

from spine.contracts.actors import Principal
from spine.contracts.enums import (
    Consequence,
    LimitType,
    RuleMode,
    VerificationStatus,
)
from spine.contracts.evidence import ListIncidents
from spine.contracts.governance import CreateLimit, CreatePolicyRule
from spine.contracts.ledger import ListAuditEntries
from spine.contracts.paging import PageRequest
from tests.conftest import Execute
from tests.spine.orchestrator.reported import (
    proof_of,
    runs_of,
)

FAILED: dict[str, Any] = {"status_code": 2, "status_message": "it fell"}


async def rule(execute: Execute, principal: Principal, name: str, condition: str, **changes: Any) -> None:
    request = CreatePolicyRule(name=name, condition=condition, **{"mode": RuleMode.WARN, **changes})
    (await execute("policies.create_rule", request, principal)).unwrap()


async def limit(execute: Execute, principal: Principal, name: str, kind: LimitType, most: int) -> None:
    request = CreateLimit(name=name, limit_type=kind, max_value=Decimal(most), consequence=Consequence.INCIDENT)
    (await execute("controls.create_limit", request, principal)).unwrap()


async def titles(execute: Execute, principal: Principal) -> list[str]:
    page = (await execute("incidents.list", ListIncidents(page=PageRequest(100)), principal)).unwrap()
    return sorted(incident.title for incident in page.nodes)


async def verified(execute: Execute, principal: Principal) -> bool:
    runs = await runs_of(execute, principal)
    proofs = [await proof_of(execute, principal, run.key) for run in runs]
    assert proofs
    return {proof.integrity.verification_status for proof in proofs} == {VerificationStatus.VERIFIED}


async def ledger_length(execute: Execute, principal: Principal) -> int:
    request = ListAuditEntries(page=PageRequest(1), count=True)
    total = (await execute("logs.audit_entries", request, principal)).unwrap().total_count
    assert isinstance(total, int)
    return total
