"""Every root field and every operation, for every role: allowed exactly as the registry's permission says."""

import pytest

from spine.authority.rbac import ROLES, permissions_of
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import OperationKind, Permission, Role
from tests.resolvers.conftest import Answer, Ask
from tests.resolvers.roots import request, roots

NEEDS: dict[str, Permission | None] = {
    "agents": Permission.AGENTS_READ,
    "auditEntries": Permission.REPORTS_READ,
    "eventCursor": None,
    "export": Permission.AUDIT_READ,
    "exports": Permission.AUDIT_READ,
    "incidents": Permission.INCIDENTS_READ,
    "limits": Permission.POLICIES_READ,
    "logCheckpoint": Permission.RUNS_READ,
    "logCheckpoints": Permission.RUNS_READ,
    "logConsistency": Permission.RUNS_READ,
    "modelPrices": Permission.REPORTS_READ,
    "node": Permission.RUNS_READ,
    "nodes": Permission.RUNS_READ,
    "operations": None,
    "policyRules": Permission.POLICIES_READ,
    "replays": Permission.RUNS_READ,
    "run": Permission.RUNS_READ,
    "runProofBundle": Permission.RUNS_READ,
    "runStats": Permission.RUNS_READ,
    "runs": Permission.RUNS_READ,
    "signals": Permission.RUNS_READ,
    "trustedDocuments": Permission.TENANT_READ,
    "viewer": None,
    "accessRecords": Permission.AUDIT_READ,
    "acknowledgeSignal": Permission.RUNS_WRITE,
    "addTrustedDocuments": Permission.DOCUMENTS_MANAGE,
    "appendSteps": Permission.RUNS_WRITE,
    "captureEnvironment": Permission.RUNS_WRITE,
    "completeRun": Permission.RUNS_WRITE,
    "createLimit": Permission.POLICIES_WRITE,
    "createPolicyRule": Permission.POLICIES_WRITE,
    "disableLimit": Permission.POLICIES_WRITE,
    "escalateSignal": Permission.RUNS_WRITE,
    "exportIncident": Permission.AUDIT_READ,
    "exportPeriod": Permission.AUDIT_READ,
    "exportRun": Permission.AUDIT_READ,
    "redactRun": Permission.RUNS_REDACT,
    "reopenSignal": Permission.RUNS_WRITE,
    "replayRun": Permission.RUNS_WRITE,
    "retirePolicyRule": Permission.POLICIES_WRITE,
    "retireTrustedDocuments": Permission.DOCUMENTS_MANAGE,
    "setDocumentMode": Permission.DOCUMENTS_MANAGE,
    "setModelPrice": Permission.BILLING_MANAGE,
    "startRun": Permission.RUNS_WRITE,
    "suppressSignal": Permission.RUNS_WRITE,
    "updateLimit": Permission.POLICIES_WRITE,
    "updatePolicyRule": Permission.POLICIES_WRITE,
    "auditEntryAppended": Permission.REPORTS_READ,
    "incidentChanged": Permission.INCIDENTS_READ,
    "runUpdated": Permission.RUNS_READ,
    "signalRaised": Permission.RUNS_READ,
    "verifyLog": Permission.REPORTS_READ,
}
"""What each root field needs; a new one must be entered here."""

MACHINE = "MACHINE without scopes"
HOLDERS = {**{str(role): permissions_of(role, ()) for role in ROLES}, MACHINE: permissions_of(Role.MACHINE, ())}


def codes(answer: Answer, name: str) -> list[str]:
    """The codes of all errors, of both sorts."""
    shown = (answer.data or {}).get(name)
    refused = [error["code"] for error in shown.get("userErrors", ())] if isinstance(shown, dict) else []
    return [*answer.codes, *refused]


class TestRootFields:
    def test_every_root_field_says_what_it_needs(self) -> None:
        assert set(NEEDS) == set(roots())

    @pytest.mark.parametrize("holder", HOLDERS)
    async def test_each_role_may_do_exactly_what_its_permissions_say(
        self, ask: Ask, principal: Principal, holder: str
    ) -> None:
        role = Role.MACHINE if holder == MACHINE else Role(holder)
        who = Principal(principal.tenant_id, principal.actor, role, HOLDERS[holder], "key")
        forbidden = set()
        for name in NEEDS:
            text, variables = request(name)
            if "FORBIDDEN" in codes(await ask(text, variables, by=who), name):
                forbidden.add(name)
        assert forbidden == {name for name, needed in NEEDS.items() if needed and needed not in who.permissions}


class TestOperations:
    @pytest.mark.parametrize("holder", HOLDERS)
    async def test_the_registry_denies_before_it_looks_at_the_request(
        self, runtime: Runtime, principal: Principal, holder: str
    ) -> None:
        role = Role.MACHINE if holder == MACHINE else Role(holder)
        who = Principal(principal.tenant_id, principal.actor, role, HOLDERS[holder], "key")
        for name, operation in runtime.registry.operations.items():
            if operation.anonymous:
                continue
            result = await runtime.registry.execute(name, object(), who)
            allowed = operation.permission is None or operation.permission in who.permissions
            assert result.error is not None
            assert (name, result.error.code) == (name, "VALIDATION" if allowed else "FORBIDDEN")

    def test_no_write_is_for_everybody_but_the_books_of_the_key_itself(self, runtime: Runtime) -> None:
        operations = runtime.registry.operations.values()
        open_writes = [one.name for one in operations if one.kind is OperationKind.WRITE and one.permission is None]
        assert open_writes == ["api_keys.lease_points"]
        free = {one.name for one in operations if one.permission is None and not one.anonymous}
        gate = {"integrations.document_policy", "integrations.find_document"}  # asked for every document
        own = {"account.viewer", "spine.event_cursor", "spine.operations", "api_keys.lease_points"}
        assert free == own | gate
