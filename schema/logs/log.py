"""The tenant's log: checkpoints, and that something is in it."""

from schema.contract import contract_type
from spine.contracts import log


@contract_type(log.Inclusion, name="LogInclusion")
class LogInclusion:
    """That a fact is in the tenant's log: its leaf leads by the path to the root that the checkpoint signs.

    Check it without trusting the server: root and size are the verified checkpoint's, the leaf's hash is SHA-256 over a
    zero byte and the leaf's entry.
    """


@contract_type(log.LogCheckpoint, name="LogCheckpoint")
class LogCheckpoint:
    """A signed checkpoint of the tenant's log (C2SP tlog-checkpoint). Keep it: no later log may contradict it."""


@contract_type(log.LogConsistency, name="LogConsistency")
class LogConsistency:
    """That the log of the later size begins with the log of the earlier one; check it against kept checkpoints."""
