"""What incidents offers to other domains: the incidents of runs, and opening them."""

from domains.incidents import driver, engine
from spine.contracts.ports import IncidentExporting, IncidentOpening, IncidentsForRun


class _IncidentsForRun:
    incidents_for_runs = staticmethod(driver.incidents_for_runs)


class _IncidentOpening:
    for_failure = staticmethod(engine.for_failure)
    for_policy = staticmethod(engine.for_policy)
    for_limit = staticmethod(engine.for_limit)
    insert_incidents = staticmethod(driver.insert_incidents)
    count_for_runs = staticmethod(driver.count_for_runs)
    withdraw_incidents = staticmethod(driver.withdraw_incidents)
    withdraw_causes = staticmethod(driver.withdraw_causes)
    restore_causes = staticmethod(driver.restore_causes)


class _IncidentExporting:
    incidents_by_key = staticmethod(driver.incidents_by_key)


class IncidentsBridge:
    """The door to incidents."""

    def incidents_for_run_capability(self) -> IncidentsForRun:
        """The incidents below runs."""
        return _IncidentsForRun()

    def incident_opening_capability(self) -> IncidentOpening:
        """Causes to incidents."""
        return _IncidentOpening()

    def incident_exporting_capability(self) -> IncidentExporting:
        """Incidents as people see them."""
        return _IncidentExporting()
