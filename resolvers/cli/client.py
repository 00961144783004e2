"""The product's own client: GraphQL and OTLP/JSON over HTTP, patient with a server that asks to come again."""

import gzip
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import orjson
from msgspec import Struct

import schema

DOCUMENTS: Final = Path(schema.__file__).parent / "operations"
RETRIED: Final = frozenset({429, 502, 503, 504})
TRIES: Final = 6
LONGEST_WAIT_S: Final = 30.0
TIMEOUT_S: Final = 60.0


class RequestFailed(Exception):
    """The server refused a request, or can't be reached; `status` is 0 for the latter. The text is for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Taken(Struct, frozen=True):
    """What the server said of an export that it took: how many spans it refused, and why."""

    refused: int
    message: str


class Client:
    """A connection to one server with one key; a context manager."""

    def __init__(self, url: str, key: str) -> None:
        """RequestFailed for what can be no key; the error that it would cause later quotes the header."""
        key = key.strip()
        if not (key.isascii() and key.isprintable()):
            raise RequestFailed(0, "the key holds what no key can hold")
        base = url.rstrip("/").removesuffix("/v1/traces").removesuffix("/graphql")
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._http = httpx.Client(base_url=base, headers=headers, timeout=TIMEOUT_S)

    def query(self, document: str, operation: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation of a shipped document; RequestFailed when it has an error of any kind."""
        text = (DOCUMENTS / f"{document}.graphql").read_text("utf-8")
        asked = {"query": text, "operationName": operation, "variables": variables}
        answer = self._post("/graphql", orjson.dumps(asked), {})
        if answer.get("errors"):
            raise RequestFailed(200, f"{operation}: {answer['errors'][0]['message']}")
        data: dict[str, Any] = answer["data"]
        return data

    def mutate(
        self, document: str, operation: str, wanted: dict[str, Any], expected: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The payload of a mutation; RequestFailed when it has user errors, but for those of an expected code."""
        payload: dict[str, Any] = next(iter(self.query(document, operation, input=wanted).values()))
        for error in payload["userErrors"]:
            if error["code"] not in expected:
                raise RequestFailed(200, f"{operation}: {error['message']}")
        return payload

    def export(self, body: bytes) -> Taken:
        """Send one ExportTraceServiceRequest in OTLP/JSON; RequestFailed when it was not taken."""
        answer = self._post("/v1/traces", gzip.compress(body, compresslevel=1), {"content-encoding": "gzip"})
        partial = answer.get("partialSuccess") or {}
        return Taken(int(partial.get("rejectedSpans") or 0), str(partial.get("errorMessage") or ""))

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        wait = 0.25
        for attempt in range(1, TRIES + 1):
            try:
                response = self._http.post(path, content=body, headers=headers)
            except httpx.TransportError as error:
                failure = RequestFailed(0, f"{self._http.base_url} cannot be reached: {error}")
            else:
                if response.status_code not in RETRIED:
                    return _read(response)
                failure = _failure(response)
                wait = max(wait, _asked_wait(response))
            if attempt < TRIES:
                time.sleep(min(wait, LONGEST_WAIT_S))
                wait *= 2
        raise failure

    def __enter__(self) -> Self:
        """The connection is made by the first request."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()


def _read(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise _failure(response)
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise RequestFailed(response.status_code, "the answer is not one of HOC Spine; is the URL right?")
    return answer


def _failure(response: httpx.Response) -> RequestFailed:
    """The message of a Status or of a GraphQL error, whichever the body holds."""
    try:
        body = orjson.loads(response.content)
        message = body["message"] if "message" in body else body["errors"][0]["message"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        message = response.reason_phrase
    return RequestFailed(response.status_code, f"{response.status_code}: {message}")


def _asked_wait(response: httpx.Response) -> float:
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else 0.0
