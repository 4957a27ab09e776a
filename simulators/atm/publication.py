"""Turns what happened in the machine into unsolicited messages, one list a service, in the order they are sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from simulators.atm.happenings import (
    CardRetained,
    CardTaken,
    Happening,
    Module,
    ModuleFailed,
    NotesPresented,
    NotesTaken,
    PaperReached,
    SafeDoorMoved,
    ShutterMoved,
    VendorModeEntered,
    VendorModeExited,
)
from simulators.atm.machine import Machine
from simulators.atm.message_format import Json
from simulators.atm.status import OUTPUT, PAPER_SOURCE, status
from simulators.atm.storage import RETAIN_UNIT, storage


@dataclass(frozen=True, slots=True)
class Announcement:
    """One unsolicited message before it is put into an envelope."""

    module: Module
    name: str
    payload: Json | None = None


class Publication:
    """Remembers what each service said last, and says what is new.

    Args:
        machine: the machine.
        major: message format.
    """

    def __init__(self, machine: Machine, major: int) -> None:
        self._machine = machine
        self._major = major
        self._status = {module: status(machine, module, major) for module in Module}
        self._storage = {module: storage(machine, module) for module in Module}

    def news(self) -> list[Announcement]:
        """Announce what happened and what changed since the last call: events first, then states, then counts."""
        announcements = [
            announcement for happening in self._machine.drain() for announcement in _told(happening, self._major)
        ]
        for module in Module:
            before, self._status[module] = self._status[module], status(self._machine, module, self._major)
            announcements += self._states(module, changes(before, self._status[module]))
        for module in Module:
            stored, self._storage[module] = self._storage[module], storage(self._machine, module)
            announcements += _boxes(module, changes(stored, self._storage[module]))
        return announcements

    def _states(self, module: Module, changed: Json) -> list[Announcement]:
        if not changed:
            return []
        if self._major > 1:
            return [Announcement(module, "Common.StatusChangedEvent", changed)]
        # Format 1 tells the common states only, without the interface's name; the rest has to be asked for.
        told = []
        if "common" in changed:
            told.append(Announcement(module, "Common.StatusChangedEvent", changed["common"]))
        if "auxiliaries" in changed:
            told.append(Announcement(module, "Auxiliaries.AuxiliaryStatusEvent", changed["auxiliaries"]))
        return told


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """What differs in ``after``, nested the same way; a list counts as one value."""
    changed: Json = {}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = changes(old, value)
            if inner:
                changed[key] = inner
        elif value != old:
            changed[key] = value
    return changed


def _boxes(module: Module, changed: Json) -> list[Announcement]:
    """Split a change of storage units into the events that the standard has for its parts."""
    moved: Json = {}
    levels: Json = {}
    counts: Json = {}
    for unit, difference in changed.items():
        own = {key: value for key, value in difference.items() if key not in {"cash", "card"}}
        if own:
            moved[unit] = own
        for sort in ("cash", "card"):
            state = dict(difference.get(sort, {}).get("status", {}))
            level = state.pop("replenishmentStatus", None)
            if state:
                counts[unit] = {sort: {"status": state}}
            if level is not None:
                levels[unit] = {sort: {"status": {"replenishmentStatus": level}}}
    told = (("StorageChangedEvent", moved), ("CountsChangedEvent", counts), ("StorageThresholdEvent", levels))
    return [Announcement(module, f"Storage.{name}", payload) for name, payload in told if payload]


_ALWAYS_THE_SAME: Final[dict[type[Happening], Announcement]] = {
    NotesPresented: Announcement(
        Module.DISPENSER, "CashManagement.ItemsPresentedEvent", {"position": OUTPUT, "additionalBunches": "0"}
    ),
    NotesTaken: Announcement(Module.DISPENSER, "CashManagement.ItemsTakenEvent", {"position": OUTPUT}),
    CardTaken: Announcement(Module.CARD_READER, "CardReader.MediaRemovedEvent"),
    CardRetained: Announcement(
        Module.CARD_READER, "CardReader.CardActionEvent", {"to": RETAIN_UNIT, "from": "transport"}
    ),
    VendorModeEntered: Announcement(Module.VENDOR_MODE, "VendorMode.ModeEnteredEvent"),
    VendorModeExited: Announcement(Module.VENDOR_MODE, "VendorMode.ModeExitedEvent"),
}


def _told(happening: Happening, major: int) -> list[Announcement]:
    """Messages about one happening; none where only the witness counts it."""
    match happening:
        case ModuleFailed(module, remedy, text):
            payload = {"eventId": "hardware", "action": remedy.value, "vendorDescription": text}
            return [Announcement(module, "Common.ErrorEvent", payload)]
        case ShutterMoved(position):
            word = position if position in {"open", "closed"} else "jammed"
            payload = {"position": OUTPUT, "shutter": word}
            return [Announcement(Module.DISPENSER, "CashManagement.ShutterStatusChangedEvent", payload)]
        case PaperReached(level):
            payload = {"paperSource": PAPER_SOURCE, "threshold": level}
            return [Announcement(Module.PRINTER, "Printer.PaperThresholdEvent", payload)]
        case SafeDoorMoved(is_open) if major == 1:
            name = "SafeDoorOpenEvent" if is_open else "SafeDoorClosedEvent"
            return [Announcement(Module.DISPENSER, f"CashManagement.{name}")]
    same = _ALWAYS_THE_SAME.get(type(happening))
    return [same] if same else []
