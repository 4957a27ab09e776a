"""Ademco Contact ID events and what each code does to the signals of an alarm panel, as one table.

Contact ID tells edges: qualifier 1 sets, 3 restores, 6 says "still so". A code that is not in the table changes no signal;
its event is reported all the same.

Source: ANSI/SIA DC-05 (Contact ID); codes for branches merged from panel manuals.
"""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from contracts.errors import DeviceMisbehaved

_EVENT = re.compile(r"(?:#[0-9A-Fa-f]{3,16})?\|([136])([0-9A-F]{3}) ?([0-9]{2}) ?([0-9]{3})")

MOST_AREA: Final = 99
MOST_NUMBER: Final = 999
"""Two and three digits are all there is; so what is known of a panel is bounded."""


class Qualifier(IntEnum):
    """First digit of an event."""

    NEW = 1  # set; for openings: opened
    RESTORE = 3  # restored; for openings: closed
    STATUS = 6  # set earlier, still so


@dataclass(frozen=True, slots=True)
class ContactEvent:
    """One Contact ID event.

    Attributes:
        qualifier: what happened to the condition.
        code: three digits.
        area: partition, 0 for the whole panel.
        number: zone or, for codes about people, user; 0 for the panel itself.
        wording: what the panel said where it did not say it in Contact ID.
    """

    qualifier: Qualifier
    code: str
    area: int
    number: int
    wording: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.wording or f"{self.qualifier}{self.code} {self.area:02d} {self.number:03d}"


def parse_event(data: str) -> ContactEvent:
    """Read the data block of an ``ADM-CID`` message, ``#1234|1130 01 015``.

    Raises:
        DeviceMisbehaved: it is no Contact ID event.
    """
    match = _EVENT.fullmatch(data)
    if match is None:
        raise DeviceMisbehaved(
            f"Contact ID block {data[:40]!r} cannot be read: expected #account|QEEE GG ZZZ with qualifier 1, 3 or 6; "
            "check the panel's reporting format"
        )
    qualifier, code, area, number = match.groups()
    return ContactEvent(Qualifier(int(qualifier)), code, int(area), int(number))


@dataclass(frozen=True, slots=True)
class Holds:
    """A condition that lasts from set to restore: while it does, the state signal ``path`` has ``word``."""

    path: str
    word: str


@dataclass(frozen=True, slots=True)
class Ends:
    """The event ends the conditions another code began."""

    code: str


@dataclass(frozen=True, slots=True)
class Bypasses:
    """A zone, or with ``group`` an area's group of zones, is left out until restored."""

    group: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """Each event that is no restore adds one to the counter ``path``."""

    path: str


@dataclass(frozen=True, slots=True)
class Tells:
    """Each event that is no restore is told by the event signal ``path``."""

    path: str


@dataclass(frozen=True, slots=True)
class Operates:
    """Somebody opened (1) or closed (3) the area; ``armed_word`` is the arming state after closing, ``None`` for neither."""

    armed_word: str | None


@dataclass(frozen=True, slots=True)
class Deviates:
    """The panel's own schedule was not kept: word for an opening (1) and for a closing (3)."""

    opening_word: str
    closing_word: str


Effect: TypeAlias = Holds | Ends | Bypasses | Counts | Tells | Operates | Deviates

_ALARM: Final = "zone{n}/alarm"

_ROWS: Final[tuple[tuple[str, Effect], ...]] = (
    # alarms in a zone
    ("100 101", Holds(_ALARM, "medical")),
    ("110 111 112 113 114 115 117 118", Holds(_ALARM, "fire")),
    ("120 122 123", Holds(_ALARM, "holdUp")),
    ("130 131 132 133 134 135 136 138 146", Holds(_ALARM, "burglary")),
    ("139", Holds(_ALARM, "burglaryConfirmed")),
    ("140 150", Holds(_ALARM, "general")),
    ("151", Holds(_ALARM, "gas")),
    ("154", Holds(_ALARM, "water")),
    ("158", Holds(_ALARM, "heat")),
    ("159", Holds(_ALARM, "cold")),
    ("162", Holds(_ALARM, "co")),
    # people under threat: the number is a user
    ("121 124 125", Tells("area{n}/duress")),
    # detectors
    ("144 383", Holds("zone{n}/tamper", "tamper")),
    ("373 380", Holds("zone{n}/trouble", "trouble")),
    ("147 381", Holds("zone{n}/supervision", "trouble")),
    ("384", Holds("zone{n}/battery", "low")),
    ("570 571 572 573", Bypasses()),
    ("574", Bypasses(group=True)),
    # the panel
    ("301", Holds("panel/ac_power", "loss")),
    ("302", Holds("panel/battery", "low")),
    ("309", Holds("panel/battery", "testFailed")),
    ("311", Holds("panel/battery", "missing")),
    ("337", Holds("panel/power_supply", "trouble")),
    ("312", Holds("panel/power_supply", "overcurrent")),
    ("300 303 304 307 308 310", Holds("panel/system", "trouble")),
    ("143 330 333 338 342 382", Holds("panel/expander", "trouble")),
    ("137 145 341", Holds("panel/tamper", "tamper")),
    ("320 321 322", Holds("panel/siren", "trouble")),
    ("344", Holds("panel/rf_jam", "jam")),
    ("627", Holds("panel/programming", "active")),
    ("628", Ends("627")),
    ("607", Holds("panel/walk_test", "active")),
    ("306", Tells("panel/program_changed")),
    ("602 608", Counts("panel/tests")),
    ("601 604", Counts("panel/manual_tests")),
    ("421 461", Counts("panel/wrong_codes")),
    # paths to the receiver
    ("351", Holds("comm/telco1", "trouble")),
    ("352", Holds("comm/telco2", "trouble")),
    ("353 355", Holds("comm/radio", "trouble")),
    ("350 354 356", Holds("comm/report", "trouble")),
    # opening and closing: the number is a user
    ("400 401 402 403 404 407 408 409", Operates("armed")),
    ("441 442", Operates("armedStay")),
    ("405 406", Operates(None)),
    ("406", Counts("area{n}/cancels")),
    ("451", Deviates("earlyOpen", "earlyClose")),
    ("452", Deviates("lateOpen", "lateClose")),
    ("453", Deviates("failToOpen", "failToOpen")),
    ("454", Deviates("failToClose", "failToClose")),
    ("455", Deviates("autoArmFailed", "autoArmFailed")),
    ("374 457", Deviates("exitError", "exitError")),
)

_WITHOUT_SIGNAL: Final = (
    "102 116 119 126 129 141 142 149 152 153 155 156 157 161 163 200 201 202 203 204 205 206 305 313 314 315 316 "
    "323 324 325 326 327 331 332 334 335 336 339 343 357 370 371 372 375 376 377 378 385 386 387 388 389 390 391 "
    "392 393 411 412 413 414 415 422 423 424 425 426 427 429 430 431 432 450 456 458 459 462 463 464 465 466 501 "
    "520 521 522 530 531 532 575 576 577 603 605 606 609 611 612 613 614 615 616 621 622 623 624 625 626 629 630 "
    "631 632 641 642 651 652 653 654"
)
"""Codes that Contact ID has and that stand for no signal of a panel in a branch."""

_EVENT_ONLY: Final = frozenset(_WITHOUT_SIGNAL.split())


def _by_code() -> dict[str, tuple[Effect, ...]]:
    table: dict[str, tuple[Effect, ...]] = {}
    for codes, effect in _ROWS:
        for code in codes.split():
            table[code] = (*table.get(code, ()), effect)
    return table


EFFECTS: Final = _by_code()
"""What each code does; a code may do several things."""


def is_known(code: str) -> bool:
    """Whether Contact ID has the code."""
    return code in EFFECTS or code in _EVENT_ONLY


WORD_ORDER: Final[dict[str, tuple[str, ...]]] = {
    _ALARM: (
        "holdUp", "fire", "medical", "co", "gas", "burglaryConfirmed", "burglary", "general", "heat", "water", "cold",
    ),
    "panel/battery": ("missing", "testFailed", "low"),
    "panel/power_supply": ("overcurrent", "trouble"),
}  # fmt: skip
"""Of several conditions on one signal the first in this order speaks; danger to life before danger to things."""

REST_WORDS: Final = {
    "panel/programming": "inactive",
    "panel/walk_test": "inactive",
    "zone{n}/bypass": "unbypassed",
}
"""Word of a signal none of whose conditions holds, where it is not ``restored``."""

PANEL_ZONE: Final = 1000
"""Zone under which an alarm of zone 000, the panel itself, is shown: no panel can send it as a zone of its own."""

FOR_THE_PANEL: Final[dict[str, Holds]] = {
    "zone{n}/tamper": Holds("panel/tamper", "tamper"),
    "zone{n}/trouble": Holds("panel/system", "trouble"),
    "zone{n}/supervision": Holds("panel/expander", "trouble"),
    "zone{n}/battery": Holds("panel/system", "trouble"),
}
"""What a detector's condition means where the zone is 000, the panel itself."""
