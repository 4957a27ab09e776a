"""The A4 printer of a terminal: toner, paper, jams."""

import random
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

TONER_PAGES: Final = 3000
TRAY_SHEETS: Final = 250
LOW_SHARE: Final = 0.1
"""Pages of a cartridge, sheets of a tray, and the share at which both are low. Source: assumed."""

_JAM_PER_PAGE: Final = 1 / 4000


class ErrorBit(IntEnum):
    """Conditions by the bit they have in hrPrinterDetectedErrorState. Source: RFC 2790."""

    LOW_PAPER = 0
    NO_PAPER = 1
    LOW_TONER = 2
    NO_TONER = 3
    DOOR_OPEN = 4
    JAMMED = 5
    OFFLINE = 6
    SERVICE_REQUESTED = 7
    INPUT_TRAY_EMPTY = 13


@dataclass(slots=True)
class OfficePrinter:
    """A laser printer with one cartridge and one tray.

    Attributes:
        serial: serial number.
        toner_pages: pages the cartridge is still good for.
        sheets: in the tray.
        pages: printed in its life.
        jammed: a sheet sticks.
        door_open: somebody works at it.
        printing: a job is under way.
    """

    serial: str
    toner_pages: int = TONER_PAGES
    sheets: int = TRAY_SHEETS
    pages: int = 0
    jammed: bool = False
    door_open: bool = False
    printing: bool = False

    @property
    def works(self) -> bool:
        """It can print a page."""
        return self.toner_pages > 0 and self.sheets > 0 and not (self.jammed or self.door_open)

    def errors(self) -> list[ErrorBit]:
        """What it complains of, by rising bit."""
        wrong = []
        if self.sheets == 0:
            wrong += [ErrorBit.NO_PAPER]
        elif self.sheets < TRAY_SHEETS * LOW_SHARE:
            wrong += [ErrorBit.LOW_PAPER]
        if self.toner_pages == 0:
            wrong += [ErrorBit.NO_TONER]
        elif self.toner_pages < TONER_PAGES * LOW_SHARE:
            wrong += [ErrorBit.LOW_TONER]
        if self.door_open:
            wrong += [ErrorBit.DOOR_OPEN]
        if self.jammed:
            wrong += [ErrorBit.JAMMED]
        if self.sheets == 0:
            wrong += [ErrorBit.INPUT_TRAY_EMPTY]
        return wrong

    def print(self, pages: int, chance: random.Random) -> int:
        """Print a job; returns how many pages came out before it stopped."""
        done = 0
        while done < pages and self.works:
            self.sheets -= 1
            if chance.random() < _JAM_PER_PAGE:
                self.jammed = True
                break
            self.toner_pages -= 1
            self.pages += 1
            done += 1
        return done

    def service(self) -> None:
        """Take out what sticks, fill the tray, and change a cartridge that runs low."""
        self.jammed = self.door_open = False
        self.sheets = TRAY_SHEETS
        if self.toner_pages < TONER_PAGES * LOW_SHARE:
            self.toner_pages = TONER_PAGES
