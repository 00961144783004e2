"""The demo fleet: about 60 runs, played through the public endpoints in a fixed order.

Contents are deterministic; times count back from the moment at which the demo first began, so that live runs are live.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from resolvers.cli import fleet_documents, fleet_governance, fleet_reports, fleet_traces
from resolvers.cli.client import Client

Act = Callable[[], None]


def acts(owner: Client, machine: Client, base: datetime) -> list[Act]:
    """Everything that happens, in order; `owner` governs, `machine` reports."""
    traces = [partial(send, machine, exports) for exports in fleet_traces.exports(base)]
    half = len(traces) // 2
    return [
        *fleet_governance.before(owner),
        *traces[:half],
        *fleet_governance.between(owner),
        *traces[half:],
        *fleet_reports.acts(owner, base),
        *fleet_governance.after(owner, base),
        *fleet_documents.acts(owner),
    ]


def send(machine: Client, exports: list[bytes]) -> None:
    """One trace, in as many exports as it takes; what is refused of it is part of the show."""
    for body in exports:
        machine.export(body)
