"""What analytics offers to other domains: the price of a model call."""

from domains.analytics import driver, engine
from spine.contracts.ports import ModelPricing


class _ModelPricing:
    tenant_prices = staticmethod(driver.tenant_prices)
    quoting = staticmethod(engine.quoting)


class AnalyticsBridge:
    """The door to analytics."""

    def model_pricing_capability(self) -> ModelPricing:
        """Tenant prices and the shipped list."""
        return _ModelPricing()
