"""Reservations: whoever executes something under a key reserves it first, in a transaction that is committed before.

So two never execute the same, and whoever comes later finds the output, or that it failed. A reservation that lasts
longer than its lease, in the database's time, has lost its process: what is repeatable is taken over, of anything else
nobody can tell whether it took effect. A holder that was taken over cannot report any more.
"""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import and_, bindparam, case, func, null, select, update
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from spine.contracts.enums import ReservationState
from spine.contracts.errors import Conflict, IdempotencyConflict
from spine.contracts.replays import FinishExecution, Reservation, ReserveExecution
from spine.contracts.statements import Read, Row, Write
from spine.storage.sessions import WriteSession
from spine.storage.tables import reservations as table

ANSWERS = "replay/"
"""How the keys begin under which answers of whole replays are kept."""

OF_KEY = and_(table.c.tenant_id == bindparam("tenant_id"), table.c.key == bindparam("wanted"))
NOW = func.clock_timestamp(type_=table.c.created_at.type)
UNTIL = NOW + bindparam("lease", type_=INTERVAL())

TAKE = (
    insert(table)
    .values(
        tenant_id=bindparam("tenant_id"),
        key=bindparam("wanted"),
        request_digest=bindparam("request_digest"),
        run_id=bindparam("run_id"),
        state=ReservationState.RESERVED,
        holder=bindparam("holder"),
        attempt=1,
        reserved_until=UNTIL,
        created_at=NOW,
    )
    .on_conflict_do_nothing()
)
FIND = (
    select(
        table.c.request_digest,
        table.c.state,
        table.c.output,
        table.c.error,
        table.c.reserved_until > NOW,
    )
    .where(OF_KEY)
    .with_for_update()
)
TAKE_OVER = (
    update(table)
    .where(OF_KEY)
    .values(holder=bindparam("new_holder"), attempt=table.c.attempt + 1, reserved_until=UNTIL)
)
FAILED = bindparam("error", type_=table.c.error.type).is_not(None)
FINISH = (
    update(table)
    .where(OF_KEY, table.c.holder == bindparam("held"), table.c.state == ReservationState.RESERVED)
    .values(
        state=case((FAILED, ReservationState.FAILED.value), else_=ReservationState.SUCCEEDED.value),
        output=bindparam("output"),
        error=bindparam("error"),
    )
)
ERASE = (
    update(table)
    .where(
        table.c.tenant_id == bindparam("tenant_id"),
        table.c.run_id == bindparam("of_run"),
        table.c.output.is_not(None),
        ~table.c.key.startswith(ANSWERS),
    )
    .values(state=ReservationState.FAILED.value, output=null(), error="its output was erased")
)


async def erase_outputs(session: WriteSession, run_key: UUID) -> int:
    """Erase what executions of the run's steps gave; the answers of its replays, which hold no output, stay."""
    return await session.execute(Write(ERASE, {"of_run": run_key}))


async def reserve(session: WriteSession, request: ReserveExecution) -> Reservation:
    """Take the key, or say how it stands; IdempotencyConflict when it stands for another request."""
    holder = uuid4()
    lease = {"wanted": request.key, "lease": timedelta(seconds=request.lease_s)}
    taken = {"request_digest": request.request_digest, "run_id": request.run_key, "holder": holder}
    if await session.execute(Write(TAKE, lease | taken)):
        return Reservation(state=ReservationState.RESERVED, held=holder)
    (found,) = await session.fetch(Read(FIND, {"wanted": request.key}, _found))
    digest, known = found
    if digest != request.request_digest:
        raise IdempotencyConflict
    if known.state is ReservationState.RESERVED and not known.running and request.repeatable:
        await session.execute(Write(TAKE_OVER, {**lease, "new_holder": holder}))
        return Reservation(state=ReservationState.RESERVED, held=holder)
    return known


def _found(row: Row) -> tuple[bytes, Reservation]:
    state = ReservationState(row[1])
    running = state is ReservationState.RESERVED and row[4]
    return row[0], Reservation(state=state, running=running, output=row[2], error=row[3])


async def finish(session: WriteSession, request: FinishExecution) -> None:
    """Report how it ended; Conflict when the reservation is the holder's no more."""
    values = {"wanted": request.key, "held": request.held, "output": request.output, "error": request.error}
    if not await session.execute(Write(FINISH, values)):
        raise Conflict("this execution took longer than its lease, and another has taken it over")
