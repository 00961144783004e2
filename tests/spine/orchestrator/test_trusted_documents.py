"""The list of trusted documents: added once whoever asks how often, retired and taken back, audited, per tenant."""

import asyncio
import hashlib
from typing import Any

import asyncpg
import pytest

from spine.contracts.access import Nothing, Viewer
from spine.contracts.actors import Principal
from spine.contracts.enums import AuditEntityType, DocumentMode
from spine.contracts.errors import Conflict, HocError, NotFound
from spine.contracts.integrations import (
    AddDocuments,
    DocumentPolicy,
    DocumentsAdded,
    FindDocument,
    ListDocuments,
    NewDocument,
    RetireDocuments,
    SetDocumentMode,
    TrustedDocument,
)
from spine.contracts.ledger import AuditEntry, AuditFilter, ListAuditEntries
from spine.contracts.paging import Page, PageRequest
from tests.conftest import Execute


def a_document(text: str) -> NewDocument:
    return NewDocument(sha256=hashlib.sha256(text.encode()).hexdigest(), text=text, name="Named")


ONE, TWO, THREE = (a_document(f"query Named {{ viewer {{ {field} }} }}") for field in ("role", "tenant", "permissions"))


class Library:
    """A tenant's list, as its administrator keeps it."""

    def __init__(self, execute: Execute, principal: Principal) -> None:
        self._execute = execute
        self.principal = principal

    async def do(self, operation: str, request: Any) -> Any:
        return (await self._execute(f"integrations.{operation}", request, self.principal)).unwrap()

    async def error(self, operation: str, request: Any) -> HocError | None:
        return (await self._execute(f"integrations.{operation}", request, self.principal)).error

    async def add(self, *documents: NewDocument) -> DocumentsAdded:
        added: DocumentsAdded = await self.do("add_documents", AddDocuments(documents))
        return added

    async def retire(self, *documents: NewDocument) -> None:
        await self.do("retire_documents", RetireDocuments(sha256=tuple(one.sha256 for one in documents), reason="old"))

    async def text(self, document: NewDocument) -> str | None:
        found: str | None = (await self.do("find_document", FindDocument(document.sha256))).text
        return found

    async def page(self, page: PageRequest | None = None, *, retired: bool | None = None) -> Page[TrustedDocument]:
        request = ListDocuments(page=page or PageRequest(50), retired=retired, count=True)
        found: Page[TrustedDocument] = await self.do("documents", request)
        return found

    async def policy(self) -> DocumentPolicy:
        found: DocumentPolicy = await self.do("document_policy", Nothing())
        return found

    async def entries(self, kind: AuditEntityType) -> list[AuditEntry]:
        request = ListAuditEntries(page=PageRequest(50), filter=AuditFilter(entity_type=(kind,)))
        return list((await self._execute("logs.audit_entries", request, self.principal)).unwrap().nodes)


@pytest.fixture
def library(execute: Execute, principal: Principal) -> Library:
    return Library(execute, principal)


@pytest.fixture
def elsewhere(execute: Execute, other: Principal) -> Library:
    return Library(execute, other)


class TestAdding:
    async def test_shows_each_document_and_who_added_it(self, library: Library) -> None:
        done = await library.add(ONE, TWO)
        assert done.added == 2
        first = done.documents[0]
        assert (first.id, first.text, first.name) == (f"sha256:{ONE.sha256}", ONE.text, "Named")
        assert (first.added_by, first.retired_at) == (library.principal.actor, None)
        assert await library.text(ONE) == ONE.text

    async def test_again_changes_nothing_and_is_no_entry_of_the_ledger(self, library: Library) -> None:
        first = await library.add(ONE)
        before = await library.policy()
        again = await library.add(ONE, ONE)
        assert (again.added, again.documents) == (0, first.documents)
        assert await library.policy() == before
        assert len(await library.entries(AuditEntityType.TRUSTED_DOCUMENT)) == 1

    async def test_by_many_at_once_happens_once(self, library: Library) -> None:
        done = await asyncio.gather(*(library.add(ONE, TWO) for _ in range(8)))
        assert sorted(one.added for one in done) == [0] * 7 + [2]
        assert (await library.page()).total_count == 2
        assert len(await library.entries(AuditEntityType.TRUSTED_DOCUMENT)) == 2

    async def test_is_all_or_nothing(self, library: Library) -> None:
        wrong = NewDocument(sha256=ONE.sha256, text=TWO.text)
        assert await library.error("add_documents", AddDocuments((ONE, wrong))) is not None
        assert (await library.page()).total_count == 0

    async def test_is_audited_for_each_document(self, library: Library) -> None:
        await library.add(ONE, TWO)
        entries = await library.entries(AuditEntityType.TRUSTED_DOCUMENT)
        assert {entry.entity_id for entry in entries} == {f"sha256:{ONE.sha256}", f"sha256:{TWO.sha256}"}
        assert {entry.event_type for entry in entries} == {"TrustedDocumentAdded"}
        assert all(ONE.text not in str(entry.after_state) for entry in entries)


class TestRetiring:
    async def test_hides_the_text_and_marks_the_document(self, library: Library) -> None:
        await library.add(ONE, TWO)
        await library.retire(ONE)
        assert (await library.text(ONE), await library.text(TWO)) == (None, TWO.text)
        assert [one.sha256 for one in (await library.page(retired=True)).nodes] == [ONE.sha256]
        assert [one.sha256 for one in (await library.page(retired=False)).nodes] == [TWO.sha256]
        (entry,) = [one for one in await library.entries(AuditEntityType.TRUSTED_DOCUMENT) if one.reason]
        assert (entry.event_type, entry.reason) == ("TrustedDocumentRetired", "old")

    async def test_is_taken_back_by_adding_again(self, library: Library) -> None:
        first = (await library.add(ONE)).documents
        await library.retire(ONE)
        again = await library.add(ONE)
        assert (again.added, again.documents) == (1, first)
        assert await library.text(ONE) == ONE.text

    async def test_is_all_or_nothing(self, library: Library) -> None:
        await library.add(ONE, TWO)
        both = RetireDocuments(sha256=(ONE.sha256, THREE.sha256), reason="old")
        assert isinstance(await library.error("retire_documents", both), NotFound)
        await library.retire(TWO)
        both = RetireDocuments(sha256=(ONE.sha256, TWO.sha256), reason="old")
        assert isinstance(await library.error("retire_documents", both), Conflict)
        assert await library.text(ONE) == ONE.text


class TestTheMode:
    async def test_is_off_until_it_is_set(self, library: Library, execute: Execute) -> None:
        assert await library.policy() == DocumentPolicy(DocumentMode.OFF, 0)
        await library.do("set_document_mode", SetDocumentMode(mode=DocumentMode.ENFORCE, reason="production"))
        assert (await library.policy()).mode is DocumentMode.ENFORCE
        viewer: Viewer = (await execute("account.viewer", Nothing(), library.principal)).unwrap()
        assert viewer.document_mode is DocumentMode.ENFORCE
        (entry,) = [one for one in await library.entries(AuditEntityType.TENANT) if one.reason]
        assert (entry.event_type, entry.reason) == ("DocumentModeSet", "production")
        assert (entry.before_state, entry.after_state) == ('{"document_mode":"OFF"}', '{"document_mode":"ENFORCE"}')

    async def test_set_to_what_it_is_changes_nothing(self, library: Library) -> None:
        await library.do("set_document_mode", SetDocumentMode(mode=DocumentMode.OFF))
        assert (await library.policy()).revision == 0
        assert [one.event_type for one in await library.entries(AuditEntityType.TENANT)] == ["TenantCreated"]

    async def test_stays_when_the_list_changes_and_every_change_has_a_revision(self, library: Library) -> None:
        await library.do("set_document_mode", SetDocumentMode(mode=DocumentMode.LOG))
        await library.add(ONE)
        await library.retire(ONE)
        await library.add(ONE)
        assert await library.policy() == DocumentPolicy(DocumentMode.LOG, 4)


class TestTheList:
    async def test_is_paged_newest_first(self, library: Library) -> None:
        for document in (ONE, TWO, THREE):
            await library.add(document)
        page = await library.page(PageRequest(2))
        assert ([one.sha256 for one in page.nodes], page.total_count) == ([THREE.sha256, TWO.sha256], 3)
        rest = await library.page(PageRequest(2, page.cursors[-1]))
        assert ([one.sha256 for one in rest.nodes], rest.has_next_page) == ([ONE.sha256], False)

    async def test_is_one_tenants_own(self, library: Library, elsewhere: Library) -> None:
        await library.add(ONE)
        await library.do("set_document_mode", SetDocumentMode(mode=DocumentMode.ENFORCE))
        assert await elsewhere.text(ONE) is None
        assert (await elsewhere.page()).total_count == 0
        assert (await elsewhere.policy()).mode is DocumentMode.OFF
        foreign = RetireDocuments(sha256=(ONE.sha256,), reason="mine now")
        assert isinstance(await elsewhere.error("retire_documents", foreign), NotFound)
        assert (await elsewhere.add(ONE)).added == 1

    async def test_keeps_its_texts_as_they_are(self, library: Library, postgres: Any, database_name: str) -> None:
        """The app itself may only mark a retirement."""
        await library.add(ONE)
        connection = await asyncpg.connect(**postgres.connection("hoc_app", database_name).asyncpg_arguments())
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("UPDATE trusted_documents SET text = 'query { viewer { role } }'")
        finally:
            await connection.close()
