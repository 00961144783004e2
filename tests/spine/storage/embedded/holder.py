"""A process that holds a data directory: run as a script by the tests, and told what to do on its standard input.

It prints one JSON object when it holds the server (or has failed), and "stopped" after the command `stop`.
"""

import json
import os
import signal
import sys
from pathlib import Path

from spine.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError, binaries, layout, placement


def main() -> None:
    for module in (binaries, layout, placement):
        vars(module)["SYSTEM_ROOT"] = Path(os.environ.get("TEST_SYSTEM_ROOT", layout.SYSTEM_ROOT))
    reports: list[str] = []
    try:
        server = EmbeddedPostgres.start(Path(sys.argv[1]), report=reports.append)
    except EmbeddedPostgresError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}), flush=True)
        sys.exit(1)
    held = {
        "pid": os.getpid(),
        "cluster": str(server.data_dir),
        "socket_dir": str(server.socket_dir),
        "system_identifier": server.system_identifier,
        "reports": reports,
    }
    print(json.dumps(held), flush=True)
    for command in sys.stdin:
        if command.strip() == "ignore SIGINT":
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            print("ignoring", flush=True)
        if command.strip() == "stop":
            server.stop()
            print("stopped", flush=True)


if __name__ == "__main__":
    main()
