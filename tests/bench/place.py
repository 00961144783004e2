"""Where the benchmark's database is; a module of its own, so that the baselines' processes load none of the API."""

import os
from pathlib import Path
from typing import Any

from msgspec import Struct


class Place(Struct, frozen=True):
    """Arguments of asyncpg as the app role and as the superuser (who may COPY), and the directory of the key pepper."""

    connect: dict[str, Any]
    superuser: dict[str, Any]
    data_dir: Path


def pin(core: int) -> None:
    """Keep this process on one of its processors; nothing where there is only one, or no way to say so."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(0, {cores[core]})
