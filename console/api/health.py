"""A device's health, derived from what its signals say, how old that is, and the faults that stand. Pure.

What is not known is never shown as healthy and never as broken: a device behind a gateway that is offline, a device that
cannot be reached and a device whose readings are all old have no data, whatever they said last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.faults import Severity
from contracts.signals import CONDITION_ORDER, Condition

LINK: Final = "link/state"
UPLINK: Final = "uplink/state"
"""Known at the collector from the broker; it is reported on change only, so its age says nothing."""

_FAULT_CONDITION: Final = {
    Severity.CRITICAL: Condition.FAILED,
    Severity.MAJOR: Condition.FAILED,
    Severity.MINOR: Condition.DEGRADED,
    Severity.INFO: Condition.OK,
}


class HealthReason(StrEnum):
    """Why a device has the health it has."""

    ALL_WELL = "all_well"
    SIGNAL = "signal"  # a state signal says so
    FAULT = "fault"  # a fault that stands says so, and no signal says worse
    NEVER_REPORTED = "never_reported"
    GATEWAY_OFFLINE = "gateway_offline"
    UNREACHABLE = "unreachable"  # its gateway cannot reach it
    STALE = "stale"  # nothing new for too long


@dataclass(frozen=True, slots=True)
class SignalState:
    """Newest reading of a state signal.

    Attributes:
        path: concrete path inside the device.
        word: the state.
        condition: what the catalogue says about that state.
        stale: whether it is too old to speak for the device.
    """

    path: str
    word: str
    condition: Condition
    stale: bool


@dataclass(frozen=True, slots=True)
class Health:
    """Health of a device.

    Attributes:
        condition: ``unknown`` means no data.
        reason: why.
        path: the signal that decided, empty where none did.
    """

    condition: Condition
    reason: HealthReason
    path: str = ""


def derive_health(
    states: Sequence[SignalState], faults: Sequence[Severity], *, gateway_online: bool | None, is_gateway: bool
) -> Health:
    """Derive a device's health.

    Args:
        states: newest reading of each of its state signals, in any order.
        faults: severities of its active faults.
        gateway_online: whether its branch's gateway is connected; ``None`` where the gateway never said anything.
        is_gateway: whether the device is the gateway itself, which is known by its uplink.

    Returns:
        The worst of its fresh state signals and its faults, or ``unknown`` with the reason why nothing is known.
    """
    by_path = {state.path: state for state in states}
    if is_gateway:
        if gateway_online is False:
            return Health(Condition.FAILED, HealthReason.GATEWAY_OFFLINE, UPLINK)
    else:
        blind = _blind(states, by_path.get(LINK), gateway_online=gateway_online)
        if blind is not None:
            return blind
    fresh = [state for state in states if not state.stale or state.path == UPLINK]
    if not fresh:
        return Health(Condition.UNKNOWN, HealthReason.STALE if states else HealthReason.NEVER_REPORTED)
    worst = max(fresh, key=lambda state: (CONDITION_ORDER.index(state.condition), state.path))
    by_fault = max((_FAULT_CONDITION[severity] for severity in faults), key=CONDITION_ORDER.index, default=Condition.OK)
    if CONDITION_ORDER.index(by_fault) > CONDITION_ORDER.index(worst.condition) and by_fault is not Condition.OK:
        return Health(by_fault, HealthReason.FAULT)
    if worst.condition is Condition.OK:
        return Health(Condition.OK, HealthReason.ALL_WELL)
    return Health(worst.condition, HealthReason.SIGNAL, worst.path)


def _blind(states: Sequence[SignalState], link: SignalState | None, *, gateway_online: bool | None) -> Health | None:
    if gateway_online is False:
        return Health(Condition.UNKNOWN, HealthReason.GATEWAY_OFFLINE)
    if not states:
        return Health(Condition.UNKNOWN, HealthReason.NEVER_REPORTED)
    if link is not None and link.stale:
        return Health(Condition.UNKNOWN, HealthReason.STALE, LINK)
    if link is not None and link.condition is Condition.FAILED:
        return Health(Condition.UNKNOWN, HealthReason.UNREACHABLE, LINK)
    return None
