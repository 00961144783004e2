"""Exports: files to hand out, each kept with its checksum and told of in the audit ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from spine.contracts.actors import Actor
from spine.contracts.enums import ExportFormat, ExportKind
from spine.contracts.paging import PageRequest
from spine.contracts.scalars import BigInt


class Export(Struct, frozen=True, gc=False, kw_only=True):
    """One file that was handed out; it is never changed."""

    key: UUID
    id: Annotated[str, Meta(description="Opaque global id.")]
    kind: Annotated[ExportKind, Meta(description="What it is of.")]
    subject: Annotated[
        str, Meta(description="The global id of the run or the incident; of a period its start and end, ISO 8601.")
    ]
    format: Annotated[ExportFormat, Meta(description="What the file is.")]
    filename: Annotated[str, Meta(description="A name for the file.")]
    checksum: Annotated[str, Meta(description="SHA-256 of the file, hex.")]
    size_bytes: Annotated[BigInt, Meta(description="How long the file is.")]
    payloads: Annotated[bool, Meta(description="Whether it holds payloads; then it was handed out once and not kept.")]
    created_by: Annotated[Actor, Meta(description="Who asked for it.")]
    created_at: Annotated[datetime, Meta(description="When (UTC).")]


class ExportRun(Struct, frozen=True, kw_only=True):
    """Export all that is recorded of a run."""

    run_key: UUID
    format: ExportFormat = ExportFormat.JSON
    payloads: bool = False


class ExportIncident(Struct, frozen=True, kw_only=True):
    """Export an incident with the run that caused it."""

    incident_key: UUID
    format: ExportFormat = ExportFormat.JSON
    payloads: bool = False


class ExportPeriod(Struct, frozen=True, kw_only=True):
    """Export all that entered the tenant's log in a period."""

    since: datetime
    until: datetime


class Draft(Struct, frozen=True, kw_only=True):
    """A file that is to be handed out, and which runs it tells of."""

    kind: ExportKind
    subject: str
    format: ExportFormat
    filename: str
    text: str
    payloads: bool = False
    run_keys: tuple[UUID, ...] = ()


class Exported(Struct, frozen=True):
    """An export with its file."""

    export: Export
    content: str


class ExportFile(Struct, frozen=True, gc=False, kw_only=True):
    """What is kept of a file."""

    key: UUID
    text: Annotated[
        str | None, Meta(description="The file, byte for byte as UTF-8; null when it was handed out once and not kept.")
    ]


class KeptFile(ExportFile, frozen=True, gc=False, kw_only=True):
    """The same, with what says who may read it and what reading it discloses."""

    kind: ExportKind
    run_keys: Sequence[UUID]


class ListExports(Struct, frozen=True, kw_only=True):
    """Ask for a page of exports, newest first."""

    page: PageRequest
    count: bool = False


class ExportsByKey(Struct, frozen=True):
    """Ask for exports by key; absent and foreign ones are left out."""

    export_keys: tuple[UUID, ...]
