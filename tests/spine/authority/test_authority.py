"""Authority: who may do what. Deny by default; a higher role has every right of the lower ones; scopes are exact."""

from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from spine.authority.decision import decide, holds
from spine.authority.rbac import ROLES, permissions_of
from spine.contracts.access import Nothing
from spine.contracts.actors import Actor, Principal
from spine.contracts.enums import ActorKind, OperationKind, Permission, Role
from spine.contracts.errors import Forbidden, Unauthenticated
from spine.contracts.operations import Operation

ORDER = (Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER)


async def handler(ctx: Any, request: Any) -> None: ...


def an_operation(permission: Permission | None, *, anonymous: bool = False) -> Operation:
    return Operation(
        name="test.operation",
        kind=OperationKind.READ,
        request=Nothing,
        result=None,
        handler=handler,
        permission=permission,
        cross_domain_deps=(),
        cost=1,
        summary="",
        anonymous=anonymous,
    )


def a_principal(role: Role, scopes: tuple[Permission, ...] = ()) -> Principal:
    return Principal(UUID(int=1), Actor(ActorKind.HUMAN, "ann", "Ann"), role, permissions_of(role, scopes), "key")


class TestRoles:
    def test_each_has_more_than_the_one_below(self) -> None:
        for lower, higher in pairwise(ORDER):
            assert ROLES[lower] < ROLES[higher]

    def test_the_owner_has_every_right(self) -> None:
        assert ROLES[Role.OWNER] == set(Permission)

    def test_a_viewer_changes_nothing(self) -> None:
        assert {right.value.rpartition(":")[2] for right in ROLES[Role.VIEWER]} == {"read"}
        assert Permission.PAYLOADS_READ not in ROLES[Role.VIEWER]

    def test_a_role_ignores_scopes(self) -> None:
        assert permissions_of(Role.VIEWER, [Permission.RUNS_WRITE]) == ROLES[Role.VIEWER]

    def test_a_machine_has_exactly_its_scopes(self) -> None:
        assert permissions_of(Role.MACHINE, [Permission.RUNS_WRITE]) == {Permission.RUNS_WRITE}
        assert permissions_of(Role.MACHINE, []) == frozenset(), "empty scopes mean nothing, never everything"


class TestDecisions:
    @pytest.mark.parametrize("role", ORDER)
    @pytest.mark.parametrize("permission", Permission)
    def test_allow_what_the_role_contains_and_nothing_else(self, role: Role, permission: Permission) -> None:
        decision = decide(an_operation(permission), a_principal(role))
        assert decision.allowed is (permission in ROLES[role])
        assert (decision.error is None) is decision.allowed
        assert decision.allowed is holds(a_principal(role), permission)

    def test_name_the_permission_that_is_missing(self) -> None:
        error = decide(an_operation(Permission.RUNS_WRITE), a_principal(Role.VIEWER)).error
        assert isinstance(error, Forbidden)
        assert (error.operation, error.permission) == ("test.operation", Permission.RUNS_WRITE)

    def test_refuse_nobody_whatever_the_operation(self) -> None:
        for permission in (None, *Permission):
            assert isinstance(decide(an_operation(permission), None).error, Unauthenticated)

    def test_allow_anybody_known_what_needs_no_permission(self) -> None:
        assert decide(an_operation(None), a_principal(Role.MACHINE)).allowed

    def test_allow_anybody_to_say_who_they_are(self) -> None:
        assert decide(an_operation(None, anonymous=True), None).allowed
