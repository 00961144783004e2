"""Statements over policy rules and their versions."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ARRAY, Select, and_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE

from domains.policies.tables import policy_rule_versions as versions
from domains.policies.tables import policy_rules as rules
from spine.contracts.actors import Actor
from spine.contracts.enums import ActorKind, Consequence, RuleMode, RulePhase, RuleStatus, Scope
from spine.contracts.governance import PolicyRuleSummary
from spine.contracts.ports import ActiveRule
from spine.contracts.statements import Read, Row, Write
from spine.services.ids import node_id

RULE: Final = "PolicyRule"
OF_TENANT: Final = rules.c.tenant_id == bindparam("tenant_id")
CURRENT: Final = and_(
    versions.c.tenant_id == rules.c.tenant_id,
    versions.c.rule_id == rules.c.id,
    versions.c.version == rules.c.version,
)

ACTIVE: Final = (
    select(
        rules.c.id,
        rules.c.name,
        rules.c.version,
        versions.c.digest,
        versions.c.phase,
        versions.c.mode,
        versions.c.consequence,
        versions.c.scope,
        versions.c.scope_id,
        versions.c.condition,
    )
    .join(versions, CURRENT)
    .where(OF_TENANT, rules.c.status == RuleStatus.ACTIVE, versions.c.mode != RuleMode.DISABLED)
    .order_by(rules.c.name, rules.c.id)
)

VERSIONS: Final = (
    select(
        rules.c.id,
        rules.c.name,
        versions.c.version,
        versions.c.digest,
        versions.c.phase,
        versions.c.mode,
        versions.c.consequence,
        versions.c.scope,
        versions.c.scope_id,
        versions.c.condition,
    )
    .join(versions, and_(versions.c.tenant_id == rules.c.tenant_id, versions.c.rule_id == rules.c.id))
    .where(OF_TENANT, rules.c.id == func.any(bindparam("rule_keys", type_=ARRAY(UUID_TYPE(as_uuid=True)))))
)

SUMMARIES: Final = (
    select(
        rules.c.id,
        rules.c.name,
        versions.c.description,
        versions.c.condition,
        versions.c.phase,
        versions.c.mode,
        versions.c.consequence,
        versions.c.scope,
        versions.c.scope_id,
        rules.c.version,
        versions.c.digest,
        rules.c.status,
        rules.c.created_at,
        rules.c.created_by_kind,
        rules.c.created_by_id,
        rules.c.created_by_name,
        versions.c.created_at.label("updated_at"),
        rules.c.retired_at,
        rules.c.retirement_reason,
    )
    .join(versions, CURRENT)
    .where(OF_TENANT)
)
BY_KEY: Final = SUMMARIES.where(rules.c.id == func.any(bindparam("rule_keys", type_=ARRAY(UUID_TYPE(as_uuid=True)))))
ORDER: Final = (rules.c.created_at, rules.c.id)

LOCK: Final = select(rules.c.version, rules.c.status).where(OF_TENANT, rules.c.id == bindparam("key")).with_for_update()
INSERT_RULE: Final = insert(rules)
INSERT_VERSION: Final = insert(versions)
SET_VERSION: Final = update(rules).where(OF_TENANT, rules.c.id == bindparam("key")).values(version=bindparam("next"))
RETIRE: Final = (
    update(rules)
    .where(OF_TENANT, rules.c.id == bindparam("key"))
    .values(
        status=RuleStatus.RETIRED,
        retired_at=bindparam("now"),
        retirement_reason=bindparam("reason"),
        superseded_by=bindparam("successor"),
    )
)


class RuleHead(Struct, frozen=True):
    """A rule's version and status, locked until the transaction ends."""

    version: int
    status: RuleStatus


def active_rules() -> Read[ActiveRule]:
    """Every ACTIVE rule whose mode is not DISABLED, in its current version, by name."""
    return Read(ACTIVE, {}, _active)


def rule_versions(rule_keys: Sequence[UUID]) -> Read[ActiveRule]:
    """Every version of the rules, retired ones and disabled versions too."""
    return Read(VERSIONS, {"rule_keys": list(rule_keys)}, _active)


def _active(row: Row) -> ActiveRule:
    return ActiveRule(
        rule_id=row[0],
        name=row[1],
        version=row[2],
        digest=row[3],
        phase=RulePhase(row[4]),
        mode=RuleMode(row[5]),
        consequence=Consequence(row[6]),
        scope=Scope(row[7]),
        scope_id=row[8],
        condition=row[9],
    )


@lru_cache(maxsize=4)
def _filtered(*, counted: bool, by_status: bool) -> Select[Any]:
    statement = select(func.count()).select_from(rules).where(OF_TENANT) if counted else SUMMARIES
    return statement.where(rules.c.status == bindparam("status")) if by_status else statement


def list_rules(status: RuleStatus | None) -> Read[PolicyRuleSummary]:
    """The rules of a status, or all; to be paged in `ORDER`."""
    return Read(_filtered(counted=False, by_status=status is not None), {"status": status}, summary)


def count_rules(status: RuleStatus | None) -> Read[int]:
    """How many rules have the status."""
    return Read(_filtered(counted=True, by_status=status is not None), {"status": status}, lambda row: int(row[0]))


def rules_by_key(keys: Sequence[UUID]) -> Read[PolicyRuleSummary]:
    """The rules with these keys."""
    return Read(BY_KEY, {"rule_keys": list(keys)}, summary)


def lock_rule(key: UUID) -> Read[RuleHead]:
    """Lock a rule and read its head; its version is read afterwards, in a statement that sees what was committed."""
    return Read(LOCK, {"key": key}, lambda row: RuleHead(row[0], RuleStatus(row[1])))


def insert_rule(values: Mapping[str, object]) -> Write:
    """Write a new rule's head; a name that exists is a Conflict."""
    return Write(INSERT_RULE, values)


def insert_version(values: Mapping[str, object]) -> Write:
    """Write a version of a rule."""
    return Write(INSERT_VERSION, values)


def set_version(key: UUID, version: int) -> Write:
    """Make a version the rule's current one."""
    return Write(SET_VERSION, {"key": key, "next": version})


def retire(key: UUID, now: object, reason: str, successor: UUID | None) -> Write:
    """Take a rule out of force."""
    return Write(RETIRE, {"key": key, "now": now, "reason": reason, "successor": successor})


def summary(row: Row) -> PolicyRuleSummary:
    """A rule as people read it."""
    return PolicyRuleSummary(
        key=row[0],
        id=node_id(RULE, row[0]),
        name=row[1],
        description=row[2],
        condition=row[3],
        phase=RulePhase(row[4]),
        mode=RuleMode(row[5]),
        consequence=Consequence(row[6]),
        scope=Scope(row[7]),
        scope_id=row[8],
        version=row[9],
        digest=row[10].hex(),
        status=RuleStatus(row[11]),
        created_at=row[12],
        created_by=Actor(ActorKind(row[13]), row[14], row[15]),
        updated_at=row[16],
        retired_at=row[17],
        retirement_reason=row[18],
    )
