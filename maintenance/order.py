"""A work order as its readers see it."""

from pydantic import BaseModel, ConfigDict

from contracts.errors import DomainError
from contracts.faults import FaultEvent, Severity, WorkOrderType
from contracts.work_orders import PauseReason, WorkOrderCommand, WorkOrderEvent, WorkOrderState
from maintenance.transitions import allowed_commands


class OpenOrderExists(DomainError):  # noqa: N818
    """Another order of the same device, component and family is open."""

    code = "open_order_exists"


class WorkOrder(BaseModel):
    """A work order as it stands.

    Attributes:
        id: id in the ops database.
        branch_id: branch.
        device_id: full device id.
        component: component inside the device.
        family: fault family, what one visit would fix.
        type: kind of work.
        skill: skill the technician needs.
        severity: worst severity of the faults joined so far.
        title_en: name of the first fault's rule, English.
        title_zh: the same in Chinese.
        state: state.
        back_state: state to go back to from a pause or a failed verification.
        pause_reason: why it waits, while it is paused.
        assignee: technician, empty where nobody.
        duplicate_of: the order this one repeats.
        fault_count: faults joined so far.
        verify_hold_s: seconds the faults must stay clear before the order closes.
        offered_at_ms: when the standing offer was made, ``None`` where none stands.
        verifying_since_ms: when telemetry began to verify.
        opened_at_ms: milliseconds since 1970 UTC.
        changed_at_ms: last change.
        closed_at_ms: end, ``None`` while open.
        revision: grows by one with every change.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: int
    branch_id: str
    device_id: str
    component: str
    family: str
    type: WorkOrderType
    skill: str
    severity: Severity
    title_en: str
    title_zh: str
    state: WorkOrderState
    back_state: WorkOrderState | None
    pause_reason: PauseReason | None
    assignee: str
    duplicate_of: int | None
    fault_count: int
    verify_hold_s: float
    offered_at_ms: int | None
    verifying_since_ms: int | None
    opened_at_ms: int
    changed_at_ms: int
    closed_at_ms: int | None
    revision: int

    @property
    def number(self) -> str:
        """The name people use."""
        return order_number(self.id)

    @property
    def allowed_commands(self) -> tuple[WorkOrderCommand, ...]:
        """What a person may do with it now."""
        return allowed_commands(self.state)

    def event(
        self, previous: WorkOrderState | None = None, command: WorkOrderCommand | None = None, note: str = ""
    ) -> WorkOrderEvent:
        """Its entry in the event log."""
        return WorkOrderEvent(
            work_order_id=self.id,
            number=self.number,
            branch_id=self.branch_id,
            device_id=self.device_id,
            component=self.component,
            family=self.family,
            severity=self.severity,
            state=self.state,
            previous=previous,
            command=command,
            assignee=self.assignee,
            revision=self.revision,
            fault_count=self.fault_count,
            note=note,
        )


def order_number(order_id: int) -> str:
    """Name of an order: ``WO-000012``."""
    return f"WO-{order_id:06d}"


def subject(order_id: int) -> str:
    """Subject of an order's events in the log."""
    return f"work_order/{order_id}"


def key_of(fault: FaultEvent) -> tuple[str, str, str]:
    """Device, component and family: at most one open order has them."""
    return fault.device_id, fault.component, fault.family
