"""`hoc keys …`: making and stopping API keys, beside a running server or without one."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import typer

from resolvers.cli import logs
from resolvers.cli.console import Steps, complain, say
from resolvers.cli.options import DataDir, Tenant, settings_of
from spine.bootstrap import Report, Runtime, platform_principal
from spine.contracts.access import ChangeKey, CreateKey, CreateTenant, KeyChanged, KeyCreated
from spine.contracts.enums import Permission, Role
from spine.contracts.errors import Unavailable
from spine.settings import Settings

Result = TypeVar("Result")
Dispatch = Callable[[str, Any], Awaitable[Any]]
KeyId = Annotated[str, typer.Argument(help="The key's id: the third part of the key.")]
Reason = Annotated[str, typer.Option(help="Why; the audit ledger keeps it.")]
Expires = Annotated[int | None, typer.Option(min=1, max=3650, help="Refuse the key after so many days.")]
Scopes = Annotated[list[Permission], typer.Option("--scope", help="What a MACHINE key may do; repeat it.")]

app = typer.Typer(help="Make, freeze and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    tenant: Tenant,
    role: Annotated[Role, typer.Option(case_sensitive=False, help="What the key may do.")],
    scope: Scopes = [],  # noqa: B006 - typer copies it
    name: Annotated[str | None, typer.Option(help="A name for people; it stands wherever the key acts.")] = None,
    expires_in_days: Expires = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key, and its tenant when that is absent; the key is the last line, and is never shown again."""
    settings = settings_of(data_dir=data_dir)
    logs.configure("warning")
    expires_at = datetime.now(UTC) + timedelta(days=expires_in_days) if expires_in_days else None
    wanted = CreateKey(name=name or f"{role.lower()} key", role=role, scopes=tuple(scope), expires_at=expires_at)
    with Steps() as report:
        made = asyncio.run(create_key(settings, tenant, wanted, report))
    complain(f"made the {role} key {made.key_id} of tenant {tenant}")
    say(made.key)


async def create_key(settings: Settings, tenant: str, wanted: CreateKey, report: Report) -> KeyCreated:
    """Make a key of a tenant, which is made when absent."""

    async def work(dispatch: Dispatch) -> KeyCreated:
        await dispatch("account.create_tenant", CreateTenant(tenant))
        created: KeyCreated = await dispatch("api_keys.create_key", wanted)
        return created

    return await administer(settings, tenant, work, report)


async def administer(
    settings: Settings, tenant: str, work: Callable[[Dispatch], Awaitable[Result]], report: Report
) -> Result:
    """Open the spine beside whatever runs, dispatch as the tenant's administrator, close it."""
    report("opening the database")
    runtime = Runtime(settings)
    principal = platform_principal(tenant)
    await runtime.open()

    async def dispatch(operation: str, request: Any) -> Any:
        return (await runtime.registry.execute(operation, request, principal)).unwrap()

    try:
        unready = await runtime.ready()
        if unready is not None:
            raise Unavailable(f"not ready ({unready}); run: hoc migrate")
        return await work(dispatch)
    finally:
        await runtime.close()


def _changing(operation: str, help_text: str, done: str) -> None:
    def change(key_id: KeyId, tenant: Tenant, reason: Reason, data_dir: DataDir = None) -> None:
        settings = settings_of(data_dir=data_dir)
        logs.configure("warning")

        async def work(dispatch: Dispatch) -> KeyChanged:
            changed: KeyChanged = await dispatch(f"api_keys.{operation}_key", ChangeKey(key_id=key_id, reason=reason))
            return changed

        with Steps() as report:
            changed = asyncio.run(administer(settings, tenant, work, report))
        say(f"{changed.key_id} is {done}")

    app.command(operation, help=help_text)(change)


_changing("revoke", "Refuse a key for good, everywhere within two seconds.", "revoked")
_changing("freeze", "Refuse a key until it is unfrozen.", "frozen")
_changing("unfreeze", "Admit a frozen key again.", "admitted again")
