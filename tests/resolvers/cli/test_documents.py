"""`hoc documents`: a list kept beside a running server, which follows within two seconds."""

import hashlib
import json
import time
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx

from spine.contracts.enums import Role
from tests.resolvers.cli.processes import Server, hoc

WHO = "query Who { viewer { role documentMode } }\n"
WHO_SHA256 = hashlib.sha256(WHO.encode()).hexdigest()
TENANT = "docs"


def documents(server: Server, *arguments: object, tenant: str = TENANT) -> CompletedProcess[str]:
    return hoc("documents", *arguments, "--tenant", tenant, "--data-dir", server.data_dir)


def lines(done: CompletedProcess[str]) -> list[str]:
    """What a command that succeeds says."""
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def status_within_2_s(server: Server, key: str, body: dict[str, Any], status: int) -> bool:
    """Whether the server answers with that status at the latest two seconds from now."""
    deadline = time.monotonic() + 2
    headers = {"authorization": f"Bearer {key}"}
    while time.monotonic() < deadline:
        if httpx.post(f"{server.url}/graphql", json=body, headers=headers, timeout=30).status_code == status:
            return True
        time.sleep(0.1)
    return False


class TestTheWholeStory:
    def test_add_enforce_send_retire(self, server: Server, tmp_path: Path) -> None:
        viewer = server.new_key(role=Role.VIEWER, tenant=TENANT)
        file = tmp_path / "who.graphql"
        file.write_text(WHO)
        by_id, any_text = {"documentId": f"sha256:{WHO_SHA256}"}, {"query": "{ viewer { tenant } }"}
        assert status_within_2_s(server, viewer, by_id, 404)
        assert lines(documents(server, "add", file)) == ["1 documents added, 0 were in force already"]
        assert lines(documents(server, "add", file)) == ["0 documents added, 1 were in force already"]
        assert status_within_2_s(server, viewer, by_id, 200)
        assert status_within_2_s(server, viewer, any_text, 200)

        assert lines(documents(server, "mode")) == ["OFF"]
        assert lines(documents(server, "mode", "enforce", "--reason", "production")) == ["ENFORCE"]
        assert status_within_2_s(server, viewer, any_text, 403)
        assert status_within_2_s(server, viewer, by_id, 200)

        retired = documents(server, "retire", f"sha256:{WHO_SHA256}", "--reason", "no client sends it")
        assert lines(retired) == ["1 documents retired"]
        assert status_within_2_s(server, viewer, by_id, 404)
        (row,) = [line for line in lines(documents(server, "list")) if WHO_SHA256 in line]
        assert ("Who" in row, "hoc command line" in row) == (True, True)

        owner = server.new_key(tenant=TENANT)
        query = "{ auditEntries(filter: {entityType: [TRUSTED_DOCUMENT]}) { nodes { eventType reason } } }"
        assert server.data(owner, query)["auditEntries"]["nodes"] == [
            {"eventType": "TrustedDocumentRetired", "reason": "no client sends it"},
            {"eventType": "TrustedDocumentAdded", "reason": None},
        ]


class TestRefusals:
    def test_one_wrong_document_keeps_every_other_out(self, server: Server, tmp_path: Path) -> None:
        server.new_key(tenant="wrong")
        good, bad = tmp_path / "good.graphql", tmp_path / "bad.json"
        good.write_text(WHO)
        bad.write_text(json.dumps({"0" * 32: WHO, "f" * 64: WHO}))
        done = documents(server, "add", good, bad, tenant="wrong")
        assert (done.returncode, done.stdout) == (1, "")
        assert [line.split(": ")[1:3] for line in done.stderr.splitlines()[:2]] == [
            [str(bad), "0" * 32],
            [str(bad), "f" * 64],
        ]
        assert WHO_SHA256 not in documents(server, "list", tenant="wrong").stdout

    def test_a_tenant_that_does_not_exist_is_one_line_and_is_not_made(self, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "who.graphql"
        file.write_text(WHO)
        for arguments in (("add", file), ("list",), ("mode", "log")):
            done = documents(server, *arguments, tenant="nosuch")
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.splitlines()[-1] == "hoc: tenant nosuch was not found"

    def test_what_is_no_id_or_unknown_is_one_line(self, server: Server) -> None:
        server.new_key(tenant="wrong")
        for wrong, told in (("abc", "a document's id must be"), ("0" * 64, "was not found")):
            done = documents(server, "retire", wrong, "--reason", "x", tenant="wrong")
            assert (done.returncode, told in done.stderr.splitlines()[-1]) == (1, True)
        assert documents(server, "mode", "sometimes", tenant="wrong").returncode == 2
