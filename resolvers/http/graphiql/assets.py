"""The editor's files: GraphiQL out of the package that carries it, checked byte by byte, and ours beside it.

The package is found without being imported, because importing it needs a framework that we don't have. What is served
are the bytes that were checked, held in memory, below a path that changes with them: browsers may keep them for good.
"""

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

CARRIER: Final = "graphene_django_graphiql_static"
PINNED: Final = {
    "graphiql.min.js": "c564de05b95d184e2c5ba5ceaf2635821f6bf92f2d5777b74d91004ff6b591d1",
    "graphiql.min.css": "c6cd4b83f01c5e1ff4975d77bc957184dce6dec0155fbf9cc4d9190eba8a7b9d",
    "graphiql-plugin-explorer.umd.js": "de152e8415dd5e57c28fa45378490916d121fe4506f9308301216914f2ebcef1",
    "style.css": "7c0d0b3d496e90c351e8be123d2785a834d86aff107568d0da7af9e7d6659f55",
    "graphql-ws.min.js": "11986f83a00d26b06c80bbcb01ad2eb8734b7a92c95421584bec656f953f6eac",
    "react.production.min.js": "229bbf4d0e7488209564152c6723497f1ac3934136ca1684233d2fa88fa4146f",
    "react-dom.production.min.js": "9db33292007ab6c38527b39d5663e976a305564e19b2a5a8713ea2b2c00f505d",
}
"""The SHA-256 of each file that we take from the package; `style.css` is the explorer's."""

OURS: Final = Path(__file__).with_name("static")
PAGE: Final = "page.html"


class AssetChanged(Exception):
    """A file of the editor is missing, or isn't the one that was reviewed: a server that would run it must not start.

    It would read the keys of everybody who opens the page.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}; install the packages of constraints.txt again")


class Assets(Struct, frozen=True):
    """All files by name, the page with its links filled in, and the version that their path carries."""

    files: Mapping[str, bytes]
    page: bytes
    version: str


def load(folder: Path | None = None) -> Assets:
    """Read and check everything; AssetChanged names the first file that is not as it should be."""
    carried = carrier() if folder is None else folder
    theirs = {name: checked(carried / name, digest) for name, digest in PINNED.items()}
    ours = {path.name: path.read_bytes() for path in sorted(OURS.iterdir()) if path.name != PAGE}
    files = theirs | ours
    version = hashlib.sha256(b"".join(hashlib.sha256(files[name]).digest() for name in sorted(files))).hexdigest()[:16]
    page = (OURS / PAGE).read_text("utf-8").replace("{version}", version)
    return Assets(files, page.encode(), version)


def carrier() -> Path:
    """The folder of the installed package that holds its files; AssetChanged when it is not installed."""
    spec = find_spec(CARRIER)
    if spec is None or spec.origin is None:
        raise AssetChanged(Path(CARRIER), "is not installed")
    return Path(spec.origin).parent / "static" / CARRIER


def checked(path: Path, digest: str) -> bytes:
    """The file's bytes, when they are the pinned ones."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AssetChanged(path, "is missing") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise AssetChanged(path, "is not the file that was reviewed: its SHA-256 differs")
    return content
