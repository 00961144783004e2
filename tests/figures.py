"""What the metrics of this process stand at; tests compare before and after, for other tests count too."""

from collections.abc import Callable

from prometheus_client import REGISTRY


def figure(name: str, **labels: str) -> float:
    """The value of a series; 0 when it has none yet."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def growth(name: str, **labels: str) -> Callable[[], float]:
    """How much the series grows from now on."""
    before = figure(name, **labels)
    return lambda: figure(name, **labels) - before
