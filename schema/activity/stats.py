"""Counts of runs, for filter chips."""

from schema.contract import contract_type
from spine.contracts import runs


@contract_type(runs.RunGroup, name="RunGroup")
class RunGroup:
    """How many runs share one value."""


@contract_type(runs.RunStats, name="RunStats")
class RunStats:
    """Counts of runs by one of their fields; every group is exact, the largest first."""
