"""Telling a span's copies from another span under the same id, keeping nothing that payloads could be guessed from.

A span's digest is over all that was sent, payloads included, so it is stored as they are: as a commitment under the
span's salt, which is erased with them. Until then a copy is one that gives the same commitment. Afterwards nothing can
tell a copy from a change; either is a duplicate, because the change would be kept for people with its payload in it.
"""

from datetime import datetime

from msgspec import Struct

from spine.contracts.ports import KnownStep, RunRow
from spine.contracts.spans import SpanFacts
from spine.services.commitments import commitment


class KnownSpan(Struct, frozen=True, gc=False):
    """A span that came first: the salt (None when erased, or from before there were salts) and its commitment."""

    salt: bytes | None
    committed: bytes
    redacted_at: datetime | None

    def is_copied_by(self, span: SpanFacts) -> bool:
        """Whether this span is a copy, as far as can be told."""
        return self.redacted_at is not None or self.committed == self.commitment_to(span)

    def commitment_to(self, span: SpanFacts) -> bytes:
        """What a span is called that came under this one's id: under this one's salt, to be erased with it."""
        return span.digest if self.salt is None else commitment(self.salt, span.digest)


def known_span(stored: KnownStep | RunRow) -> KnownSpan:
    """The span that became a step, or an agent's run."""
    return KnownSpan(stored.salt, stored.span_digest, stored.redacted_at)
