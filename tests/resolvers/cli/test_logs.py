"""What is logged of a crash: where it was, never what was in its hands."""

import subprocess
import sys

CRASH = """
import structlog
from resolvers.cli import logs

logs.configure("info")
presented = "hoc_live_secret"
try:
    raise RuntimeError("boom")
except RuntimeError:
    structlog.get_logger("x").exception("crashed")
"""


def test_a_traceback_in_the_log_shows_no_local_variables() -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, check=True)
    assert '"exc_type": "RuntimeError"' in done.stderr
    assert "boom" in done.stderr
    assert "hoc_live_secret" not in done.stderr
