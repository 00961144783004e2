"""The cluster's files: made by initdb beside their final place, then renamed, so that a cluster is whole or absent."""

import os
import secrets
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

from spine.storage.embedded.account import Account
from spine.storage.embedded.binaries import Binaries
from spine.storage.embedded.errors import DiskFull, InitFailed, VersionMismatch
from spine.storage.embedded.launch import run_program
from spine.storage.embedded.layout import CLUSTER, give, require_free_space
from spine.storage.embedded.roles import LOGIN_ROLES, SUPERUSER

COLD_FREE_BYTES = 256 << 20  # a fresh cluster takes 40 MiB, its log grows by 16 MiB at a time
WARM_FREE_BYTES = 64 << 20
OUT_OF_SPACE = "No space left on device"
IDENT_MAP = "hoc"

_TUNABLE = {  # written to postgresql.conf, where an operator may change them
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
_FORCED = {  # on the command line, which wins over every file: durable, and never on the network
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "logging_collector": "off",
}


def create_cluster(place: Path, account: Account, binaries: Binaries, keep: Sequence[int]) -> None:
    """Run initdb and move the result to `place`; `keep` are lock descriptors. Raises InitFailed, DiskFull."""
    if place.is_dir() and any(place.iterdir()):
        raise InitFailed(place, "it already exists, is not empty, and holds no PG_VERSION")
    _remove_unfinished(place)
    require_free_space(place.parent, COLD_FREE_BYTES)
    unfinished = place.with_name(f"{CLUSTER}.init-{secrets.token_hex(4)}")
    unfinished.mkdir(mode=0o700)
    give(unfinished, account)
    result = run_program(_initdb(unfinished, binaries), account, cwd=unfinished, keep=keep)
    if result.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        if OUT_OF_SPACE in result.stdout:
            raise DiskFull(place)
        raise InitFailed(place, result.stdout)
    unfinished.rename(place)
    _sync_directory(place.parent)


def check_version(cluster: Path, binaries: Binaries) -> None:
    """Raise VersionMismatch unless the binaries can read the cluster."""
    found = (cluster / "PG_VERSION").read_text("ascii").strip()
    if found != binaries.major:
        raise VersionMismatch(cluster, found=found, wanted=binaries.major)


def system_identifier(cluster: Path) -> int:
    """The number that initdb gave the cluster: the first 8 bytes of pg_control."""
    with (cluster / "global" / "pg_control").open("rb") as control:
        (identifier,) = struct.unpack("=Q", control.read(8))
    return int(identifier)


def write_authentication(cluster: Path, account: Account) -> None:
    """Let the server's clients, known by the kernel, be any of our roles; nobody and nothing else connects."""
    _replace(cluster / "pg_hba.conf", f"local all all peer map={IDENT_MAP}\n", account)
    lines = [f'{IDENT_MAP} "{client}" {role}\n' for client in account.clients for role in LOGIN_ROLES]
    _replace(cluster / "pg_ident.conf", "".join(lines), account)


def server_command(cluster: Path, socket_dir: Path, binaries: Binaries) -> list[str]:
    """The postmaster's argument vector."""
    forced = _FORCED | {"unix_socket_directories": f'"{socket_dir}"'}
    settings = [argument for name, value in forced.items() for argument in ("-c", f"{name}={value}")]
    return [binaries.program("postgres"), "-D", str(cluster), *settings]


def _initdb(place: Path, binaries: Binaries) -> list[str]:
    settings = [argument for name, value in _TUNABLE.items() for argument in ("-c", f"{name}={value}")]
    return [
        binaries.program("initdb"),
        f"--pgdata={place}",
        f"--username={SUPERUSER}",
        "--auth-local=peer",
        "--auth-host=reject",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
        *settings,
    ]


def _remove_unfinished(place: Path) -> None:
    """Remove what an interrupted initdb left; the server lock, held by our caller, says that none is running."""
    for leftover in place.parent.glob(f"{CLUSTER}.init-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _replace(path: Path, text: str, account: Account) -> None:
    if path.is_file() and not path.is_symlink() and path.read_text("utf-8") == text:
        return
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    give(fresh, account)
    fresh.replace(path)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
