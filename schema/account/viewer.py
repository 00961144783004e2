"""Who is asking."""

from schema.account import actor as _actor  # noqa: F401 - a viewer holds an actor
from schema.contract import contract_type
from spine.contracts import access


@contract_type(access.Viewer, name="Viewer")
class Viewer:
    """Who is asking, for which tenant, and what they may do."""
