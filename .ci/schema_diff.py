"""Refuses breaking changes of the schema since the last release that the changelog does not own up to.

The release is the latest git tag. A breaking change is approved by a line in CHANGELOG.md's Unreleased section that
starts with `- BREAKING:`.
"""

import re
import subprocess
import sys
from pathlib import Path

from graphql import build_schema, find_breaking_changes

SDL = "schema/schema.graphql"


def main() -> int:
    """Compare with the latest tag's schema; 1 on a breaking change without approval."""
    tag = git("describe", "--tags", "--abbrev=0")
    if not tag:
        print("There is no release tag yet: nothing to compare the schema with")
        return 0
    released = git("show", f"{tag}:{SDL}")
    if not released:
        print(f"{tag} has no {SDL}: nothing to compare the schema with")
        return 0
    changes = breaking_changes(released, Path(SDL).read_text("utf-8"))
    if not changes:
        print(f"No breaking change of the schema since {tag}")
        return 0
    approved = approves_breaking(Path("CHANGELOG.md").read_text("utf-8"))
    print(f"Breaking changes since {tag}, {'approved' if approved else 'NOT approved'} by the changelog:")
    print("\n".join(f"  {change}" for change in changes))
    return 0 if approved else 1


def git(*arguments: str) -> str:
    """What a git command prints; empty when it fails, because there is no tag, or no such file at it."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()


def breaking_changes(released: str, current: str) -> list[str]:
    """What a client written against `released` may stumble over in `current`, one sentence each."""
    return [change.description for change in find_breaking_changes(build_schema(released), build_schema(current))]


def approves_breaking(changelog: str) -> bool:
    """Whether the Unreleased section has a line that starts with `- BREAKING:`."""
    unreleased = re.search(r"^## \[?Unreleased\]?.*?$(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return unreleased is not None and re.search(r"^- BREAKING:", unreleased[1], re.MULTILINE) is not None


if __name__ == "__main__":
    sys.exit(main())
