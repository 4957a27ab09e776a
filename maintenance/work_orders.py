"""Commands on work orders and the questions people ask about them."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import DomainError
from contracts.work_orders import (
    OPEN_STATES,
    PauseReason,
    WorkOrderCommand,
    WorkOrderEventType,
    WorkOrderState,
)
from maintenance.adapters import order_rows
from maintenance.order import OpenOrderExists, WorkOrder, order_number, subject
from maintenance.transitions import Need, next_state, remembered_state
from runtime.clock import Clock
from runtime.database import Database
from runtime.event_log import SYSTEM, Event, EventLog


class RevisionConflict(DomainError):  # noqa: N818
    """Somebody else changed the order meanwhile."""

    code = "revision_conflict"


class CommandIdReused(DomainError):  # noqa: N818
    """The command id belongs to another command."""

    code = "command_id_reused"


class TooLateToReopen(DomainError):  # noqa: N818
    """The order was closed too long ago for a return of the same failure."""

    code = "too_late_to_reopen"


REOPEN_WITHIN_MS: Final = 3 * 86_400_000
"""A failure that returns within three days counts as the same one, as for the first-time-fix rate."""


class CommandRequest(BaseModel):
    """A command with what it brings.

    Attributes:
        command: what shall happen.
        command_id: chosen by the client; the same id a second time has no effect.
        expected_revision: revision the client saw; ``None`` to skip the check.
        assignee: technician, for an offer.
        reason: why, where the command asks for it.
        pause_reason: what a pause waits for.
        duplicate_of: id of the order this one repeats.
        note: remark for the record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: WorkOrderCommand
    command_id: str | None = Field(default=None, min_length=8, max_length=64)
    expected_revision: int | None = Field(default=None, ge=1)
    assignee: str = Field(default="", max_length=128)
    reason: str = Field(default="", max_length=500)
    pause_reason: PauseReason | None = None
    duplicate_of: int | None = Field(default=None, ge=1)
    note: str = Field(default="", max_length=2000)

    def given(self) -> frozenset[Need]:
        """What it brings."""
        offers = {
            Need.ASSIGNEE: self.assignee.strip(),
            Need.REASON: self.reason.strip(),
            Need.PAUSE_REASON: self.pause_reason,
            Need.DUPLICATE_OF: self.duplicate_of,
        }
        return frozenset(need for need, value in offers.items() if value)


class WorkOrders:
    """The one door to work orders: whoever moves an order, the same table decides."""

    def __init__(self, database: Database, event_log: EventLog, clock: Clock) -> None:
        self._database = database
        self._event_log = event_log
        self._clock = clock

    async def list(
        self,
        *,
        states: Collection[WorkOrderState] = (),
        branch_id: str | None = None,
        device_id: str | None = None,
        assignee: str | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> Sequence[WorkOrder]:
        """Orders newest first; all states where none is given; older than ``before_id`` for the next page."""
        async with self._database.read() as connection:
            return await order_rows.page(
                connection,
                states=states,
                branch_id=branch_id,
                device_id=device_id,
                assignee=assignee,
                limit=limit,
                before_id=before_id,
            )

    async def get(self, order_id: int) -> WorkOrder:
        """One order.

        Raises:
            NotFound: there is no such order.
        """
        async with self._database.read() as connection:
            return await order_rows.get(connection, order_id)

    async def faults(self, order_id: int) -> Sequence[int]:
        """Ids of the faults that joined an order, oldest first."""
        async with self._database.read() as connection:
            return [fault_id for fault_id, _cleared in await order_rows.faults_of(connection, order_id)]

    async def history(self, order_id: int) -> Sequence[Event]:
        """Everything that happened to an order, oldest first.

        Raises:
            NotFound: there is no such order.
        """
        await self.get(order_id)
        return await self._event_log.about(subject(order_id))

    async def count_by_state(self) -> dict[WorkOrderState, int]:
        """How many orders stand in each state."""
        async with self._database.read() as connection:
            return await order_rows.count_by_state(connection)

    async def command(self, order_id: int, request: CommandRequest, actor: str) -> WorkOrder:
        """Carry out a person's command.

        Idempotent by ``command_id``: a repetition answers with the order as it stands and changes nothing.

        Raises:
            NotFound: there is no such order.
            CommandNotAllowed: not in its state.
            CommandIncomplete: something the command needs is missing.
            RevisionConflict: the order changed since the client saw it.
            CommandIdReused: the id was used for something else.
            OpenOrderExists: reopening would make a second open order of the key.
            TooLateToReopen: it was closed too long ago.
        """
        async with self._database.write() as connection:
            order = await order_rows.get(connection, order_id, lock=True)
            if request.command_id is not None:
                done = await order_rows.command_done(connection, request.command_id)
                if done == (order_id, request.command):
                    return order
                if done is not None:
                    raise CommandIdReused(
                        f"command id {request.command_id!r} already stands for {done[1]} of {order_number(done[0])};"
                        " choose a new one"
                    )
            if request.expected_revision not in {None, order.revision}:
                raise RevisionConflict(
                    f"{order.number} is at revision {order.revision}, the command expected"
                    f" {request.expected_revision}; read it again"
                )
            order = await self.move(connection, order, request, actor)
            if request.command_id is not None:
                await order_rows.remember_command(connection, request.command_id, order_id, request.command)
        await self._event_log.announce()
        return order

    async def move(
        self,
        connection: AsyncConnection,
        order: WorkOrder,
        request: CommandRequest,
        actor: str = SYSTEM,
        *,
        automatic: bool = False,
    ) -> WorkOrder:
        """Move an order inside the caller's transaction and record it; see :meth:`command` for the errors."""
        command, now_ms = request.command, self._clock.now_ms()
        state = next_state(order.state, command, order.back_state, request.given(), automatic=automatic)
        values: dict[str, Any] = {
            "state": state,
            "back_state": remembered_state(order.state, command, order.back_state),
            "pause_reason": request.pause_reason if state is WorkOrderState.PAUSED else None,
            "offered_at_ms": now_ms if state is WorkOrderState.OFFERED else None,
            "verifying_since_ms": now_ms if state is WorkOrderState.VERIFYING else None,
            "closed_at_ms": None if state in OPEN_STATES else now_ms,
        }
        if command is WorkOrderCommand.OFFER:
            values["assignee"] = request.assignee.strip()
        elif state is WorkOrderState.TRIAGED:
            values["assignee"] = ""
        if command is WorkOrderCommand.MARK_DUPLICATE and request.duplicate_of is not None:
            original = await order_rows.get(connection, request.duplicate_of)
            if original.id == order.id:
                raise DomainError(f"{order.number} cannot be a duplicate of itself")
            values["duplicate_of"] = original.id
        if command is WorkOrderCommand.REOPEN:
            await self._refuse_reopening(connection, order, now_ms)
        moved = await order_rows.change(connection, order, now_ms, **values)
        note = " ".join(part for part in (request.reason, request.pause_reason or "", request.note) if part)
        await self._event_log.append(
            connection, WorkOrderEventType.MOVED, subject(order.id), moved.event(order.state, command, note), actor
        )
        return moved

    @staticmethod
    async def _refuse_reopening(connection: AsyncConnection, order: WorkOrder, now_ms: int) -> None:
        if order.closed_at_ms is not None and now_ms - order.closed_at_ms > REOPEN_WITHIN_MS:
            raise TooLateToReopen(
                f"{order.number} was closed more than {REOPEN_WITHIN_MS // 86_400_000} days ago; a new fault opens a new order"
            )
        other = await order_rows.find_open(connection, order.device_id, order.component, order.family)
        if other is not None:
            raise OpenOrderExists(
                f"{order.number} cannot be reopened: {other.number} is open for {order.device_id} {order.component}"
            )
