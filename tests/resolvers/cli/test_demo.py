"""`hoc demo`: from nothing to a fleet that can be looked at; once, however often it is started or interrupted."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import orjson

from tests.resolvers.cli.processes import Server
from tests.spine.storage.embedded.processes import wait_for

COUNTS = """{
  runs { totalCount }
  status: runStats(groupBy: STATUS) { groups { value } }
  risk: runStats(groupBy: RISK_LEVEL) { groups { value } }
  signals { totalCount }
  limits { totalCount }
  policyRules { totalCount }
}"""
PROOFS = "{ runs(first: 80) { nodes { state stepCount proof { integrity { verificationStatus } } } } }"
STATUSES = {"RUNNING", "SUCCEEDED", "FAILED", "FAILED_POLICY", "CANCELLED"}


def key_of(server: Server) -> str:
    """The key that the demo prints."""
    assert server.url  # waits, longer than for the next line, until the fleet has been played
    wait_for(lambda: "Ctrl-C" in server.stdout, "the demo's last line")
    return next(line.split()[1] for line in server.stdout.splitlines() if line.startswith("key "))


def curl(server: Server) -> Any:
    """What the printed line answers, in a shell."""
    line = next(line for line in server.stdout.splitlines() if line.startswith("curl "))
    return orjson.loads(subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout)


def test_an_interrupted_demo_goes_on_and_a_finished_one_is_not_played_again(tmp_path: Path) -> None:
    data_dir = tmp_path / "hoc"
    with Server(data_dir, command="demo") as first:
        wait_for((data_dir / "demo.json").exists, "the fleet's first act")
        first.stop(signal.SIGINT, group=True)
    assert not first.has_database
    with Server(data_dir, command="demo") as second:
        key = key_of(second)
        counts = second.data(key, COUNTS)
        assert 55 <= counts["runs"]["totalCount"] <= 65
        assert {group["value"] for group in counts["status"]["groups"]} == STATUSES
        assert len(counts["risk"]["groups"]) == 4
        assert second.stdout.split()[:2] == ["Open", f"{second.url}/graphiql#key={key}"]
        assert curl(second)["data"]["runs"]["totalCount"] == counts["runs"]["totalCount"]
        nodes = second.data(key, PROOFS)["runs"]["nodes"]
        ended = [one for one in nodes if one["state"] == "COMPLETED" and one["stepCount"]]
        assert {one["proof"]["integrity"]["verificationStatus"] for one in ended} == {"VERIFIED"}
        assert second.stop(signal.SIGINT, group=True) == 0
    assert not second.has_database
    with Server(data_dir, command="demo") as third:
        assert third.data(key_of(third), COUNTS) == counts
        assert third.data(key, COUNTS) == counts  # the earlier key goes on working
    assert "Traceback" not in first.stderr + second.stderr + third.stderr
