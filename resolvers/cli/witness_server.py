"""The witness's HTTP server: `POST /add-checkpoint`, as C2SP's tlog-witness says, and nothing else."""

import asyncio
import threading
import time
from http import HTTPStatus
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from resolvers.cli.witness_state import Checkpoints, StateError
from resolvers.http.requests import STATUS, bounded
from spine.contracts.errors import HocError
from spine.services.proof.cosignature import Cosigner
from spine.services.proof.note import Signature
from spine.services.proof.witness import (
    MAX_SUBMISSION_BYTES,
    PATH,
    SIZE_MEDIA_TYPE,
    Logs,
    Refused,
    Submission,
    demand_successor,
    open_submission,
)

BODY_S: Final = 10.0
SHOWN_CHARS: Final = 200

log = structlog.get_logger()


class Witness:
    """Cosigns what continues the last checkpoint that it cosigned; may be called from many threads."""

    def __init__(self, cosigner: Cosigner, logs: Logs, checkpoints: Checkpoints) -> None:
        self._cosigner = cosigner
        self._logs = logs
        self._checkpoints = checkpoints
        self._one_at_a_time = {origin: threading.Lock() for origin in logs}

    def cosign(self, submission: Submission) -> str:
        """The cosignature's line, kept before it is told; raises Refused, StateError, or OSError of a full disk."""
        note, checkpoint = open_submission(submission, self._logs)
        with self._one_at_a_time[checkpoint.origin]:
            demand_successor(submission, checkpoint, self._checkpoints.last(checkpoint.origin))
            content = self._cosigner.sign(note.text)
            cosignature = Signature(self._cosigner.name, self._cosigner.key_id, content)
            signed = "".join(one.line() for one in (*note.signatures, cosignature))
            self._checkpoints.keep(checkpoint.origin, f"{note.text}\n{signed}")
        return cosignature.line()


def create_app(witness: Witness) -> Starlette:
    """The application."""

    async def add_checkpoint(request: Request) -> Response:
        began = time.monotonic()
        response, known = await _answer(request, witness)
        known["ms"] = round((time.monotonic() - began) * 1_000, 1)
        log.info("add-checkpoint", status=response.status_code, **known)
        return response

    return Starlette(routes=[Route(PATH, add_checkpoint, methods=["POST"])])


async def _answer(request: Request, witness: Witness) -> tuple[Response, dict[str, object]]:
    """The answer, and what the log line says of the request."""
    known: dict[str, object] = {}
    try:
        submission = Submission.parse(await bounded(request, MAX_SUBMISSION_BYTES, BODY_S).body())
        known |= {"origin": submission.note.partition("\n")[0][:SHOWN_CHARS], "old": submission.old_size}
        known["size"] = submission.note.split("\n", 2)[1][:SHOWN_CHARS] if "\n" in submission.note else ""
        return Response(await asyncio.to_thread(witness.cosign, submission), media_type="text/plain"), known
    except Refused as refused:
        return _refusal(refused), known | {"reason": refused.reason}
    except HocError as error:
        return Response(f"{error.message}\n", STATUS[error.code], media_type="text/plain"), known
    except (StateError, OSError) as error:
        text = "the witness cannot keep its state, and so signs nothing\n"
        return Response(text, HTTPStatus.INTERNAL_SERVER_ERROR, media_type="text/plain"), known | {"reason": str(error)}
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST), known | {"reason": "the client went away"}


def _refusal(refused: Refused) -> Response:
    if refused.known_size is None:
        return Response(f"{refused.reason}\n", refused.status, media_type="text/plain")
    headers = {"content-type": SIZE_MEDIA_TYPE}  # without a charset, as the protocol has it
    return Response(f"{refused.known_size}\n", refused.status, headers)
