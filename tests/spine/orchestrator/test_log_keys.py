"""The log's key: it is where it was put, nowhere else, and can be replaced while old notes go on to verify."""

import base64
import secrets
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from spine.bootstrap import explained, log_signer
from spine.contracts.actors import Principal
from spine.contracts.errors import ErrorCode
from spine.contracts.ledger import AuditEntry, ListAuditEntries
from spine.contracts.log import FindLogKey, SignCheckpoint
from spine.contracts.paging import PageRequest
from spine.orchestrator.sequencer import principal_of
from spine.services.proof.note import NoteError, Verifier, open_note
from spine.settings import Settings
from spine.storage.base import metadata
from spine.storage.log_signing import BadLogKey
from tests.conftest import Execute
from tests.spine.orchestrator.logged import a_finished_run, assert_whole, integrate, rows_of, settle, sign
from tests.spine.orchestrator.reporting import Reporter

CHECKPOINTS = "SELECT tree_size, note, vkey FROM log_checkpoints WHERE tenant_id = $1 ORDER BY tree_size"


async def vkey_of(execute: Execute, tenant: Principal) -> str:
    return str((await execute("logs.log_key", FindLogKey(), tenant)).unwrap().vkey)


async def changes_of(execute: Execute, tenant: Principal) -> list[AuditEntry]:
    page = (await execute("logs.audit_entries", ListAuditEntries(page=PageRequest(50)), tenant)).unwrap()
    return [one for one in page.nodes if one.event_type == "LogKeyChanged"]


class TestRotating:
    async def test_signs_with_the_new_key_from_then_on_and_says_so_in_the_log(
        self, reporter: Reporter, settings: Settings, superuser: dict[str, Any]
    ) -> None:
        execute, tenant = reporter.execute, reporter.principal
        await a_finished_run(reporter)
        await settle(execute, tenant)
        old = await vkey_of(execute, tenant)
        log_signer(settings).rotate()
        new = await vkey_of(execute, tenant)
        assert new != old
        await reporter.start()
        await settle(execute, tenant)
        await settle(execute, tenant)
        rows = await rows_of(superuser, CHECKPOINTS, tenant.tenant_id)
        assert [(row["tree_size"], row["vkey"]) for row in rows] == [(5, old), (6, new), (7, new)]
        for row in rows:
            open_note(row["note"], [Verifier.parse(row["vkey"])])
        with pytest.raises(NoteError):
            open_note(rows[0]["note"], [Verifier.parse(new)])
        (entry,) = await changes_of(execute, tenant)
        assert old in (entry.before_state or "")
        assert new in (entry.after_state or "")
        assert await assert_whole(superuser, tenant.tenant_id) == 7, "the change is a leaf itself"

    def test_leaves_nothing_of_the_old_key(self, settings: Settings) -> None:
        log_signer(settings).vkey("x")
        seed = (settings.data_dir / "log-key").read_bytes()
        log_signer(settings).rotate()
        for file in settings.data_dir.rglob("*"):
            assert not file.is_file() or seed not in file.read_bytes()
        assert [file.name for file in settings.data_dir.glob("log-key*")] == ["log-key"]

    async def test_a_key_that_was_replaced_never_signs_again(
        self, reporter: Reporter, settings: Settings, superuser: dict[str, Any]
    ) -> None:
        """Such as that of a machine which was left out of the rotation: else two would sign in turns."""
        execute, tenant = reporter.execute, reporter.principal
        await settle(execute, tenant)
        old = (settings.data_dir / "log-key").read_bytes()
        log_signer(settings).rotate()
        await reporter.start()
        await settle(execute, tenant)
        (settings.data_dir / "log-key").write_bytes(old)
        await integrate(execute, tenant)
        assert "was replaced by another one" in ((await sign(execute, tenant)).refusal or "")
        assert len(await rows_of(superuser, CHECKPOINTS, tenant.tenant_id)) == 2

    def test_is_refused_for_a_key_of_the_environment(self, settings: Settings) -> None:
        key = SecretStr(base64.b64encode(bytes(32)).decode())
        with pytest.raises(BadLogKey, match="HOC_LOG_KEY"):
            log_signer(settings.model_copy(update={"log_key": key})).rotate()


class TestTheKey:
    def test_is_made_once_for_its_user_alone(self, settings: Settings) -> None:
        vkey = log_signer(settings).vkey("a/log")
        assert log_signer(settings).vkey("a/log") == vkey
        assert (settings.data_dir / "log-key").stat().st_mode & 0o777 == 0o600

    def test_of_the_environment_goes_before_the_file(self, settings: Settings) -> None:
        given = SecretStr(base64.b64encode(bytes(range(32))).decode())
        signer = log_signer(settings.model_copy(update={"log_key": given}))
        assert signer.vkey("a") != log_signer(settings).vkey("a")

    @pytest.mark.parametrize("text", ["x", "not base64!", base64.b64encode(b"short").decode(), "é" * 44])
    def test_that_is_none_is_refused_without_being_quoted(self, settings: Settings, text: str) -> None:
        with pytest.raises(BadLogKey) as refused:
            log_signer(settings.model_copy(update={"log_key": SecretStr(text)}))
        assert text not in (explained(refused.value) or "") or text == "x"

    async def test_state_that_is_damaged_stops_signing_without_stopping_the_log(
        self, reporter: Reporter, settings: Settings, superuser: dict[str, Any]
    ) -> None:
        await settle(reporter.execute, reporter.principal)
        (kept,) = (settings.data_dir / "log-state").glob("*.note")
        kept.write_text("nothing")
        await reporter.start()
        assert (await integrate(reporter.execute, reporter.principal)).count == 1
        who = principal_of(reporter.principal.tenant_id)
        error = (await reporter.execute("logs.sign_checkpoint", SignCheckpoint(), who)).error
        assert error is not None
        assert (error.code, str(kept) in str(error)) == (ErrorCode.UNAVAILABLE, True)
        assert await assert_whole(superuser, reporter.principal.tenant_id) == 2

    def test_file_that_is_damaged_is_refused(self, settings: Settings) -> None:
        settings.data_dir.mkdir(parents=True)
        (settings.data_dir / "log-key").write_bytes(b"short")
        with pytest.raises(BadLogKey, match="not 5"):
            log_signer(settings).vkey("a")


def writings(seed: bytes) -> list[str]:
    """How a seed could be written down."""
    plain = base64.b64encode(seed).decode()
    return [
        seed.hex(),
        seed.hex().upper(),
        plain,
        plain.rstrip("="),
        base64.urlsafe_b64encode(seed).decode().rstrip("="),
    ]


class TestTheSeed:
    async def test_is_in_no_table_no_log_and_no_error(
        self,
        reporter: Reporter,
        superuser: dict[str, Any],
        settings: Settings,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        seed, tenant = secrets.token_bytes(32), reporter.principal
        (settings.data_dir / "log-key").write_bytes(seed)
        await a_finished_run(reporter)
        await settle(reporter.execute, tenant)
        for damaged in (seed[:31], seed + seed):
            (settings.data_dir / "log-key").write_bytes(damaged)
            result = await reporter.execute("logs.log_key", FindLogKey(), tenant)
            assert result.error is not None
            assert not [one for one in writings(seed) if one in str(result.error)]
        shown = "".join(capfd.readouterr()) + await dump(superuser)
        assert str(tenant.tenant_id) in shown
        assert not [one for one in writings(seed) if one in shown]
        assert repr(settings).count(seed.hex()) == 0


async def dump(superuser: dict[str, Any]) -> str:
    """Every row of every table as text; bytes are hex in it."""
    connection = await asyncpg.connect(**superuser)
    try:
        rows = [row[0] for name in metadata.tables for row in await connection.fetch(f"SELECT t::text FROM {name} t")]
    finally:
        await connection.close()
    return "\n".join(rows)


def test_settings_never_show_the_key(tmp_path: Path) -> None:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    settings = Settings(data_dir=tmp_path, log_key=SecretStr(key))
    assert key not in f"{settings!r}{settings}{settings.model_dump_json()}"
