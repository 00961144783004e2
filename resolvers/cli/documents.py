"""`hoc documents …`: the list of trusted documents, kept beside a running server or without one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from resolvers.cli import logs
from resolvers.cli.console import Steps, complain, say, show
from resolvers.cli.keys import Dispatch, Reason, administer
from resolvers.cli.options import DataDir, Tenant, settings_of
from resolvers.document_ids import sha256_of
from spine.contracts.access import Nothing
from spine.contracts.enums import DocumentMode
from spine.contracts.errors import NotFound
from spine.contracts.integrations import (
    AddDocuments,
    DocumentPolicy,
    DocumentsAdded,
    ListDocuments,
    NewDocument,
    RetireDocuments,
    SetDocumentMode,
    TrustedDocument,
)
from spine.contracts.paging import MAX_PAGE, PageRequest

Result = TypeVar("Result")
Work = Callable[[Dispatch], Awaitable[Result]]
Files = Annotated[list[Path], typer.Argument(help="Manifests (.json) or documents (.graphql); all are added or none.")]
Ids = Annotated[list[str], typer.Argument(help="SHA-256s, with or without sha256: before them.")]
Mode = Annotated[DocumentMode | None, typer.Argument(case_sensitive=False, help="The new mode; else it is only told.")]
Why = Annotated[str | None, typer.Option("--reason", help="Why; the audit ledger keeps it.")]

app = typer.Typer(help="Add and retire trusted documents, and say whether others are taken.", no_args_is_help=True)


@app.command()
def add(files: Files, tenant: Tenant, data_dir: DataDir = None) -> None:
    """Add every document of the files, or none when one of them is wrong.

    Takes Apollo's persisted-query manifests, maps of SHA-256 to text, and .graphql files.
    """
    from resolvers.cli.manifests import BadFiles, documents_of  # noqa: PLC0415 - GraphQL, for no other command
    from resolvers.limits.bounds import Bounds  # noqa: PLC0415
    from resolvers.schema import build_schema  # noqa: PLC0415

    try:
        documents = documents_of(files, build_schema(Bounds.of(settings_of(data_dir=data_dir))))
    except BadFiles as bad:
        for problem in bad.problems:
            complain(problem)
        complain("nothing was added")
        raise typer.Exit(1) from None

    async def work(dispatch: Dispatch) -> DocumentsAdded:
        return await _added(dispatch, documents)

    done = _administer(tenant, data_dir, work)
    say(f"{done.added} documents added, {len(done.documents) - done.added} were in force already")


async def _added(dispatch: Dispatch, documents: list[NewDocument]) -> DocumentsAdded:
    added: DocumentsAdded = await dispatch("integrations.add_documents", AddDocuments(tuple(documents)))
    return added


@app.command("list")
def list_documents(tenant: Tenant, data_dir: DataDir = None) -> None:
    """List the documents, newest first, retired ones too."""
    table = Table("sha256", "operations", "bytes", "added", "by", "retired")
    for one in _administer(tenant, data_dir, _every):
        retired = "" if one.retired_at is None else one.retired_at.isoformat(timespec="seconds")
        added = one.added_at.isoformat(timespec="seconds")
        size = str(len(one.text.encode()))
        table.add_row(one.sha256, one.name or "", size, added, one.added_by.name or "", retired)
    show(table)


async def _every(dispatch: Dispatch) -> list[TrustedDocument]:
    found: list[TrustedDocument] = []
    after: str | None = None
    while True:
        page = await dispatch("integrations.documents", ListDocuments(page=PageRequest(MAX_PAGE, after)))
        found += page.nodes
        if not page.has_next_page:
            return found
        after = page.cursors[-1]


@app.command()
def retire(documents: Ids, tenant: Tenant, reason: Reason, data_dir: DataDir = None) -> None:
    """Refuse documents, everywhere within two seconds; adding them again takes it back."""
    wanted = tuple(sha256_of(one, "a document's id") for one in documents)

    async def work(dispatch: Dispatch) -> Any:
        return await dispatch("integrations.retire_documents", RetireDocuments(sha256=wanted, reason=reason))

    done = _administer(tenant, data_dir, work)
    say(f"{len(done.documents)} documents retired")


@app.command()
def mode(tenant: Tenant, wanted: Mode = None, reason: Why = None, data_dir: DataDir = None) -> None:
    """Set what becomes of documents that are not in the list, everywhere within two seconds, or only tell it."""

    async def work(dispatch: Dispatch) -> DocumentMode:
        if wanted is not None:
            await dispatch("integrations.set_document_mode", SetDocumentMode(mode=wanted, reason=reason))
        policy: DocumentPolicy = await dispatch("integrations.document_policy", Nothing())
        return policy.mode

    say(_administer(tenant, data_dir, work))


def _administer(tenant: str, data_dir: Path | None, work: Work[Result]) -> Result:
    """Do the work as the tenant's administrator; a tenant that does not exist is NotFound, and is not made."""
    settings = settings_of(data_dir=data_dir)
    logs.configure("warning")

    async def known(dispatch: Dispatch) -> Result:
        try:
            await dispatch("account.viewer", Nothing())
        except NotFound:
            raise NotFound("tenant", tenant) from None
        return await work(dispatch)

    with Steps() as report:
        return asyncio.run(administer(settings, tenant, known, report))
