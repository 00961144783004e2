"""Bridges: the only doors between domains. A bridge hands out capabilities; it decides, keeps and runs nothing.

Every capability has a consumer that declares it in `cross_domain_deps`; the registry checks both at start-up.
"""

from typing import Any

from spine.orchestrator.bridges.activity_bridge import ActivityBridge
from spine.orchestrator.bridges.analytics_bridge import AnalyticsBridge
from spine.orchestrator.bridges.controls_bridge import ControlsBridge
from spine.orchestrator.bridges.incidents_bridge import IncidentsBridge
from spine.orchestrator.bridges.integrations_bridge import IntegrationsBridge
from spine.orchestrator.bridges.logs_bridge import LogsBridge
from spine.orchestrator.bridges.policies_bridge import PoliciesBridge

BRIDGES: dict[str, Any] = {
    "activity": ActivityBridge(),
    "analytics": AnalyticsBridge(),
    "controls": ControlsBridge(),
    "incidents": IncidentsBridge(),
    "integrations": IntegrationsBridge(),
    "logs": LogsBridge(),
    "policies": PoliciesBridge(),
}


def capabilities() -> frozenset[str]:
    """Every capability as `domain.capability`."""
    return frozenset(
        f"{domain}.{name}" for domain, bridge in BRIDGES.items() for name in vars(type(bridge)) if name[0] != "_"
    )
