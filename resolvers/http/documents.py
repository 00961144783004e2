"""Trusted documents: which text a request means, and whether its tenant takes it, for every transport alike.

A request names a document by `documentId` (GraphQL over HTTP, Appendix A) or by Apollo's `extensions.persistedQuery`.
An id only ever finds what was added to the list before: nothing is registered by asking, so whoever can send requests
can't extend the list. A tenant's policy is asked for once a second, so a changed mode, or a retired document, is
seen within two (one here, one for the statement that is under way). When it can't be asked, nothing is taken. What
has begun goes on: a subscription is judged when it is begun.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from strawberry.http import GraphQLRequestData, GraphQLRequestProtocol

from resolvers.document_ids import sha256_of
from spine.bootstrap import Runtime
from spine.contracts.access import Nothing
from spine.contracts.actors import Principal
from spine.contracts.enums import DocumentMode, Permission
from spine.contracts.errors import DocumentNotFound, DocumentNotTrusted, Forbidden, ValidationFailed
from spine.contracts.integrations import DocumentPolicy, FindDocument

T = TypeVar("T")

KEEP_S: Final = 1.0
MOST_TENANTS: Final = 10_000
MOST_TEXTS: Final = 10_000
MOST_CHARACTERS: Final = 32_000_000
MAX_LOGGED: Final = 200

log = structlog.get_logger("hoc.documents")


@dataclass
class Asked(GraphQLRequestData):
    """A request's parameters; `sha256` is that of the document it names, when it names one."""

    sha256: str | None = None


def asked(given: Mapping[str, Any], protocol: GraphQLRequestProtocol = "http") -> Asked:
    """The parameters of a request: a JSON body, a URL's query or a subscribe message's payload.

    ValidationFailed for one of a wrong type, for two ids that differ, and for an id that is not its query's.
    """
    query = _optional(given, "query", str, "a string")
    extensions = _optional(given, "extensions", dict, "an object")
    sha256 = _named(given.get("documentId"), extensions or {})
    if query is not None and sha256 is not None and sha256 != sha256_hex(query):
        raise ValidationFailed("the query is not the document that the request names; its SHA-256 differs")
    return Asked(
        query=query,
        variables=_optional(given, "variables", dict, "an object"),
        operation_name=_optional(given, "operationName", str, "a string") or None,
        extensions=extensions,
        protocol=protocol,
        sha256=sha256,
    )


def _optional(given: Mapping[str, Any], name: str, kind: type[T], called: str) -> T | None:
    value = given.get(name)
    if value is not None and not isinstance(value, kind):
        raise ValidationFailed(f"the request's {name} must be {called}, when it is given")
    return value


def _named(document_id: object, extensions: Mapping[str, Any]) -> str | None:
    persisted = extensions.get("persistedQuery")
    by_id = None if document_id is None else sha256_of(document_id, "documentId")
    by_hash = None if persisted is None else _persisted(persisted)
    if by_id and by_hash and by_id != by_hash:
        raise ValidationFailed("documentId and extensions.persistedQuery name two documents")
    return by_id or by_hash


def _persisted(given: object) -> str:
    """The hash in Apollo's extension, whose only version is 1."""
    if not isinstance(given, dict) or given.get("version") != 1:
        raise ValidationFailed("extensions.persistedQuery must be an object with version 1 and sha256Hash")
    return sha256_of(given.get("sha256Hash"), "extensions.persistedQuery.sha256Hash")


def sha256_hex(text: str) -> str:
    """The SHA-256 of a document's exact text, in lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


class TrustedDocuments:
    """The gate that every document passes before it is parsed."""

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._policies: OrderedDict[UUID, tuple[float, DocumentPolicy]] = OrderedDict()
        self._texts = Texts()

    async def admit(self, wanted: Asked, principal: Principal, request_id: str) -> str | None:
        """The text to execute; None when the request has none and names none.

        Raises DocumentNotFound for an id that is not in the tenant's list, DocumentNotTrusted for a text that is not
        while the mode is ENFORCE (a principal that may explore sends what it likes), and Unavailable.
        """
        if wanted.query is not None:
            await self._judge(wanted.query, wanted.operation_name, principal, request_id)
            return wanted.query
        if wanted.sha256 is None:
            return None
        policy = await self._policy(principal, request_id)
        text = await self._text(wanted.sha256, policy.revision, principal, request_id)
        if text is None:
            raise DocumentNotFound(wanted.sha256)
        return text

    async def allow_exploring(self, principal: Principal, request_id: str) -> None:
        """Raise Forbidden when the schema itself is not for this principal: a part of it is, by its documents."""
        if Permission.SCHEMA_EXPLORE in principal.permissions:
            return
        if (await self._policy(principal, request_id)).mode is DocumentMode.ENFORCE:
            raise Forbidden("reading the whole schema", Permission.SCHEMA_EXPLORE)

    async def _judge(self, text: str, operation: str | None, principal: Principal, request_id: str) -> None:
        if Permission.SCHEMA_EXPLORE in principal.permissions:
            return
        policy = await self._policy(principal, request_id)
        if policy.mode is DocumentMode.OFF:
            return
        sha256 = sha256_hex(text)
        if await self._text(sha256, policy.revision, principal, request_id) is not None:
            return
        refused = policy.mode is DocumentMode.ENFORCE
        facts = {"sha256": sha256, "operation": operation and operation[:MAX_LOGGED], "key_id": principal.key_id}
        log.info("document.untrusted", **facts, request_id=request_id, refused=refused)
        if refused:
            raise DocumentNotTrusted(sha256)

    async def _policy(self, principal: Principal, request_id: str) -> DocumentPolicy:
        until, known = self._policies.get(principal.tenant_id, (0.0, None))
        if known is not None and self._clock() < until:
            return known
        until = self._clock() + KEEP_S
        policy: DocumentPolicy = await self._ask("document_policy", Nothing(), principal, request_id)
        self._policies[principal.tenant_id] = (until, policy)
        self._policies.move_to_end(principal.tenant_id)
        if len(self._policies) > MOST_TENANTS:
            self._policies.popitem(last=False)
        return policy

    async def _text(self, sha256: str, revision: int, principal: Principal, request_id: str) -> str | None:
        known = self._texts.get(principal.tenant_id, sha256, revision)
        if known is not None:
            return known.text
        found = await self._ask("find_document", FindDocument(sha256), principal, request_id)
        text: str | None = found.text
        self._texts.keep(principal.tenant_id, sha256, Known(revision, text))
        return text

    async def _ask(self, operation: str, request: Any, principal: Principal, request_id: str) -> Any:
        """In a transaction of its own: the request's snapshot is for what it asks."""
        result = await self._runtime.registry.execute(
            f"integrations.{operation}", request, principal, request_id=request_id
        )
        return result.unwrap()


@dataclass(frozen=True)
class Known:
    """What was found at a revision of the tenant's list: a text, or that there is none."""

    revision: int
    text: str | None

    @property
    def size(self) -> int:
        """Characters held."""
        return len(self.text or "")


class Texts:
    """Documents by tenant and SHA-256, as long as the tenant's list stays the same; those least used go first."""

    def __init__(self, most: int = MOST_TEXTS, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._most_characters = most_characters
        self._known: OrderedDict[tuple[UUID, str], Known] = OrderedDict()
        self.characters = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, tenant_id: UUID, sha256: str, revision: int) -> Known | None:
        """What is known of a document at this revision; None when it must be asked for."""
        known = self._known.get((tenant_id, sha256))
        if known is None or known.revision != revision:
            return None
        self._known.move_to_end((tenant_id, sha256))
        return known

    def keep(self, tenant_id: UUID, sha256: str, known: Known) -> None:
        """Remember a document in place of what was known of it."""
        before = self._known.pop((tenant_id, sha256), None)
        self._known[tenant_id, sha256] = known
        self.characters += known.size - (before.size if before is not None else 0)
        while len(self._known) > self._most or self.characters > self._most_characters:
            self.characters -= self._known.popitem(last=False)[1].size
