"""Exports: files that were handed out, with their checksums."""

from datetime import datetime

import strawberry

from schema.account import actor as _actor  # noqa: F401 - an export holds an actor
from schema.batched import batched
from schema.contract import contract_type
from schema.inputs import contract_input, optional, required, required_id
from schema.relay import Node
from spine.contracts import exports
from spine.contracts.enums import ExportFormat


@contract_type(exports.ExportFile, name="ExportFile")
class ExportFile:
    """What is kept of an export's file."""


@contract_type(exports.Export, name="Export")
class Export(Node):
    """A file that was handed out; it is never changed, and the audit ledger holds its checksum."""

    file: ExportFile | None = batched("logs.export_files", key="key", description="The file, where it is kept.")


@contract_input(exports.ExportRun, name="ExportRunInput")
class ExportRunInput:
    """Export all that is recorded of a run."""

    id: strawberry.ID = required_id("run_key", "Run", "The run's global id.")
    format: ExportFormat | None = optional("JSON, when absent, or HTML.")
    payloads: bool | None = optional("Whether payloads are to be in it; that needs PAYLOADS_READ. No when absent.")


@contract_input(exports.ExportIncident, name="ExportIncidentInput")
class ExportIncidentInput:
    """Export an incident with the run that caused it."""

    id: strawberry.ID = required_id("incident_key", "Incident", "The incident's global id.")
    format: ExportFormat | None = optional("JSON, when absent, or HTML.")
    payloads: bool | None = optional("Whether payloads are to be in it; that needs PAYLOADS_READ. No when absent.")


@contract_input(exports.ExportPeriod, name="ExportPeriodInput")
class ExportPeriodInput:
    """Export all that entered the tenant's log in a period, at most 100,000 leaves."""

    since: datetime = required("When the period begins: the export begins with the last checkpoint of before.")
    until: datetime = required("When it ends, which is past: the export ends with the first checkpoint from then on.")
