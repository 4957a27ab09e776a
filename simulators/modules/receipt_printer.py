"""The receipt printer with its paper roll."""

import random
from dataclasses import dataclass

from simulators.modules.happenings import (
    Module,
    ModuleFailed,
    PaperReached,
    ReceiptPrinted,
    ReceiptRetracted,
    Remedy,
    Report,
    RetractedReceiptsReached,
)

RECEIPTS_PER_ROLL = 1200
LOW_RECEIPTS = RECEIPTS_PER_ROLL * 8 // 100
"""Below so many receipts the roll is low: 8 %."""

RETRACT_CAPACITY = 50
RETRACT_HIGH = 40
"""Receipts the bin of retracted ones holds, and from how many it is nearly full. Source: assumed."""

_JAM_PER_RECEIPT = 1 / 6000


@dataclass(slots=True)
class ReceiptPrinter:
    """A printer that cuts receipts from one roll.

    Attributes:
        report: told what happens.
        receipts_left: on the roll.
        media: paper in the exit, in the standard's words.
        served: its software runs; without it nobody can print.
        retracted: receipts nobody took, in their bin.
    """

    report: Report
    receipts_left: int = RECEIPTS_PER_ROLL
    media: str = "notPresent"
    served: bool = True
    retracted: int = 0

    @property
    def paper(self) -> str:
        """Level of the roll in the standard's words; ``full`` means there is enough."""
        if self.receipts_left == 0:
            return "out"
        return "low" if self.receipts_left < LOW_RECEIPTS else "full"

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        return "deviceBusy" if self.media == "present" else "online"

    @property
    def retract_level(self) -> str:
        """Fill state of the bin of retracted receipts in the standard's words."""
        if self.retracted >= RETRACT_CAPACITY:
            return "full"
        return "high" if self.retracted >= RETRACT_HIGH else "ok"

    def print(self, chance: random.Random) -> bool:
        """Print a receipt into the exit; returns whether that worked."""
        if not self.served or self.media != "notPresent" or self.receipts_left == 0:
            return False
        self._set_receipts(self.receipts_left - 1)
        if chance.random() < _JAM_PER_RECEIPT:
            self.jam()
            return False
        self.media = "present"
        self.report(ReceiptPrinted())
        return True

    def take(self) -> None:
        """The customer takes the receipt."""
        if self.media == "present":
            self.media = "notPresent"

    def retract(self) -> None:
        """Draw in a receipt nobody took; with a full bin it stays in the exit."""
        if self.media == "present" and self.retracted < RETRACT_CAPACITY:
            before = self.retract_level
            self.media = "notPresent"
            self.retracted += 1
            self.report(ReceiptRetracted())
            self._tell_bin(before)

    def empty_bin(self) -> None:
        """Take retracted receipts out."""
        before = self.retract_level
        self.retracted = 0
        self._tell_bin(before)

    def jam(self) -> None:
        """Paper sticks in the exit."""
        if self.media != "jammed":
            self.media = "jammed"
            self.report(ModuleFailed(Module.PRINTER, Remedy.BRANCH_STAFF, "paper jam at the cutter"))

    def clear(self) -> None:
        """Take stuck paper out."""
        self.media = "notPresent"

    def fit_roll(self, receipts: int = RECEIPTS_PER_ROLL) -> None:
        """Fit a roll with so many receipts on it."""
        self._set_receipts(receipts)

    def _set_receipts(self, receipts: int) -> None:
        before = self.paper
        self.receipts_left = receipts
        if self.paper != before:
            self.report(PaperReached(self.paper))

    def _tell_bin(self, before: str) -> None:
        if self.retract_level != before:
            self.report(RetractedReceiptsReached(self.retract_level))
