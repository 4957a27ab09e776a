"""From unsolicited events to what they mean: most are a small status, so one way of reading serves both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway.drivers.xfs4iot.envelope import Message
from gateway.drivers.xfs4iot.properties import Complaints, count, text, word


class Happening(StrEnum):
    """Something that a counter counts."""

    NOTES_PRESENTED = "notes_presented"
    NOTES_TAKEN = "notes_taken"
    NOTES_INSERTED = "notes_inserted"
    CARD_MOVED = "card_moved"
    CARD_REMOVED = "card_removed"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event says.

    Attributes:
        status: a change of status, by interface.
        storage: a change of storage, by unit.
        error: text of a module error, empty where none.
        counts_as_error: whether the error is the module's own fault.
        illegal_key_access: text of that event, empty where none.
        happening: what counters have to know.
        position: position it happened at, empty where not told.
        card_to: where a card went, empty where not told.
        read_status: whether the status has to be read again.
        read_storage: whether the storage has to be read again.
    """

    status: Mapping[str, Any] = field(default_factory=dict)
    storage: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    counts_as_error: bool = False
    illegal_key_access: str = ""
    happening: Happening | None = None
    position: str = ""
    card_to: str = ""
    read_status: bool = False
    read_storage: bool = False


_MODULE_ERRORS: Final = frozenset({"hardware", "software"})


@dataclass(frozen=True, slots=True)
class _Event:
    """An event's payload and where to complain about it."""

    payload: Mapping[str, Any]
    complaints: Complaints

    def word(self, key: str) -> str | None:
        return word(self.payload, key, self.complaints)

    def text(self, key: str, most_chars: int) -> str:
        return text(self.payload, key, most_chars)


def _status_changed(event: _Event) -> Meaning:
    common = event.payload.get("common")
    owner = common if isinstance(common, Mapping) else event.payload  # flat in message major 1
    return Meaning(status=event.payload, read_status=True, read_storage="exchange" in owner)


def _error(event: _Event) -> Meaning:
    event_id = event.word("eventId") or "unknown"
    action = event.word("action") or "none"
    return Meaning(
        error=f"{event_id}/{action}: {event.text('vendorDescription', 512)}",
        counts_as_error=event_id in _MODULE_ERRORS,
        read_status=True,
    )


def _storage(event: _Event) -> Meaning:
    return Meaning(storage=event.payload, read_storage=True)


def _shutter(event: _Event) -> Meaning:
    position, shutter = event.word("position"), event.word("shutter")
    if position is None or shutter is None:
        return LOOK_AGAIN
    item = {"position": position, "shutter": "jammedUnknown" if shutter == "jammed" else shutter}
    names = ("cashAcceptor",) if position.startswith("in") else ("cashDispenser", "cashAcceptor")
    return Meaning(status={name: {"positions": [item]} for name in names}, read_status=True)


def _presented(event: _Event) -> Meaning:
    return Meaning(happening=Happening.NOTES_PRESENTED, position=event.word("position") or "", read_status=True)


def _taken(event: _Event) -> Meaning:
    return Meaning(happening=Happening.NOTES_TAKEN, position=event.word("position") or "", read_status=True)


def _card_action(event: _Event) -> Meaning:
    return Meaning(happening=Happening.CARD_MOVED, card_to=event.text("to", 64), read_status=True, read_storage=True)


def _paper(event: _Event) -> Meaning:
    source, threshold = event.word("paperSource"), event.word("threshold")
    if source is None or threshold is None:
        return LOOK_AGAIN
    return Meaning(status={"printer": {"paper": {source: threshold}}}, read_status=True)


def _retract_bin(event: _Event) -> Meaning:
    number = count(event.payload, "binNumber", event.complaints)
    item = {"binNumber": number, "state": event.payload.get("state")}
    return Meaning(status={"printer": {"retractBins": [item]}} if number else {}, read_status=True, read_storage=True)


def _ink(event: _Event) -> Meaning:
    state = event.word("state")
    return LOOK_AGAIN if state is None else Meaning(status={"printer": {"ink": state}}, read_status=True)


def _auxiliaries(event: _Event) -> Meaning:
    return Meaning(status={"auxiliaries": event.payload}, read_status=True)


def _illegal_key(event: _Event) -> Meaning:
    key, code = event.text("keyName", 64) or "unnamed key", event.text("errorCode", 64) or "no code"
    return Meaning(illegal_key_access=f"{key}: {code}", read_status=True)


LOOK_AGAIN: Final = Meaning(read_status=True)

FIXED: Final[Mapping[str, Meaning]] = {
    "storageerror": Meaning(read_storage=True),
    "itemsinserted": Meaning(happening=Happening.NOTES_INSERTED, read_status=True),
    "mediaremoved": Meaning(
        status={"cardReader": {"media": "notPresent"}}, happening=Happening.CARD_REMOVED, read_status=True
    ),
    "mediaautoretracted": Meaning(read_status=True, read_storage=True),
    "mediathreshold": LOOK_AGAIN,
    "tonerthreshold": LOOK_AGAIN,
    "lampthreshold": LOOK_AGAIN,
    "initialized": LOOK_AGAIN,
    "modeentered": Meaning(status={"vendorMode": {"service": "active"}}, read_status=True),
    "modeexited": Meaning(status={"vendorMode": {"service": "inactive"}}, read_status=True),
    "safedooropen": Meaning(status={"auxiliaries": {"safeDoor": "open"}}, read_status=True),
    "safedoorclosed": Meaning(status={"auxiliaries": {"safeDoor": "closed"}}, read_status=True),
}
"""Events that say all by their name, which stands here without interface and without the word Event, in lower case."""

READ: Final[Mapping[str, Callable[[_Event], Meaning]]] = {
    "statuschanged": _status_changed,
    "error": _error,
    "storagechanged": _storage,
    "storagethreshold": _storage,
    "countschanged": _storage,
    "shutterstatuschanged": _shutter,
    "itemspresented": _presented,
    "itemstaken": _taken,
    "cardaction": _card_action,
    "paperthreshold": _paper,
    "inkthreshold": _ink,
    "retractbinthreshold": _retract_bin,
    "illegalkeyaccess": _illegal_key,
    "auxiliarystatus": _auxiliaries,
}
"""Events whose payload matters, named in the same way."""


def read_event(message: Message, complaints: Complaints) -> Meaning:
    """Read an unsolicited event; one that this driver has no row for means nothing."""
    name = message.short_name
    if name in FIXED:
        return FIXED[name]
    return READ[name](_Event(message.payload, complaints)) if name in READ else Meaning()
