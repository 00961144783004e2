"""Agents, as their runs show them."""

from schema.contract import contract_type
from spine.contracts.runs import AgentSummary


@contract_type(AgentSummary, name="Agent")
class Agent:
    """An agent, as its runs show it."""
