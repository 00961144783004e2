"""The registry's own table."""

from schema.contract import contract_type
from spine.contracts.access import OperationInfo


@contract_type(OperationInfo, name="Operation")
class Operation:
    """One registered operation: every field of this API is fed by one."""
