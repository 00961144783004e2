"""What people see of the limits that a run reached, composed of its stored records. Pure.

The same that the driver's statement composes in the database (tested against each other over generated records): where
a page reads the records anyway, for its proofs, they are not read again.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from domains.controls.driver import LIMIT
from spine.contracts.enums import LimitLevel, LimitType
from spine.contracts.evidence import LimitHitSummary
from spine.contracts.records import BreachRecord
from spine.contracts.statements import Row
from spine.services.ids import node_id
from spine.services.limit_units import UNITS, shown_value

TYPES: Final = {kind.value: kind for kind in LimitType}
LEVELS: Final = {level.value: level for level in LimitLevel}

_breach = attrgetter(
    "id", "limit_id", "limit_name", "limit_type", "level", "breached_value", "threshold_value", "breached_at"
)


def shown_breaches(records: Sequence[BreachRecord], first: int) -> tuple[list[LimitHitSummary], int]:
    """Of one run the newest `first`, and how many there are: the latest state of each limit that is still reached."""
    latest = {one.limit_id: one for one in sorted(records, key=attrgetter("evidence_index"))}
    reached = [one for one in latest.values() if not one.cleared]
    reached.sort(key=attrgetter("breached_at", "id"), reverse=True)
    return [hit_summary(_breach(one)) for one in reached[:first]], len(reached)


def hit_summary(row: Row) -> LimitHitSummary:
    """One hit; LookupError for what is no type or level.

    Of: key, the limit's key, name and type, level, the run's value, the limit's value, time.
    """
    limit_type = TYPES[row[3]]
    return LimitHitSummary(
        id=node_id("LimitBreach", row[0]),
        limit_id=node_id(LIMIT, row[1]),
        limit_name=row[2],
        limit_type=limit_type,
        level=LEVELS[row[4]],
        breached_value=shown_value(limit_type, row[5]),
        threshold_value=shown_value(limit_type, row[6]),
        unit=UNITS[limit_type],
        breached_at=row[7],
    )
