"""API keys: shown once, stored as a hash under a pepper that the database never sees, and refused for every reason."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from domains.api_keys.engine import FORM, admit, new_key, parse, secret_hash
from spine.bootstrap import Runtime
from spine.contracts.access import Authenticate, ChangeKey, CreateKey, KeyCreated
from spine.contracts.actors import Principal
from spine.contracts.enums import ActorKind, Permission, Role
from spine.contracts.errors import Conflict, ErrorCode, HocError, KeyFrozen, Unauthenticated
from spine.contracts.ledger import ListAuditEntries
from spine.contracts.paging import PageRequest
from spine.settings import Settings
from spine.storage.embedded import EmbeddedPostgres
from tests.conftest import Execute

PEPPER = b"pepper"


class Keys:
    """An administrator of keys, and their holders."""

    def __init__(self, execute: Execute, principal: Principal) -> None:
        self.execute = execute
        self.principal = principal

    async def make(self, **changes: Any) -> KeyCreated:
        request = CreateKey(**{"name": "ours", "role": Role.VIEWER, **changes})
        made: KeyCreated = (await self.execute("api_keys.create_key", request, self.principal)).unwrap()
        return made

    async def change(self, verb: str, key: KeyCreated, reason: str = "because") -> None:
        request = ChangeKey(key_id=key.key_id, reason=reason)
        (await self.execute(f"api_keys.{verb}_key", request, self.principal)).unwrap()

    async def present(self, text: str) -> Principal:
        found: Principal = (await self.execute("api_keys.authenticate", Authenticate(text), None)).unwrap()
        return found

    async def refused(self, text: str) -> HocError:
        error = (await self.execute("api_keys.authenticate", Authenticate(text), None)).error
        assert error is not None
        return error


@pytest.fixture
def keys(execute: Execute, principal: Principal) -> Keys:
    return Keys(execute, principal)


class TestAKey:
    async def test_makes_its_holder_known(self, keys: Keys) -> None:
        made = await keys.make(name="console", role=Role.MEMBER)
        holder = await keys.present(made.key)
        assert (holder.tenant_id, holder.role, holder.key_id) == (
            keys.principal.tenant_id,
            Role.MEMBER,
            made.key_id,
        )
        assert (holder.actor.kind, holder.actor.id, holder.actor.name) == (ActorKind.HUMAN, made.key_id, "console")
        assert Permission.RUNS_WRITE in holder.permissions
        assert Permission.API_KEYS_MANAGE not in holder.permissions

    async def test_of_a_machine_holds_exactly_its_scopes(self, keys: Keys) -> None:
        made = await keys.make(role=Role.MACHINE, scopes=(Permission.RUNS_WRITE,))
        holder = await keys.present(made.key)
        assert (holder.role, holder.permissions) == (Role.MACHINE, frozenset({Permission.RUNS_WRITE}))
        assert holder.actor.kind is ActorKind.SERVICE

    async def test_has_the_form_that_scanners_know(self, keys: Keys) -> None:
        made = await keys.make()
        match = FORM.fullmatch(made.key)
        assert match is not None
        assert match.groups()[:2] == ("test", made.key_id)

    async def test_is_stored_nowhere(self, keys: Keys, superuser: dict[str, Any]) -> None:
        made = await keys.make()
        await keys.present(made.key)
        await keys.change("freeze", made)
        secret = parse(made.key).secret
        connection = await asyncpg.connect(**superuser)
        try:
            query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            texts = [
                str(row[0])
                for (name,) in await connection.fetch(query)
                for row in await connection.fetch(f'SELECT t::text FROM "{name}" t')
            ]
        finally:
            await connection.close()
        assert any(made.key_id in text for text in texts)
        for hidden in (secret, secret.encode().hex(), made.key):
            assert not any(hidden in text for text in texts)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "n" * 101}, "name"),
            ({"name": "a\0b"}, "name"),
            ({"name": " "}, "name"),
            ({"role": Role.MACHINE}, "scopes"),
            ({"scopes": (Permission.RUNS_READ,)}, "scopes"),
            ({"expires_at": datetime(2030, 1, 1)}, "expiresAt"),  # noqa: DTZ001 - the zone is what is missing
        ],
    )
    async def test_that_makes_no_sense_is_refused(self, keys: Keys, changes: dict[str, Any], field: str | None) -> None:
        with pytest.raises(HocError) as caught:
            await keys.make(**changes)
        assert (caught.value.code, caught.value.field) == (ErrorCode.VALIDATION, field)


class TestARefusedKey:
    async def test_is_one_with_another_secret(self, keys: Keys) -> None:
        made = await keys.make()
        wrong = made.key[:-32] + parse((await keys.make()).key).secret
        assert isinstance(await keys.refused(wrong), Unauthenticated)

    async def test_is_one_that_nobody_made(self, keys: Keys) -> None:
        assert isinstance(await keys.refused(new_key("test")[1]), Unauthenticated)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "hoc",
            "hoc_test_a_b",
            "Bearer hoc_test_aaaaaaaaaaaaaaaa_" + "a" * 32,
            "hoc_test_aaaaaaaaaaaaaaaa_" + "A" * 32,
            "hoc_test_aaaaaaaaaaaaaaaa_" + "a" * 33,
            "hoc_test_aaaaaaaaaaaaaaaa_" + "a" * 32 + "\n",
            "hoc__aaaaaaaaaaaaaaaa_" + "a" * 32,
            "a\0b",
            "\ud800",
        ],
    )
    async def test_is_one_of_another_form(self, keys: Keys, text: str) -> None:
        error = await keys.refused(text)
        assert (error.code, error.message) == (ErrorCode.UNAUTHENTICATED, "a valid API key is required")

    async def test_is_one_that_has_expired(self, keys: Keys) -> None:
        made = await keys.make(expires_at=datetime.now(UTC) + timedelta(seconds=0.3))
        await keys.present(made.key)
        await asyncio.sleep(0.35)
        assert (await keys.refused(made.key)).code is ErrorCode.UNAUTHENTICATED

    async def test_is_one_that_is_frozen_until_it_is_unfrozen(self, keys: Keys) -> None:
        made = await keys.make()
        await keys.change("freeze", made)
        error = await keys.refused(made.key)
        assert (type(error), error.code) == (KeyFrozen, ErrorCode.FROZEN)
        await keys.change("unfreeze", made)
        await keys.present(made.key)

    async def test_is_one_that_is_revoked_also_when_it_was_frozen(self, keys: Keys) -> None:
        made = await keys.make()
        await keys.change("freeze", made)
        await keys.change("revoke", made)
        assert (await keys.refused(made.key)).code is ErrorCode.UNAUTHENTICATED

    async def test_with_a_wrong_secret_never_says_that_it_is_frozen(self, keys: Keys) -> None:
        made = await keys.make()
        await keys.change("freeze", made)
        wrong = made.key[:-1] + ("a" if made.key[-1] != "a" else "b")
        assert (await keys.refused(wrong)).code is ErrorCode.UNAUTHENTICATED

    async def test_is_any_under_another_pepper(
        self, keys: Keys, settings: Settings, postgres: EmbeddedPostgres, database_name: str
    ) -> None:
        made = await keys.make()
        connect = dict(postgres.connection("hoc_app", database_name).asyncpg_arguments())
        elsewhere = Runtime(settings.model_copy(update={"data_dir": settings.data_dir / "else"}), connect=connect)
        await elsewhere.open()
        try:
            result = await elsewhere.registry.execute("api_keys.authenticate", Authenticate(made.key), None)
        finally:
            await elsewhere.close()
        assert isinstance(result.error, Unauthenticated)


class TestChangingKeys:
    @pytest.mark.parametrize(
        ("verbs", "last"),
        [
            (("freeze",), "freeze"),
            ((), "unfreeze"),
            (("revoke",), "revoke"),
            (("revoke",), "freeze"),
            (("freeze", "revoke"), "unfreeze"),
        ],
    )
    async def test_what_is_so_already_or_for_good_is_a_conflict(
        self, keys: Keys, verbs: tuple[str, ...], last: str
    ) -> None:
        made = await keys.make()
        for verb in verbs:
            await keys.change(verb, made)
        with pytest.raises(Conflict):
            await keys.change(last, made)

    @pytest.mark.parametrize("verb", ["freeze", "unfreeze", "revoke"])
    async def test_anothers_key_is_not_there(self, keys: Keys, execute: Execute, other: Principal, verb: str) -> None:
        made = await keys.make()
        with pytest.raises(HocError) as caught:
            await Keys(execute, other).change(verb, made)
        assert caught.value.code is ErrorCode.NOT_FOUND
        await keys.present(made.key)

    @pytest.mark.parametrize("reason", ["", " ", "r" * 1_025, "a\0b"])
    async def test_takes_a_reason_that_can_be_read(self, keys: Keys, reason: str) -> None:
        made = await keys.make()
        with pytest.raises(HocError) as caught:
            await keys.change("freeze", made, reason)
        assert (caught.value.code, caught.value.field) == (ErrorCode.VALIDATION, "reason")

    async def test_by_two_at_once_happens_once(self, keys: Keys) -> None:
        made = await keys.make()
        done = await asyncio.gather(*(keys.change("freeze", made) for _ in range(8)), return_exceptions=True)
        assert sum(one is None for one in done) == 1
        assert sum(isinstance(one, Conflict) for one in done) == 7

    async def test_is_in_the_ledger_with_its_reason_and_without_the_secret(self, keys: Keys) -> None:
        made = await keys.make()
        for verb in ("freeze", "unfreeze", "revoke"):
            await keys.change(verb, made, f"to {verb}")
        page = (
            await keys.execute("logs.audit_entries", ListAuditEntries(page=PageRequest(100)), keys.principal)
        ).unwrap()
        entries = [(one.event_type, one.reason) for one in page.nodes if one.entity_id == made.key_id]
        assert entries == [
            ("ApiKeyRevoked", "to revoke"),
            ("ApiKeyUnfrozen", "to unfreeze"),
            ("ApiKeyFrozen", "to freeze"),
            ("ApiKeyCreated", None),
        ]
        assert not any(parse(made.key).secret in (one.after_state or "") for one in page.nodes)

    async def test_needs_the_right_to_manage_them(self, keys: Keys, execute: Execute) -> None:
        member = await keys.present((await keys.make(role=Role.MEMBER)).key)
        with pytest.raises(HocError) as caught:
            await Keys(execute, member).make()
        assert caught.value.code is ErrorCode.FORBIDDEN


class TestTheHash:
    def test_depends_on_id_secret_and_pepper(self) -> None:
        one, other = new_key("test")[0], new_key("test")[0]
        hashes = {secret_hash(pepper, parts) for pepper in (PEPPER, b"salt") for parts in (one, other)}
        assert len(hashes) == 4
        assert {len(found) for found in hashes} == {32}

    def test_admits_the_right_secret_of_an_active_key_alone(self) -> None:
        parts, _ = new_key("test")
        stored = secret_hash(PEPPER, parts)
        admit(PEPPER, parts, stored, "ACTIVE")
        for status in ("EXPIRED", "REVOKED", "anything"):
            with pytest.raises(Unauthenticated):
                admit(PEPPER, parts, stored, status)
        with pytest.raises(Unauthenticated):
            admit(b"salt", parts, stored, "ACTIVE")

    def test_secrets_are_random(self) -> None:
        made = {new_key("test")[1] for _ in range(1_000)}
        assert len(made) == 1_000
        assert all(parse(text) for text in made)
