"""Contact ID events: what a panel has to say, in the words of the standard.

Source: SIA DC-05 (Contact ID); meanings as in the receivers' manuals.
"""

from dataclasses import dataclass
from enum import IntEnum

WHOLE_PANEL = 0
"""Partition and zone number of what concerns the panel itself."""


class Qualifier(IntEnum):
    """First digit of an event."""

    NEW = 1  # new event, or opening (disarmed)
    RESTORE = 3  # over, or closing (armed)


class Code(IntEnum):
    """Event codes this panel uses."""

    FIRE = 110
    DURESS = 121
    SILENT_HOLD_UP = 122
    BURGLARY = 130
    ENTRY_EXIT = 134
    TAMPER = 137
    SENSOR_TAMPER = 144
    GAS = 151
    WATER = 154
    MAINS_LOSS = 301
    BATTERY_LOW = 302
    RESET = 305
    PROGRAM_CHANGED = 306
    BATTERY_MISSING = 311
    SIREN = 321
    EXPANDER = 333
    RADIO_JAM = 344
    PATH_1 = 351
    PATH_2 = 352
    RADIO = 353
    ZONE_TROUBLE = 380
    DETECTOR_BATTERY = 384
    OPEN_CLOSE = 400
    OPEN_CLOSE_BY_USER = 401
    CANCEL = 406
    LATE = 452
    NOT_CLOSED = 454
    WRONG_CODE = 461
    BYPASS = 570
    MANUAL_TEST = 601
    PERIODIC_TEST = 602
    WALK_TEST = 607
    PROGRAM_ENTRY = 627
    PROGRAM_EXIT = 628


USER_CODES = frozenset(
    {
        Code.DURESS,
        Code.OPEN_CLOSE,
        Code.OPEN_CLOSE_BY_USER,
        Code.CANCEL,
        Code.LATE,
        Code.NOT_CLOSED,
        Code.WRONG_CODE,
        Code.WALK_TEST,
    }
)
"""Codes whose number is a user, not a zone."""


@dataclass(frozen=True, slots=True)
class Report:
    """One event to report.

    Attributes:
        qualifier: new or restored.
        code: what happened.
        area: partition, 0 for the whole panel.
        number: zone, or user for the codes that name one; 0 for the panel itself.
    """

    qualifier: Qualifier
    code: Code
    area: int = WHOLE_PANEL
    number: int = WHOLE_PANEL

    def block(self) -> str:
        """Write the data block: ``1130 01 003``."""
        return f"{self.qualifier:d}{self.code:03d} {self.area:02d} {self.number:03d}"


def new(code: Code, area: int = WHOLE_PANEL, number: int = WHOLE_PANEL) -> Report:
    """Report that something began."""
    return Report(Qualifier.NEW, code, area, number)


def restored(code: Code, area: int = WHOLE_PANEL, number: int = WHOLE_PANEL) -> Report:
    """Report that something is over."""
    return Report(Qualifier.RESTORE, code, area, number)
