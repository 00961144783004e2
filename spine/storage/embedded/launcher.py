"""The last program before PostgreSQL: leaves root, the session and the terminal behind, then becomes it.

A script, not a `preexec_fn`: code between fork and exec of a threaded process may deadlock. It must stay free of
imports from this project, because it is run with `python -I -S` and an order in JSON as its only argument.
"""

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import TypedDict

CLONE_NEWUSER = 0x10000000
CANNOT_BECOME = 125  # the kernel did not let us become the account
CANNOT_LAUNCH = 126  # the account may not enter the directory or execute the program


class Order(TypedDict):
    """What to execute, where, and as whom; the ids are (uid, gid)."""

    argv: list[str]
    cwd: str
    detach: bool
    namespace: list[int] | None
    drop: list[int] | None


def enter_namespace(inner_uid: int, inner_gid: int) -> None:
    """Become `inner_uid` in a new user namespace in which that uid stands for our present one.

    PostgreSQL refuses uid 0; in there it sees another uid, while every file stays the caller's.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"{inner_uid} {outer_uid} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"{inner_gid} {outer_gid} 1", "ascii")


def drop_to(uid: int, gid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def detach() -> None:
    """Continue in a child of init with its own session: Ctrl-C does not reach it, nor our end a wait for it."""
    if os.fork():
        os._exit(0)
    os.setsid()


def become_account(order: Order) -> None:
    """Take on the ordered ids."""
    if order["namespace"]:
        enter_namespace(*order["namespace"])
    if order["drop"]:
        drop_to(*order["drop"])


def execute(order: Order) -> None:
    """Replace this process by the ordered program; returns only by an OSError."""
    os.chdir(order["cwd"])
    os.execv(order["argv"][0], order["argv"])  # noqa: S606 -- the point of this script


def main() -> None:
    """Carry out the order; ends this process when a step fails."""
    order: Order = json.loads(sys.argv[1])
    os.umask(0o077)
    if order["detach"]:
        detach()
    for step, failure in ((become_account, CANNOT_BECOME), (execute, CANNOT_LAUNCH)):
        try:
            step(order)
        except OSError as error:
            sys.stderr.write(f"cannot launch {order['argv'][0]}: {error}\n")
            sys.stderr.flush()
            os._exit(failure)


if __name__ == "__main__":
    main()
