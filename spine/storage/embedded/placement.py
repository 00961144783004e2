"""Which account runs the server, from which binaries, and where its cluster lies.

Whether an account may enter a directory or execute a program is asked of the kernel by trying, not computed.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spine.storage.embedded import account as accounts
from spine.storage.embedded.account import Account
from spine.storage.embedded.binaries import Binaries, executable_copy
from spine.storage.embedded.errors import (
    DataDirForeign,
    DataDirNotOwned,
    DataDirUnreachable,
    EmbeddedPostgresError,
    UnsupportedPlatform,
)
from spine.storage.embedded.launch import run_program
from spine.storage.embedded.launcher import CANNOT_BECOME, CANNOT_LAUNCH
from spine.storage.embedded.layout import SYSTEM_ROOT, Layout, give, make_passable

Report = Callable[[str], None]


@dataclass(frozen=True)
class Placement:
    """Who runs which programs on which cluster directory."""

    account: Account
    binaries: Binaries
    cluster: Path


def prepare_data_dir(data_dir: Path) -> Layout:
    """Create the directory if need be. Raises DataDirForeign, DataDirNotOwned, UnknownUser."""
    if not accounts.is_root():
        accounts.ordinary_account()
    layout = Layout(Path(os.path.realpath(data_dir)))
    try:
        if accounts.is_root():  # which may have to hand the server to another account
            make_passable(layout.data_dir)
        layout.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except PermissionError as error:
        raise DataDirUnreachable(layout.data_dir, accounts.name_of(os.geteuid())) from error
    if not os.access(layout.data_dir, os.W_OK | os.X_OK):
        raise _not_owned(layout.data_dir)
    if (layout.data_dir / "PG_VERSION").exists():
        raise DataDirForeign(layout.data_dir)
    if layout.usual_cluster.is_dir() and not _may_use(layout.usual_cluster):
        raise _not_owned(layout.usual_cluster)
    return layout


def choose_placement(layout: Layout, binaries: Binaries, report: Report) -> Placement:
    """The first account that can run the server. Raises EmbeddedPostgresError when there is none."""
    if not accounts.is_root():
        return Placement(accounts.ordinary_account(), binaries, layout.usual_cluster)
    refused = ""
    for account in _root_accounts(layout.existing_cluster()):
        probe = _probe(binaries, account, Path("/"))
        if probe == CANNOT_BECOME:
            refused = f"the kernel does not let root become {account.label}"
            continue
        usable = _executable(binaries, account, probe, report)
        cluster = _reachable_cluster(layout, usable, account, report)
        return Placement(account, usable, cluster)
    raise EmbeddedPostgresError(f"PostgreSQL refuses to run as root, and {refused}")


def _root_accounts(cluster: Path | None) -> Iterator[Account]:
    owner = 0 if cluster is None else cluster.stat().st_uid
    if owner != 0:
        yield accounts.account_of(owner)
        return
    if accounts.chosen_name() is None:
        yield accounts.namespace_account()
    yield accounts.service_account()


def _executable(binaries: Binaries, account: Account, probe: int, report: Report) -> Binaries:
    """The binaries, or their copy when the account cannot execute them where they are."""
    if probe == CANNOT_LAUNCH:
        binaries = executable_copy(binaries)
        report(f"PostgreSQL runs from {binaries.root}: {account.label} cannot enter the installed package")
        probe = _probe(binaries, account, Path("/"))
    if probe != 0:
        raise UnsupportedPlatform(f"{binaries.program('postgres')} does not run (exit code {probe})")
    return binaries


def _reachable_cluster(layout: Layout, binaries: Binaries, account: Account, report: Report) -> Path:
    """Where the cluster is or may be created, for this account."""
    existing = layout.existing_cluster()
    if existing is not None:
        if account.uid != existing.stat().st_uid:
            report(f"{existing} now belongs to {account.label}, which runs its server")
            _give_tree(existing, account)
        if _probe(binaries, account, existing) != 0:
            raise DataDirUnreachable(existing, account.label)
        return existing
    if _probe(binaries, account, layout.data_dir) == 0:
        return layout.usual_cluster
    cluster = layout.relocated_cluster
    make_passable(SYSTEM_ROOT)
    make_passable(cluster.parent)
    report(f"the cluster of {layout.data_dir} lies in {cluster}: {account.label} cannot enter that directory")
    return cluster


def _probe(binaries: Binaries, account: Account, directory: Path) -> int:
    """Exit code of `postgres --version`, executed by the account in the directory."""
    return run_program([binaries.program("postgres"), "--version"], account, cwd=directory).returncode


def _give_tree(top: Path, account: Account) -> None:
    """Hand the cluster over, its top last: an interrupted hand-over is repeated."""
    for directory, _, files in os.walk(top, topdown=False):
        for name in files:
            give(Path(directory, name), account)
        give(Path(directory), account)


def _may_use(cluster: Path) -> bool:
    owner = cluster.stat().st_uid
    return owner == os.geteuid() or (accounts.is_root() and owner in accounts.service_uids())


def _not_owned(path: Path) -> DataDirNotOwned:
    wanted = accounts.name_of(os.geteuid())
    return DataDirNotOwned(path, owner=accounts.name_of(path.stat().st_uid), wanted=wanted)
