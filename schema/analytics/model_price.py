"""What models cost."""

from decimal import Decimal

from schema.contract import contract_type
from schema.inputs import contract_input, required
from spine.contracts import governance


@contract_type(governance.ModelPriceSummary, name="ModelPrice")
class ModelPrice:
    """What a model costs, in US dollars for a million tokens."""


@contract_input(governance.SetModelPrice, name="SetModelPriceInput")
class SetModelPriceInput:
    """Set the tenant's own price of a model; it wins over the shipped one from now on."""

    provider: str = required("The provider.")
    model: str = required("The model's name.")
    input_usd_per_million: Decimal = required("Price of a million input tokens.")
    output_usd_per_million: Decimal = required("Price of a million output tokens.")
    source: str = required("Where the price comes from.")
