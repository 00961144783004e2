"""From a report over HTTP to a file that verifies where there is nothing but the file and the log's key."""

import hashlib
import time
from pathlib import Path
from typing import Any

import httpx

from tests.resolvers.cli.processes import Server
from tests.resolvers.cli.test_verify import entered

START = """mutation { startRun(input: { idempotencyKey: "k-1", agentId: "clerk", actor: { kind: SERVICE },
    originSystemId: "shop", goal: "Sell a ticket." }) { run { id } userErrors { code message } } }"""
STEPS = """mutation($id: ID!) { appendSteps(input: { idempotencyKey: "k-2", runId: $id, steps: [
    { stepId: "1", name: "chat gpt-4o", kind: CHAT, model: "gpt-4o", startedAt: "2026-03-01T12:00:00Z",
      endedAt: "2026-03-01T12:00:01Z", inputTokens: 100, outputTokens: 10, input: "in", output: "out" }]
    }) { userErrors { code message } } }"""
COMPLETE = """mutation($id: ID!) { completeRun(input: { idempotencyKey: "k-3", runId: $id, status: SUCCEEDED })
    { userErrors { code message } } }"""
BUNDLE = "query($id: ID!, $from: BigInt) { runProofBundle(id: $id, from: $from) { filename text } }"
PROMISED_S = 2.0


class Client:
    """A user of the API with a key."""

    def __init__(self, server: Server) -> None:
        self._url = f"{server.url}/graphql"
        self.key = server.new_key()
        self._headers = {"authorization": f"Bearer {self.key}"}

    def answer(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        return httpx.post(self._url, json=body, headers=self._headers, timeout=30).json()

    def changed(self, query: str, **variables: Any) -> Any:
        (payload,) = self.answer(query, **variables)["data"].values()
        assert payload["userErrors"] == []
        return payload

    def bundle(self, run: str, **variables: Any) -> dict[str, str]:
        """The run's bundle, as soon as there is one."""
        deadline = time.monotonic() + 10 * PROMISED_S
        while True:
            answer = self.answer(BUNDLE, id=run, **variables)
            if answer["data"]["runProofBundle"] is not None:
                found: dict[str, str] = answer["data"]["runProofBundle"]
                return found
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["CONFLICT"]
            assert time.monotonic() < deadline, answer
            time.sleep(0.1)


class TestARunThatIsTakenAway:
    def test_verifies_with_nothing_but_the_file_and_the_key(self, tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        with Server(tmp_path / "hoc") as server:
            client = Client(server)
            run = client.changed(START)["run"]["id"]
            client.changed(STEPS, id=run)
            kept = self._checkpoint(client)
            client.changed(COMPLETE, id=run)
            bundle = client.bundle(run, **{"from": kept["treeSize"]})
        assert not server.has_database
        (empty / bundle["filename"]).write_bytes(bundle["text"].encode())
        (empty / "kept").write_text(kept["note"])

        arguments = (bundle["filename"], "--vkey", kept["vkey"], "--checkpoint", "kept")
        done = entered(empty, "verify", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        shown = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
        assert (shown["VERIFIED"], shown["steps"].strip()) == ("", "1")
        assert shown["continues"].strip() == f"the checkpoint of {kept['treeSize']} leaves"

        (empty / bundle["filename"]).write_bytes(bundle["text"].replace('"gpt-4o"', '"gpt-4"', 1).encode())
        done = entered(empty, "verify", *arguments)
        assert (done.returncode, done.stderr.startswith("FAILED ")) == (1, True)

    def test_is_exported_from_the_command_line(self, tmp_path: Path) -> None:
        with Server(tmp_path / "hoc") as server:
            client = Client(server)
            run = client.changed(START)["run"]["id"]
            client.changed(COMPLETE, id=run)
            client.bundle(run)
            vkey = self._checkpoint(client)["vkey"]
            at = ("--url", server.url, "--key", client.key)
            for arguments, file in (
                (("run", run), "run.json"),
                (("period", "--from", "2026-01-01", "--to", "2026-03-01"), "early.proof"),
            ):
                done = entered(tmp_path, "export", *arguments, *at, "--out", file)
                checksum = hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
                assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{checksum}  {file}\n")
            for arguments, reason in (
                (("run", run), "there already"),
                (("incident", run), "hoc: TakeIncidentExport: "),
            ):
                done = entered(
                    tmp_path, "export", *arguments, *at, "--out", "run.json" if "run" in arguments else "new"
                )
                assert (done.returncode, reason in done.stderr) == (1, True)
        assert not (tmp_path / "new").exists()
        done = entered(tmp_path, "verify", "early.proof", "--vkey", vkey)
        assert (done.returncode, done.stderr) == (0, "")
        assert "none missing" in done.stdout

    def _checkpoint(self, client: Client) -> Any:
        """The first checkpoint that there is: making the key was an entry of the ledger, so of the log."""
        deadline = time.monotonic() + 10 * PROMISED_S
        while (found := client.answer("{ logCheckpoint { treeSize note vkey } }")["data"]["logCheckpoint"]) is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return found
