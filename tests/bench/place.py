"""Where the benchmark's database is; a module of its own, so that the baseline's process loads none of the API."""

from pathlib import Path
from typing import Any

from msgspec import Struct


class Place(Struct, frozen=True):
    """Arguments of asyncpg, as the app role, and the directory of the key pepper."""

    connect: dict[str, Any]
    data_dir: Path
