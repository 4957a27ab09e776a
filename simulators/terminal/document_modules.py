"""Modules a terminal has beside those of an ATM: card stock, passbook printer, scanners, fingerprint unit."""

import random
from dataclasses import dataclass
from typing import Final

from simulators.modules.happenings import InkReached, Module, ModuleFailed, Remedy, Report

STOCK_CARDS: Final = 200
STOCK_LOW: Final = 30
"""Blank cards of a full stock, and below how many it is low. Source: assumed."""

RIBBON_LINES: Final = 20_000
_RIBBON_LOW: Final = RIBBON_LINES // 10
_LINES_PER_PASSBOOK: Final = 6
_PASSBOOK_JAM: Final = 1 / 1500


@dataclass(slots=True)
class CardStock:
    """Blank cards that are issued.

    Attributes:
        cards: left.
        initial: put in at the last filling.
    """

    cards: int = STOCK_CARDS
    initial: int = STOCK_CARDS

    @property
    def replenishment(self) -> str:
        """Fill state in the standard's words."""
        if self.cards == 0:
            return "empty"
        return "low" if self.cards < STOCK_LOW else "ok"

    def issue(self) -> bool:
        """Take one; returns whether there was one."""
        if self.cards == 0:
            return False
        self.cards -= 1
        return True

    def fill(self) -> None:
        """Fill it up."""
        self.cards = self.initial = STOCK_CARDS


@dataclass(slots=True)
class PassbookPrinter:
    """Prints into passbooks with a ribbon.

    Attributes:
        report: told what happens.
        media: the passbook in it, in the standard's words.
        lines: left on the ribbon.
    """

    report: Report
    media: str = "notPresent"
    lines: int = RIBBON_LINES

    @property
    def ink(self) -> str:
        """Level of the ribbon in the standard's words; ``full`` means there is enough."""
        if self.lines == 0:
            return "out"
        return "low" if self.lines < _RIBBON_LOW else "full"

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        return "deviceBusy" if self.media == "present" else "online"

    def insert(self) -> bool:
        """A customer puts a passbook in; returns whether it was taken."""
        if self.media != "notPresent" or self.lines == 0:
            return False
        self.media = "present"
        return True

    def print(self, chance: random.Random) -> bool:
        """Print some lines; returns whether that worked."""
        if self.media != "present":
            return False
        if chance.random() < _PASSBOOK_JAM:
            self.jam()
            return False
        self.set_lines(max(0, self.lines - _LINES_PER_PASSBOOK))
        return True

    def give_back(self) -> None:
        """The customer takes the passbook."""
        if self.media == "present":
            self.media = "notPresent"

    def jam(self) -> None:
        """The passbook sticks."""
        if self.media != "jammed":
            self.media = "jammed"
            text = "passbook jammed under the print head"
            self.report(ModuleFailed(Module.PASSBOOK_PRINTER, Remedy.BRANCH_STAFF, text))

    def clear(self) -> None:
        """Take out what sticks and fit a new ribbon."""
        self.media = "notPresent"
        self.set_lines(RIBBON_LINES)

    def set_lines(self, lines: int) -> None:
        """The ribbon is good for so many lines."""
        before = self.ink
        self.lines = lines
        if self.ink != before:
            self.report(InkReached(self.ink, Module.PASSBOOK_PRINTER))


@dataclass(slots=True)
class DocumentScanner:
    """Scans a document a customer lays in.

    Attributes:
        report: told what happens.
        media: the document, in the standard's words.
        broken: its lamp or its electronics are dead.
    """

    report: Report
    media: str = "notPresent"
    broken: bool = False

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        if self.broken:
            return "hardwareError"
        return "deviceBusy" if self.media == "present" else "online"

    def insert(self) -> bool:
        """A document is laid in; returns whether it was taken."""
        if self.broken or self.media != "notPresent":
            return False
        self.media = "present"
        return True

    def give_back(self) -> None:
        """The customer takes it."""
        if self.media == "present":
            self.media = "notPresent"

    def break_down(self) -> None:
        """It dies."""
        if not self.broken:
            self.broken = True
            self.media = "notPresent"
            self.report(ModuleFailed(Module.SCANNER, Remedy.ENGINEER, "scanner lamp does not light"))

    def swap(self) -> None:
        """Fit a new one."""
        self.broken = False


@dataclass(slots=True)
class CodeScanner:
    """Reads codes off telephones.

    Attributes:
        report: told what happens.
        on: it lights.
        broken: it is dead.
    """

    report: Report
    on: bool = False
    broken: bool = False

    @property
    def state(self) -> str:
        """Scanner state in the standard's words."""
        if self.broken:
            return "inoperative"
        return "on" if self.on else "off"

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        return "hardwareError" if self.broken else "online"

    def break_down(self) -> None:
        """It dies."""
        if not self.broken:
            self.broken = True
            self.report(ModuleFailed(Module.CODE_SCANNER, Remedy.ENGINEER, "code scanner does not answer"))


@dataclass(slots=True)
class FingerprintUnit:
    """Reads fingerprints.

    Attributes:
        finger: somebody's finger is on it.
        broken: it is dead.
    """

    finger: bool = False
    broken: bool = False

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        return "hardwareError" if self.broken else "online"
