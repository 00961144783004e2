"""SIGTERM: unready first, then no new connections, and what is under way is answered."""

import os
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from resolvers.cli.server import GRACE_S
from tests.resolvers.cli.processes import STOP_SECONDS, Server
from tests.resolvers.http.socket_client import socket_to
from tests.spine.storage.embedded.processes import wait_for

FOLLOWING = "subscription { runUpdated { cursor } }"
BODY = orjson.dumps({"query": "{ viewer { tenant } }"})


class SlowRequest:
    """A GraphQL request whose body is half sent."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((str(parts.hostname), int(parts.port or 0)), STOP_SECONDS)
        head = (
            f"POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + BODY[:5])

    def finish(self) -> bytes:
        """Send the rest; everything that the server answers until it closes."""
        self._socket.sendall(BODY[5:])
        received = b""
        while part := self._socket.recv(65536):
            received += part
        self._socket.close()
        return received


def readiness(url: str) -> tuple[int, str] | None:
    """What `/readyz` says; None when nobody listens."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=2)
    except httpx.TransportError:
        return None
    return answer.status_code, answer.json()["status"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_is_told_to_stop_drains(tmp_path: Path, workers: str) -> None:
    with Server(tmp_path / "hoc", "--workers", workers, HOC_DRAIN_S="2") as server:
        key, url = server.new_key(), server.url
        assert readiness(url) == (200, "ready")
        slow = SlowRequest(url, key)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: readiness(url) == (503, "draining"), "readiness to fail")
        assert server.data(key, "{ viewer { tenant } }") == {"viewer": {"tenant": "acme"}}
        wait_for(lambda: readiness(url) is None, "the end of new connections")
        assert server.process.poll() is None
        answer = slow.finish()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"tenant":"acme"' in answer
        assert server.process.wait(STOP_SECONDS) == 0
    assert not server.has_database
    assert "Traceback" not in server.stderr


async def test_what_lasts_ends_before_the_server_would_wait_for_it(tmp_path: Path) -> None:
    with Server(tmp_path / "hoc", HOC_DRAIN_S="0") as server:
        key, url = server.new_key(), server.url
        headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
        async with (
            httpx.AsyncClient(headers=headers, timeout=STOP_SECONDS) as client,
            client.stream("POST", f"{url}/graphql", json={"query": FOLLOWING}) as stream,
            socket_to(url) as socket,
        ):
            lines = stream.aiter_lines()
            assert await anext(lines) == "event: next"
            await socket.begin(key)
            await socket.subscribe(FOLLOWING)
            await socket.receive()
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert await socket.closed() == 1012
            last = [line async for line in lines if line.startswith("data: {")][-1]
            assert orjson.loads(last[6:])["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert server.process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - began < GRACE_S
    assert "Cancel" not in server.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_does_not_wait_for_a_load_balancer(tmp_path: Path, workers: str) -> None:
    with Server(tmp_path / "hoc", "--workers", workers, HOC_DRAIN_S="300") as server:
        assert readiness(server.url) == (200, "ready")
        began = time.monotonic()
        assert server.stop(signal.SIGINT, group=True) == 0
        assert time.monotonic() - began < STOP_SECONDS / 2


def test_a_second_sigterm_ends_the_waiting(tmp_path: Path) -> None:
    with Server(tmp_path / "hoc", HOC_DRAIN_S="300") as server:
        url = server.url
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: readiness(url) == (503, "draining"), "readiness to fail")
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(STOP_SECONDS) == 0
