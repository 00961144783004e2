"""Files of documents: what client tools write of the operations that they compiled, and plain GraphQL.

- Apollo's persisted-query manifest (`"format": "apollo-persisted-query-manifest"`), whose ids are SHA-256s;
- a map of SHA-256 to text, as @graphql-codegen's client preset and relay-compiler (with `"algorithm": "SHA256"`)
  write it; MD5, which Relay takes by default, and SHA-1, which older presets do, are refused: both can be forged;
- a `.graphql` file, which is one document with all its operations and fragments: its SHA-256 is that of the file's
  exact bytes, so the client must send them unchanged, with an operationName when there are several.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from resolvers.document_ids import sha256_of
from resolvers.documents import operation_names
from resolvers.errors import Schema
from spine.contracts.errors import ValidationFailed
from spine.contracts.integrations import NewDocument

WEAK: Final = {32: 'an MD5; relay-compiler takes "algorithm": "SHA256"', 40: 'a SHA-1; set hashAlgorithm: "sha256"'}
"""Lengths of hex ids that are no SHA-256, and what makes the tool write one."""

SUFFIXES: Final = (".json", ".graphql", ".gql")


class Entry(Struct, frozen=True, kw_only=True):
    """A document of a file: where it stands, its id there, and the name that the file gives it, if any."""

    place: str
    document_id: str
    text: str
    name: str | None = None


class ManifestOperation(Struct, frozen=True):
    """An operation of Apollo's manifest."""

    id: str
    name: str
    type: Literal["query", "mutation", "subscription"]
    body: str


class Manifest(Struct, frozen=True):
    """Apollo's manifest."""

    format: Literal["apollo-persisted-query-manifest"]
    version: Literal[1]
    operations: list[ManifestOperation]


class BadFiles(Exception):
    """Some documents can't be added; `problems` says what is wrong with each, with its file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def documents_of(files: Iterable[Path], schema: Schema) -> list[NewDocument]:
    """Every document of the files, checked; raises BadFiles when one of them is wrong."""
    documents: list[NewDocument] = []
    problems: list[str] = []
    for path in files:
        try:
            entries = list(entries_of(path))
        except (OSError, UnicodeDecodeError, msgspec.MsgspecError, ValidationFailed) as error:
            problems.append(f"{path}: {error}")
            continue
        for entry in entries:
            try:
                documents.append(checked(entry, schema))
            except ValidationFailed as error:
                problems.append(f"{entry.place}: {error.message}")
    if problems:
        raise BadFiles(problems)
    return documents


def entries_of(path: Path) -> Iterator[Entry]:
    """The documents of one file, as they stand there."""
    if path.suffix not in SUFFIXES:
        raise ValidationFailed(f"a file of documents ends in {', '.join(SUFFIXES)}")
    content = path.read_bytes()
    if path.suffix != ".json":
        yield Entry(place=str(path), document_id=hashlib.sha256(content).hexdigest(), text=content.decode())
    elif "format" in msgspec.json.decode(content, type=dict[str, msgspec.Raw]):
        for one in msgspec.json.decode(content, type=Manifest).operations:
            yield Entry(place=f"{path}: {one.name}", document_id=one.id, text=one.body, name=one.name)
    else:
        for document_id, text in msgspec.json.decode(content, type=dict[str, str]).items():
            yield Entry(place=f"{path}: {document_id}", document_id=document_id, text=text)


def checked(entry: Entry, schema: Schema) -> NewDocument:
    """The document; ValidationFailed when its id, its text or its name is wrong."""
    if entry.document_id.isalnum() and len(entry.document_id) in WEAK:
        raise ValidationFailed(f"the id must be a SHA-256, but looks like {WEAK[len(entry.document_id)]}")
    sha256 = sha256_of(entry.document_id, "the id")
    found = hashlib.sha256(entry.text.encode()).hexdigest()
    if sha256 != found:
        raise ValidationFailed(f"the id is not the SHA-256 of the text, which is {found}")
    name = operation_names(schema, entry.text)
    if entry.name is not None and entry.name != name:
        raise ValidationFailed(f"the operation is called {name or 'nothing'}")
    return NewDocument(sha256=sha256, text=entry.text, name=name)
