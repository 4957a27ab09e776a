"""Vocabulary of faults (ISA-18.2, IEC 62682) and the events by which rules speak to everybody else."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict


class Severity(StrEnum):
    """How bad a fault is, worst first."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


SEVERITY_NUMBER: Final = {Severity.CRITICAL: 1, Severity.MAJOR: 2, Severity.MINOR: 3, Severity.INFO: 4}
"""The number shown inside a severity's symbol."""

SEVERITY_ZH: Final = {
    Severity.CRITICAL: "紧急",
    Severity.MAJOR: "重要",
    Severity.MINOR: "次要",
    Severity.INFO: "提示",
}


class FaultState(StrEnum):
    """State of an alarm as ISA-18.2 draws it, from the bits active, acknowledged and latched."""

    NORMAL = "normal"  # returned and acknowledged: over
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    LATCHED_UNACKNOWLEDGED = "latched_unacknowledged"  # condition gone, waits for acknowledge and reset
    LATCHED_ACKNOWLEDGED = "latched_acknowledged"  # condition gone, waits for reset


class WorkOrderType(StrEnum):
    """What kind of work a fault asks for."""

    FIRST_LINE = "FL"
    CORRECTIVE = "CM"
    REMOTE = "RM"
    CASH = "CR"
    SECURITY = "SR"
    CONDITION_BASED = "CB"


class FaultEventType(StrEnum):
    """Types of fault events in the event log."""

    RAISED = "fault.raised"
    ACKNOWLEDGED = "fault.acknowledged"
    CLEARED = "fault.cleared"  # the condition is gone and, where the rule latches, the latch was reset
    LATCHED = "fault.latched"  # the condition is gone, the latch holds
    REACTIVATED = "fault.reactivated"  # the condition came back while the latch held: the same fault is active again
    RESET = "fault.reset"


class EndReason(StrEnum):
    """Why a fault ended though nothing reported that its condition is gone. Append only: the words are API."""

    DEVICE_REMOVED = "device_removed"  # the inventory no longer has the device
    DEVICE_CHANGED = "device_changed"  # the id now stands for a device of another kind
    RULE_REMOVED = "rule_removed"  # its rule is no longer loaded
    RULE_CHANGED = "rule_changed"  # its rule no longer watches this part of the device


class WorkOrderAdvice(BaseModel):
    """What a rule says about the work its fault asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: WorkOrderType
    skill: str
    wait_s: float = 0.0
    verify_hold_s: float = 900.0


class FaultEvent(BaseModel):
    """Payload of every fault event: the fault as it stands after the change, with what its readers need.

    Attributes:
        fault_id: id of the fault.
        rule_id: the rule that raised it.
        device_id: full device id.
        branch_id: branch of the device.
        component: component inside the device.
        part: matched part path such as ``cdm/unit2``, empty where the rule names the component alone.
        family: fault family, what one visit would fix.
        severity: severity.
        state: state after the change.
        title_en: the rule's name in English.
        title_zh: the rule's name in Chinese.
        observed_at_ms: observation time of the change: when the condition began or ended, delay included.
        trigger_at_ms: observation time of the reading that decided it; ``None`` where a timer did.
        work_order: the work the rule asks for, ``None`` for none.
        reason: why it ended without a reading that says so, ``None`` for every other event.
    """

    model_config = ConfigDict(frozen=True)

    fault_id: int
    rule_id: str
    device_id: str
    branch_id: str
    component: str
    part: str
    family: str
    severity: Severity
    state: FaultState
    title_en: str
    title_zh: str
    observed_at_ms: int
    trigger_at_ms: int | None = None
    work_order: WorkOrderAdvice | None = None
    reason: EndReason | None = None
