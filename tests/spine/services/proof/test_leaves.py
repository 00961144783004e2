"""A leaf says exactly which fact it is of; every column of the audit ledger is behind its hash."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import rfc8785

from domains.logs.tables import audit_ledger
from spine.contracts.enums import ActorKind, AuditEntityType
from spine.services.proof.leaves import LEDGER_COLUMNS, ledger_entry, seal_entry

KEY = UUID("0192aaaa-0000-7000-8000-000000000001")
AT = datetime(2026, 11, 3, 12, 0, 0, 123456, tzinfo=UTC)
ROW: dict[str, Any] = {
    "id": KEY,
    "operation": "policies.rule_create",
    "event_type": "PolicyRuleCreated",
    "entity_type": AuditEntityType.POLICY_RULE,
    "entity_id": "rule-1",
    "actor_kind": ActorKind.HUMAN,
    "actor_id": "key-1",
    "actor_name": "Zoë",
    "reason": None,
    "before_state": None,
    "after_state": '{"a": 1}',
    "request_id": "r-1",
    "created_at": AT,
}


class TestASealsLeaf:
    def test_names_the_run_the_version_and_the_seals_hash(self) -> None:
        record: dict[str, Any] = {"hash": "ab" * 32, "id": str(KEY), "kind": "SEAL", "version": 3}
        assert seal_entry(bytes([0xAB]) * 32, KEY, 3) == b"hoc-spine/leaf/v1\n" + rfc8785.dumps(record)


class TestALedgerEntrysLeaf:
    def test_names_the_entry_and_the_hash_of_all_its_columns(self) -> None:
        written = ROW | {"id": str(KEY), "created_at": "1793707200123456"}
        content = hashlib.sha256(b"hoc-spine/ledger/v1\n" + rfc8785.dumps(written)).hexdigest()
        record: dict[str, Any] = {"hash": content, "id": str(KEY), "kind": "AUDIT", "version": 1}
        assert ledger_entry(ROW) == b"hoc-spine/leaf/v1\n" + rfc8785.dumps(record)

    def test_has_every_column_of_the_table_but_the_tenants(self) -> None:
        assert {column.name for column in audit_ledger.columns} - {"tenant_id"} == LEDGER_COLUMNS

    @pytest.mark.parametrize("name", sorted(LEDGER_COLUMNS))
    def test_changes_with_every_column(self, name: str) -> None:
        other: Any = {"id": UUID(int=1), "created_at": AT + timedelta(microseconds=1)}.get(name, "other")
        assert ledger_entry(ROW | {name: other}) != ledger_entry(ROW)

    @pytest.mark.parametrize("row", [ROW | {"more": 1}, {name: ROW[name] for name in ROW if name != "reason"}])
    def test_is_refused_with_other_columns(self, row: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="not the columns"):
            ledger_entry(row)
