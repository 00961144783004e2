"""Who runs the server: PostgreSQL refuses to be root, so root must become somebody else without useradd.

Root tries a user namespace first (files stay root's, nothing is copied), unless HOC_PG_USER names an account; where
the kernel forbids namespaces, root drops to HOC_PG_USER, `postgres` or `nobody`. Anybody else runs it as is.
"""

import os
import sys
from dataclasses import dataclass

from spine.storage.embedded.errors import EmbeddedPostgresError, UnknownUser

if sys.platform != "win32":
    import pwd

SERVICE_ACCOUNTS = ("postgres", "nobody")
# Inside a namespace every unmapped client looks like the kernel's overflow uid, which is `nobody`: mapping root to it
# would let peer authentication take any local user for root. So `nobody` comes last.
NAMESPACE_ACCOUNTS = ("postgres", "daemon", "bin", "nobody")


@dataclass(frozen=True)
class Account:
    """The ids that own the cluster's files, how the launcher gets there, and who may connect.

    `namespace` and `drop` are the launcher's (uid, gid) orders; `clients` are the names under which the server sees
    the processes that may connect.
    """

    uid: int
    gid: int
    label: str
    clients: tuple[str, ...]
    namespace: tuple[int, int] | None = None
    drop: tuple[int, int] | None = None


def is_root() -> bool:
    """Whether PostgreSQL would refuse to run as the present user."""
    return os.geteuid() == 0


def ordinary_account() -> Account:
    """The present, unprivileged user. Raises UnknownUser."""
    uid = os.geteuid()
    name = _require_name(uid)
    return Account(uid, os.getegid(), name, (name,))


def namespace_account() -> Account:
    """Root, seen as another uid within a user namespace."""
    inner = next((found for name in NAMESPACE_ACCOUNTS if (found := _lookup(name))), None)
    if inner is None:
        raise EmbeddedPostgresError(f"none of the accounts {', '.join(NAMESPACE_ACCOUNTS)} exists")
    return Account(
        uid=0,
        gid=os.getegid(),
        label=f"{inner.pw_name} in a user namespace",
        clients=(inner.pw_name,),
        namespace=(inner.pw_uid, inner.pw_gid),
    )


def chosen_name() -> str | None:
    """The account that the operator wants root to drop to."""
    return os.environ.get("HOC_PG_USER") or None


def service_account() -> Account:
    """The account to which root drops: HOC_PG_USER, else the first of SERVICE_ACCOUNTS that exists."""
    chosen = chosen_name()
    for uid in service_uids():
        entry = pwd.getpwuid(uid)
        if chosen in (None, entry.pw_name):
            return account_of(uid)
    if chosen:
        raise EmbeddedPostgresError(f"HOC_PG_USER names {chosen!r}, which is root or does not exist")
    raise EmbeddedPostgresError("PostgreSQL refuses to run as root: let HOC_PG_USER name an unprivileged account")


def service_uids() -> list[int]:
    """The accounts which root may have made the owner of a cluster."""
    entries = (_lookup(name) for name in (chosen_name(), *SERVICE_ACCOUNTS) if name)
    return [entry.pw_uid for entry in entries if entry is not None and entry.pw_uid != 0]


def account_of(uid: int) -> Account:
    """The account as which root runs a server for itself."""
    entry = pwd.getpwuid(uid)
    ids = (entry.pw_uid, entry.pw_gid)
    return Account(*ids, label=entry.pw_name, clients=(_require_name(0),), drop=ids)


def name_of(uid: int) -> str:
    """The account's name, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _require_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise UnknownUser(uid) from None


def _lookup(name: str) -> "pwd.struct_passwd | None":
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
