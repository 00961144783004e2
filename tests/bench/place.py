"""Where the benchmark's database is; a module of its own, so that the baselines' processes load none of the API."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct


class Place(Struct, frozen=True):
    """Arguments of asyncpg as the app role and as the superuser (who may COPY), and the directory of the key pepper."""

    connect: dict[str, Any]
    superuser: dict[str, Any]
    data_dir: Path


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this thread on one of the process's processors; nothing where the system has no way to say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
