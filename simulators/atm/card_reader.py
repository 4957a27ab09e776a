"""The card reader with its retain bin."""

import random
from dataclasses import dataclass

from simulators.atm.happenings import (
    CardInserted,
    CardRetained,
    CardTaken,
    Module,
    ModuleFailed,
    Remedy,
    Report,
)

RETAIN_CAPACITY = 40
RETAIN_HIGH = 30

_FAILED_READS_CLEAN = 0.02
_FAILED_READS_GROWTH = 0.0015 / 100
_FAILED_READS_MOST = 0.20
_ERRORS_PER_FAILED_READ = 0.1  # 0.2 % of insertions on a clean reader, growing with its dirt


@dataclass(slots=True)
class CardReader:
    """A motor reader; dirt gathers with every card.

    Attributes:
        report: told what happens.
        media: where the card is, in the standard's words.
        busy: it moves a card.
        retained: cards in the retain bin.
        insertions_since_cleaning: measure of dirt.
    """

    report: Report
    media: str = "notPresent"
    busy: bool = False
    retained: int = 0
    insertions_since_cleaning: int = 0

    @property
    def jammed(self) -> bool:
        return self.media == "jammed"

    @property
    def usable(self) -> bool:
        """A customer can put a card in."""
        return self.media == "notPresent"

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        return "deviceBusy" if self.busy else "online"

    @property
    def chip_power(self) -> str:
        """Power of the chip in the reader, in the standard's words."""
        return "online" if self.media == "present" else "noCard"

    @property
    def retain_replenishment(self) -> str:
        """Fill state of the retain bin in the standard's words."""
        if self.retained >= RETAIN_CAPACITY:
            return "full"
        if self.retained >= RETAIN_HIGH:
            return "high"
        return "ok" if self.retained else "empty"

    def failed_read_share(self) -> float:
        """Share of insertions that cannot be read, 0 to 1; grows with dirt."""
        return min(_FAILED_READS_MOST, _FAILED_READS_CLEAN + _FAILED_READS_GROWTH * self.insertions_since_cleaning)

    def insert(self) -> None:
        """A card enters."""
        self.media = "entering"
        self.busy = True
        self.insertions_since_cleaning += 1
        self.report(CardInserted())

    def read(self, chance: random.Random) -> bool:
        """Read the card that entered; returns whether that worked."""
        if self.media != "entering":
            return False
        self.media = "present"
        self.busy = False
        if chance.random() >= self.failed_read_share():
            return True
        if chance.random() < _ERRORS_PER_FAILED_READ:
            self.report(ModuleFailed(Module.CARD_READER, Remedy.NOBODY, "card transport retried"))
        return False

    def give_back(self) -> bool:
        """Hand the card out and let the customer take it; returns whether there was one to take."""
        self.busy = False
        if self.media not in {"present", "entering"}:
            return False
        self.media = "notPresent"
        self.report(CardTaken())
        return True

    def retain(self) -> bool:
        """Keep the card; returns whether it went into the bin."""
        if self.media != "present" or self.retained >= RETAIN_CAPACITY:
            return False
        self.media = "notPresent"
        self.retained += 1
        self.report(CardRetained())
        return True

    def jam(self) -> None:
        """A card sticks in the transport."""
        if not self.jammed:
            self.media = "jammed"
            self.busy = False
            self.report(ModuleFailed(Module.CARD_READER, Remedy.BRANCH_STAFF, "card jammed in the transport"))

    def clear(self) -> None:
        """Take out what sticks in it, clean the reader."""
        if self.media != "notPresent":
            self.media = "notPresent"
            self.report(CardTaken())
        self.busy = False
        self.insertions_since_cleaning = 0
