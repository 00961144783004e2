"""`hoc keys`: made beside a running server, refused soon after they are revoked."""

import time

from tests.resolvers.cli.processes import Server, hoc

VIEWER = "{ viewer { role permissions } }"


def change(server: Server, action: str, key: str, reason: str = "a test") -> None:
    """Revoke, freeze or unfreeze a key."""
    key_id = key.split("_")[2]
    done = hoc("keys", action, key_id, "--tenant", "acme", "--reason", reason, "--data-dir", server.data_dir)
    assert done.returncode == 0, done.stderr


def status_within_2_s(server: Server, key: str, status: int) -> bool:
    """Whether the server answers with that status at the latest two seconds from now."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if server.ask(key, VIEWER).status_code == status:
            return True
        time.sleep(0.1)
    return False


class TestCreate:
    def test_the_key_is_the_last_line_and_alone(self, server: Server) -> None:
        made = hoc("keys", "create", "--tenant", "acme", "--role", "viewer", "--data-dir", server.data_dir)
        (key,) = made.stdout.splitlines()
        assert server.data(key, VIEWER)["viewer"]["role"] == "VIEWER"
        assert key not in made.stderr

    def test_a_machine_has_its_scopes_only(self, server: Server) -> None:
        given = ("--role", "MACHINE", "--scope", "runs:write", "--expires-in-days", "1")
        made = hoc("keys", "create", "--tenant", "acme", *given, "--data-dir", server.data_dir)
        (key,) = made.stdout.splitlines()
        assert server.data(key, VIEWER) == {"viewer": {"role": "MACHINE", "permissions": ["RUNS_WRITE"]}}

    def test_what_a_key_may_not_be_is_one_line(self, server: Server) -> None:
        without = hoc("keys", "create", "--tenant", "acme", "--role", "MACHINE", "--data-dir", server.data_dir)
        assert (without.returncode, without.stdout) == (1, "")
        assert "scopes belong to MACHINE keys" in without.stderr
        assert hoc("keys", "create", "--tenant", "acme", "--role", "KING").returncode == 2
        bad = hoc("keys", "create", "--tenant", "No Name", "--role", "OWNER", "--data-dir", server.data_dir)
        assert (bad.returncode, "a tenant's name" in bad.stderr) == (1, True)


class TestChange:
    def test_a_revoked_key_is_refused_within_two_seconds(self, server: Server) -> None:
        key = server.new_key()
        assert server.ask(key, VIEWER).status_code == 200
        change(server, "revoke", key, "it was in a log")
        assert status_within_2_s(server, key, 401)
        owner = server.new_key()
        query = '{ auditEntries(filter: {eventType: ["ApiKeyRevoked"]}) { nodes { reason actor { kind name } } } }'
        (entry,) = server.data(owner, query)["auditEntries"]["nodes"]
        assert entry == {"reason": "it was in a log", "actor": {"kind": "SYSTEM", "name": "hoc command line"}}

    def test_a_frozen_key_comes_back(self, server: Server) -> None:
        key = server.new_key()
        change(server, "freeze", key)
        assert status_within_2_s(server, key, 403)
        change(server, "unfreeze", key)
        assert status_within_2_s(server, key, 200)

    def test_an_unknown_key_is_one_line(self, server: Server) -> None:
        at = ("--tenant", "acme", "--reason", "x", "--data-dir", str(server.data_dir))
        answer = hoc("keys", "revoke", "a" * 16, *at)
        assert answer.returncode == 1
        assert "was not found" in answer.stderr.splitlines()[-1]
