"""Which unsolicited messages the standard has for what happens in a machine."""

from dataclasses import dataclass
from typing import Final

from simulators.modules.happenings import (
    CardRetained,
    CardTaken,
    Happening,
    InkReached,
    KeysLoaded,
    KeysReached,
    Module,
    ModuleFailed,
    NotesInserted,
    NotesPresented,
    NotesTaken,
    PaperReached,
    ReceiptRetracted,
    RecordingReached,
    RetractedReceiptsReached,
    SafeDoorMoved,
    ShutterMoved,
    VendorModeEntered,
    VendorModeExited,
)
from simulators.xfs4iot.message_format import Json

OUTPUT: Final = "outDefault"
"""The one output position for notes."""

INPUT: Final = "inDefault"
"""The one input position for notes."""

PAPER_SOURCE: Final = "upper"
"""The one paper source of each printer."""

RETAIN_UNIT: Final = "unitRETAIN"
"""Key of a card reader's retain bin."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One unsolicited message before it is put into an envelope."""

    module: Module
    name: str
    payload: Json | None = None


_ALWAYS_THE_SAME: Final[dict[type[Happening], Announcement]] = {
    NotesPresented: Announcement(
        Module.DISPENSER, "CashManagement.ItemsPresentedEvent", {"position": OUTPUT, "additionalBunches": "0"}
    ),
    NotesTaken: Announcement(Module.DISPENSER, "CashManagement.ItemsTakenEvent", {"position": OUTPUT}),
    NotesInserted: Announcement(Module.DISPENSER, "CashManagement.ItemsInsertedEvent", {"position": INPUT}),
    ReceiptRetracted: Announcement(Module.PRINTER, "Printer.MediaAutoRetractedEvent", {"result": "ok"}),
    KeysLoaded: Announcement(Module.PIN_PAD, "KeyManagement.InitializedEvent"),
    VendorModeEntered: Announcement(Module.VENDOR_MODE, "VendorMode.ModeEnteredEvent"),
    VendorModeExited: Announcement(Module.VENDOR_MODE, "VendorMode.ModeExitedEvent"),
}


def told(happening: Happening, major: int) -> list[Announcement]:
    """Messages about one happening in a message format; none where only the witness counts it."""
    return _of_cash(happening, major) or _of_modules(happening)


def _of_modules(happening: Happening) -> list[Announcement]:
    match happening:
        case ModuleFailed(module, remedy, text, kind):
            payload = {"eventId": kind.value, "action": remedy.value, "vendorDescription": text}
            return [Announcement(module, "Common.ErrorEvent", payload)]
        case CardTaken(module):
            return [Announcement(module, "CardReader.MediaRemovedEvent")]
        case CardRetained(module):
            payload = {"to": RETAIN_UNIT, "from": "transport"}
            return [Announcement(module, "CardReader.CardActionEvent", payload)]
        case PaperReached(level, module):
            return [
                Announcement(module, "Printer.PaperThresholdEvent", {"paperSource": PAPER_SOURCE, "threshold": level})
            ]
        case InkReached(level, module):
            return [Announcement(module, "Printer.InkThresholdEvent", {"state": level})]
        case RetractedReceiptsReached(level):
            return [Announcement(Module.PRINTER, "Printer.RetractBinThresholdEvent", {"binNumber": 1, "state": level})]
        case RecordingReached(level):
            return [Announcement(Module.CAMERA, "Camera.MediaThresholdEvent", {"mediaThreshold": level})]
        case KeysReached(key):
            payload = {"keyName": key, "errorCode": "accessDenied"}
            return [Announcement(Module.PIN_PAD, "KeyManagement.IllegalKeyAccessEvent", payload)]
    same = _ALWAYS_THE_SAME.get(type(happening))
    return [same] if same else []


def _of_cash(happening: Happening, major: int) -> list[Announcement]:
    match happening:
        case ShutterMoved(position, opening):
            word = position if position in {"open", "closed"} else "jammed"
            payload = {"position": opening, "shutter": word}
            return [Announcement(Module.DISPENSER, "CashManagement.ShutterStatusChangedEvent", payload)]
        case SafeDoorMoved(is_open) if major == 1:
            name = "SafeDoorOpenEvent" if is_open else "SafeDoorClosedEvent"
            return [Announcement(Module.DISPENSER, f"CashManagement.{name}")]
    return []
