"""What controls offers to other domains: which limits runs reached, and measuring runs against them."""

from domains.controls import driver, driver_breaches, driver_summaries, engine
from spine.contracts.ports import BreachReplay, LimitBreaches, LimitMeasuring


class _LimitBreaches:
    breaches_for_runs = staticmethod(driver_breaches.breaches_for_runs)
    shown_breaches = staticmethod(driver_summaries.shown_breaches)
    breach_records = staticmethod(driver_breaches.breach_records)


class _LimitMeasuring:
    active_limits = staticmethod(driver.active_limits)
    applicable = staticmethod(engine.applicable)
    read_limits = staticmethod(engine.read_limits)
    insert_breaches = staticmethod(driver_breaches.insert_breaches)
    latest_breaches = staticmethod(driver_breaches.latest_breaches)


class _BreachReplay:
    level_of = staticmethod(engine.level_of)


class ControlsBridge:
    """The door to controls."""

    def limit_breaches_capability(self) -> LimitBreaches:
        """Limits that runs reached."""
        return _LimitBreaches()

    def limit_measuring_capability(self) -> LimitMeasuring:
        """Limits in force, and how runs stand against them."""
        return _LimitMeasuring()

    def breach_replay_capability(self) -> BreachReplay:
        """How a value stands against a threshold."""
        return _BreachReplay()
