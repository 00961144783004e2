"""The tenant's log: checkpoints, and that something is in it."""

from schema.contract import contract_type
from spine.contracts import log, log_check


@contract_type(log.Inclusion, name="LogInclusion")
class LogInclusion:
    """That a fact is in the tenant's log: its leaf leads by the path to the root that the checkpoint signs.

    Check it without trusting the server: root and size are the verified checkpoint's, the leaf's hash is SHA-256 over a
    zero byte and the leaf's entry.
    """


@contract_type(log.CheckpointWitness, name="CheckpointWitness")
class CheckpointWitness:
    """A witness that has cosigned a checkpoint (C2SP tlog-cosignature): it has seen no other history of this log."""


@contract_type(log.CheckpointTimestamp, name="CheckpointTimestamp")
class CheckpointTimestamp:
    """A time stamp (RFC 3161) on a checkpoint's note as the log alone signed it, without cosignatures."""


@contract_type(log.LogCheckpoint, name="LogCheckpoint")
class LogCheckpoint:
    """A signed checkpoint of the tenant's log (C2SP tlog-checkpoint). Keep it: no later log may contradict it."""


@contract_type(log.LogConsistency, name="LogConsistency")
class LogConsistency:
    """That the log of the later size begins with the log of the earlier one; check it against kept checkpoints."""


@contract_type(log_check.LogFault, name="LogFault")
class LogFault:
    """The first thing about the log that does not hold."""


@contract_type(log_check.LogVerification, name="LogVerification")
class LogVerification:
    """How far the server has checked its own log, and what it found.

    Believe it only as far as you believe the server: consistency with a checkpoint that you kept says more.
    """
