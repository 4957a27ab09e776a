"""Vocabulary of work orders: states, commands, pause reasons and the events in the log."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from contracts.faults import Severity


class WorkOrderState(StrEnum):
    """States of a work order, in the order of the usual way through."""

    NEW = "new"
    TRIAGED = "triaged"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    TRAVELLING = "travelling"
    ON_SITE = "on_site"
    PAUSED = "paused"
    REPAIRED = "repaired"
    VERIFYING = "verifying"
    CLOSED = "closed"
    CLOSED_INCOMPLETE = "closed_incomplete"
    CANCELLED = "cancelled"
    DUPLICATE = "duplicate"


OPEN_STATES: Final = frozenset(WorkOrderState) - {
    WorkOrderState.CLOSED,
    WorkOrderState.CLOSED_INCOMPLETE,
    WorkOrderState.CANCELLED,
    WorkOrderState.DUPLICATE,
}
"""States in which an order counts as the one open order of its device, component and family."""


class WorkOrderCommand(StrEnum):
    """What moves a work order."""

    TRIAGE = "triage"
    OFFER = "offer"
    ACCEPT = "accept"
    DECLINE = "decline"
    EXPIRE_OFFER = "expire_offer"
    DEPART = "depart"
    ARRIVE = "arrive"
    PAUSE = "pause"
    RESUME = "resume"
    REPAIR = "repair"
    FIX_REMOTELY = "fix_remotely"
    VERIFY = "verify"
    CONFIRM = "confirm"
    FAIL_VERIFICATION = "fail_verification"
    OVERRIDE_VERIFICATION = "override_verification"
    CLOSE_INCOMPLETE = "close_incomplete"
    CANCEL = "cancel"
    MARK_DUPLICATE = "mark_duplicate"
    REOPEN = "reopen"


class PauseReason(StrEnum):
    """Why work waits."""

    PARTS = "parts"
    ACCESS = "access"
    VENDOR = "vendor"
    CUSTOMER = "customer"


class WorkOrderEventType(StrEnum):
    """Types of work-order events in the event log."""

    OPENED = "work_order.opened"
    JOINED = "work_order.joined"
    MOVED = "work_order.moved"


class WorkOrderEvent(BaseModel):
    """Payload of every work-order event: the order as it stands after the change.

    Attributes:
        work_order_id: id of the order.
        number: the name people use, ``WO-000012``.
        branch_id: branch.
        device_id: full device id.
        component: component inside the device.
        family: fault family.
        severity: worst severity of the faults joined so far.
        state: state after the change.
        previous: state before it, ``None`` for the opening.
        command: what moved it, ``None`` where nothing moved.
        assignee: technician, empty where nobody.
        revision: revision after the change.
        fault_count: faults that joined the order.
        note: reason or remark that came with the command.
    """

    model_config = ConfigDict(frozen=True)

    work_order_id: int
    number: str
    branch_id: str
    device_id: str
    component: str
    family: str
    severity: Severity
    state: WorkOrderState
    previous: WorkOrderState | None = None
    command: WorkOrderCommand | None = None
    assignee: str = ""
    revision: int = 1
    fault_count: int = 1
    note: str = ""
