"""What a device does for customers, and whether it still can: declared by the signals each function needs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from console.api.health import LINK, UPLINK, SignalState
from contracts.signals import Condition


class FunctionState(StrEnum):
    """Whether a function can be had."""

    AVAILABLE = "available"
    REDUCED = "reduced"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Function:
    """A service to customers.

    Attributes:
        name: stable name.
        en: name shown in English.
        zh: name shown in Chinese.
        kinds: kinds of devices that offer it.
        needs: state signals without which it is lost; ``*`` stands for the number or name of a part.
        wishes: state signals whose failure only reduces it.
        shown_by: state signals of which a device that offers it has one; where none is named, any need of its own is enough.
    """

    name: str
    en: str
    zh: str
    kinds: tuple[str, ...]
    needs: tuple[str, ...]
    wishes: tuple[str, ...] = ()
    shown_by: tuple[str, ...] = ()


_APP: Final = "host/app/state"

_ROWS: Final = (
    Function(
        "withdrawal", "Withdrawal", "取款", ("atm",),
        (LINK, "cdm/device", "cdm/dispenser", "cdm/shutter", "cdm/transport", "idc/device", "pin/encryption_state"),
        ("prr/device", "cdm/unit*/replenishment"),
    ),
    Function(
        "deposit", "Deposit", "存款", ("atm",),
        (LINK, "cim/device", "cim/acceptor", "cim/shutter", "cim/transport"), ("prr/device",),
    ),
    Function(
        "card_service", "Card service", "卡类业务", ("atm", "self_service_terminal"),
        (LINK, "idc/device", "idc/chip_module", "pin/encryption_state"), ("nfc/device",),
    ),
    Function(
        "card_issue", "Card issue", "自助发卡", ("self_service_terminal",),
        (LINK, _APP, "idc/device", "idr/device"), ("bio/device",), shown_by=("idc/stock*/replenishment",),
    ),
    Function(
        "statement_print", "Statement printing", "打印", ("self_service_terminal",),
        (LINK, _APP, "prs/paper", "prs/toner", "prs/path"), ("prs/device",), shown_by=("prs/*",),
    ),
    Function(
        "passbook", "Passbook printing", "补登折", ("self_service_terminal",),
        (LINK, _APP, "prp/device", "prp/media"), ("prp/ink",), shown_by=("prp/*",),
    ),
    Function(
        "image_evidence", "Image evidence", "图像取证", ("camera",), (LINK, "video/signal_loss", "recording/state"),
    ),
    Function(
        "intrusion_detection", "Intrusion detection", "入侵探测", ("alarm_panel",),
        (LINK, "panel/tamper", "area*/arming"), ("panel/battery", "comm/radio"),
    ),
    Function("counting", "Counting", "客流统计", ("footfall_sensor",), (LINK,), ("sensor/view",)),
    Function("observation", "Observation", "监测", ("gateway",), (UPLINK, "driver/*/state")),
)  # fmt: skip


def functions_of(
    kind: str, states: Sequence[SignalState], *, known: bool, reachable: bool
) -> list[tuple[Function, FunctionState]]:
    """Tell which functions a device offers and whether they can be had.

    Args:
        kind: device kind.
        states: newest reading of each of its state signals.
        known: whether anything is known about the device now.
        reachable: whether its gateway reaches it; a device out of reach serves nobody.

    Returns:
        Functions in a fixed order, without those whose parts the device never reported.
    """
    out = []
    for function in _ROWS:
        if kind not in function.kinds:
            continue
        own_parts = function.shown_by or tuple(path for path in function.needs if path != LINK)
        if own_parts and not any(_matches(state.path, own_parts) for state in states):
            continue
        needs = [state for state in states if _matches(state.path, function.needs)]
        wishes = [state for state in states if _matches(state.path, function.wishes)]
        out.append((function, _state(needs, wishes, known=known, reachable=reachable)))
    return out


def _state(
    needs: Sequence[SignalState], wishes: Sequence[SignalState], *, known: bool, reachable: bool
) -> FunctionState:
    if not reachable:
        return FunctionState.LOST
    if not known:
        return FunctionState.UNKNOWN
    needed = {state.condition for state in needs if not state.stale or state.path == UPLINK}
    wished = {state.condition for state in wishes if not state.stale}
    if Condition.FAILED in needed:
        return FunctionState.LOST
    if not needed - {Condition.UNKNOWN}:
        return FunctionState.UNKNOWN
    if Condition.DEGRADED in needed or Condition.FAILED in wished:
        return FunctionState.REDUCED
    return FunctionState.AVAILABLE


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) and path.count("/") == pattern.count("/") for pattern in patterns)
