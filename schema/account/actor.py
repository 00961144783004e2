"""Whoever acted, wherever somebody did."""

from schema.contract import contract_type
from spine.contracts import actors


@contract_type(actors.Actor, name="Actor")
class Actor:
    """Somebody or something that acted."""
