"""Every root field and every operation, for every role: allowed exactly as the registry's permission says."""

from typing import Any
from uuid import UUID

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    build_schema,
    is_required_argument,
    is_required_input_field,
)

from schema.relay import global_id
from spine.authority.rbac import ROLES, permissions_of
from spine.bootstrap import Runtime
from spine.contracts.actors import Principal
from spine.contracts.enums import OperationKind, Permission, Role
from tests.resolvers.conftest import SCHEMA, Answer, Ask

GRAPH = build_schema(SCHEMA.as_str())

NEEDS: dict[str, Permission | None] = {
    "agents": Permission.AGENTS_READ,
    "auditEntries": Permission.REPORTS_READ,
    "incidents": Permission.INCIDENTS_READ,
    "limits": Permission.POLICIES_READ,
    "modelPrices": Permission.REPORTS_READ,
    "node": Permission.RUNS_READ,
    "nodes": Permission.RUNS_READ,
    "operations": None,
    "policyRules": Permission.POLICIES_READ,
    "run": Permission.RUNS_READ,
    "runStats": Permission.RUNS_READ,
    "runs": Permission.RUNS_READ,
    "signals": Permission.RUNS_READ,
    "viewer": None,
    "acknowledgeSignal": Permission.RUNS_WRITE,
    "appendSteps": Permission.RUNS_WRITE,
    "completeRun": Permission.RUNS_WRITE,
    "createLimit": Permission.POLICIES_WRITE,
    "createPolicyRule": Permission.POLICIES_WRITE,
    "disableLimit": Permission.POLICIES_WRITE,
    "escalateSignal": Permission.RUNS_WRITE,
    "reopenSignal": Permission.RUNS_WRITE,
    "retirePolicyRule": Permission.POLICIES_WRITE,
    "setModelPrice": Permission.BILLING_MANAGE,
    "startRun": Permission.RUNS_WRITE,
    "suppressSignal": Permission.RUNS_WRITE,
    "updateLimit": Permission.POLICIES_WRITE,
    "updatePolicyRule": Permission.POLICIES_WRITE,
}
"""What each root field needs; a new one must be entered here."""

KINDS = {"Limit": "Limit", "Rule": "PolicyRule", "Signal": "Signal"}
"""The kind of object that a mutation's ids are of, by a word of its name; Run otherwise."""

EXAMPLES: dict[str, Any] = {"DateTime": "2026-01-31T09:30:00Z", "Decimal": "1"}
MACHINE = "MACHINE without scopes"
HOLDERS = {**{str(role): permissions_of(role, ()) for role in ROLES}, MACHINE: permissions_of(Role.MACHINE, ())}


def roots() -> dict[str, tuple[str, GraphQLField]]:
    """Every root field, with the kind of document that asks for it."""
    assert GRAPH.query_type is not None
    assert GRAPH.mutation_type is not None
    reads = {name: ("query", field) for name, field in GRAPH.query_type.fields.items()}
    return reads | {name: ("mutation", field) for name, field in GRAPH.mutation_type.fields.items()}


def example(of: Any, name: str) -> Any:
    """A value of an input type, with nothing that may be left out."""
    if isinstance(of, GraphQLNonNull):
        return example(of.of_type, name)
    if isinstance(of, GraphQLList):
        return [example(of.of_type, name)]
    if isinstance(of, GraphQLInputObjectType):
        needed = {key: field for key, field in of.fields.items() if is_required_input_field(field)}
        return {key: example(field.type, name) for key, field in needed.items()}
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    if of.name == "ID":
        return global_id(next((kind for word, kind in KINDS.items() if word in name), "Run"), UUID(int=1))
    return EXAMPLES.get(of.name, "x")


def request(name: str) -> tuple[str, dict[str, Any]]:
    """A document that asks for a root field with what it requires, and its variables."""
    kind, field = roots()[name]
    needed = {key: one for key, one in field.args.items() if is_required_argument(one)}
    declared = ", ".join(f"${key}: {one.type}" for key, one in needed.items())
    passed = ", ".join(f"{key}: ${key}" for key in needed)
    below = "userErrors { code }" if kind == "mutation" else "__typename"
    text = f"{kind}{f'({declared})' if needed else ''} {{ {name}{f'({passed})' if needed else ''} {{ {below} }} }}"
    return text, {key: example(one.type, name) for key, one in needed.items()}


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

    def test_no_write_is_for_everybody(self, runtime: Runtime) -> None:
        operations = runtime.registry.operations.values()
        assert [one.name for one in operations if one.kind is OperationKind.WRITE and one.permission is None] == []
        free = {one.name for one in operations if one.permission is None and not one.anonymous}
        assert free == {"account.viewer", "spine.operations"}
