"""What handlers may know of the installation."""

from msgspec import Struct

from spine.contracts.executors import Executors
from spine.contracts.ports.signing import LogSigning


class RuntimeConfig(Struct, frozen=True, kw_only=True):
    """Settings that decide behaviour inside operations; everything else stays at the edge.

    `key_pepper` is never in the database, `stalled_after_s` is the silence after which a live run is STALLED. A key has
    at most `points_per_key` points, and gets `points_per_second` back. `log` signs the tenants' logs. A replay can
    execute the skills of `executors`.
    """

    key_pepper: bytes
    key_environment: str
    stalled_after_s: int
    points_per_key: int
    points_per_second: int
    log: LogSigning
    executors: Executors = {}
