"""The names of logs: `<installation>/<tenant>`, and after a declared restore `<installation>/<tenant>/<epoch>`."""

import re
from typing import NamedTuple, Self
from uuid import UUID

ORIGIN = re.compile(
    r"(?P<installation>.+)/(?P<tenant>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/(?P<epoch>[1-9][0-9]{0,8}))?",
)
FIRST_EPOCH = 1


class NotAnOrigin(ValueError):
    """A name that no log has."""


class Origin(NamedTuple):
    """Whose log it is; `epoch` counts on with each declared restore of a backup."""

    installation: str
    tenant: UUID
    epoch: int = FIRST_EPOCH

    def __str__(self) -> str:
        """As it stands in checkpoints and is the name of the log's key."""
        name = f"{self.installation}/{self.tenant}"
        return name if self.epoch == FIRST_EPOCH else f"{name}/{self.epoch}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parts of a log's name; raises NotAnOrigin."""
        found = ORIGIN.fullmatch(text)
        if found is None or found["epoch"] == str(FIRST_EPOCH):
            raise NotAnOrigin(f"not the name of a log: {text[:200]!r}")
        return cls(found["installation"], UUID(found["tenant"]), int(found["epoch"] or FIRST_EPOCH))
