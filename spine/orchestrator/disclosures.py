"""What operations disclose of runs, for the access log: which runs they answered for, and whether with payloads."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from spine.contracts.access_log import Disclosed
from spine.contracts.errors import HocError, NotFound
from spine.contracts.paging import Page
from spine.contracts.proof import ProofRequest, RunProof, TakeRunAway
from spine.contracts.replays import Replay, ReplayMaterial, ReplayRun
from spine.contracts.runs import RunSummary

ABSENT = NotFound("run", "of this key")


def of_batch(request: Any, result: Mapping[UUID, Any]) -> Disclosed:
    """The runs of a batch that were answered for; in the order of the request, which a request's batches share."""
    asked: tuple[UUID, ...] = request.run_keys
    if len(result) == len(asked) and not any(issubclass(kind, HocError) for kind in set(map(type, result.values()))):
        return Disclosed(asked)
    get = result.get
    return Disclosed(tuple([key for key in asked if not isinstance(get(key, ABSENT), HocError)]))


def of_page(_request: Any, page: Page[Any]) -> Disclosed:
    """The runs of a page that could be shown."""
    return Disclosed(tuple([run.key for run in page.nodes if type(run) is RunSummary]))


def of_proofs(request: ProofRequest, proofs: Mapping[UUID, RunProof | HocError]) -> Disclosed:
    """The runs that were proved, and whether payloads were shown."""
    shown = request.payloads and any(isinstance(one, RunProof) and one.raw_logs is not None for one in proofs.values())
    return Disclosed(of_batch(request, proofs).run_keys, shown)


def of_bundle(request: TakeRunAway, _result: Any) -> Disclosed:
    """The run that was taken away, without its payloads."""
    return Disclosed((request.run_key,))


def of_replay(request: ReplayRun, material: ReplayMaterial) -> Disclosed:
    """The run that is replayed, and whether outputs of its steps are shown."""
    return Disclosed((request.run_key,), material.shown and any(step.output is not None for step in material.steps))


def of_replays(_request: Any, page: Page[Replay]) -> Disclosed:
    """The runs whose replays a page tells of."""
    return Disclosed(tuple({replay.run_key: None for replay in page.nodes}))
