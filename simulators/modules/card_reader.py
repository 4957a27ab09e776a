"""The card reader with its retain bin."""

import random
from dataclasses import dataclass

from simulators.modules.happenings import (
    CardInserted,
    CardRetained,
    CardTaken,
    ErrorKind,
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
DIRTY_FAILED_READS = 0.18
"""Share of failed reads of a reader that five weeks of dust have dimmed."""

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
        dust_share: failed reads from dust beside what cards bring in, 0 to 1.
        skimmed: somebody fitted a foreign part over its mouth.
        broken: its electronics are dead.
        module: whose voice it is.
    """

    report: Report
    media: str = "notPresent"
    busy: bool = False
    retained: int = 0
    insertions_since_cleaning: int = 0
    dust_share: float = 0.0
    skimmed: bool = False
    broken: bool = False
    module: Module = Module.CARD_READER

    @property
    def jammed(self) -> bool:
        return self.media == "jammed"

    @property
    def usable(self) -> bool:
        """A customer can put a card in."""
        return self.media == "notPresent" and not self.broken

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        if self.broken:
            return "hardwareError"
        if self.skimmed:
            return "potentialFraud"
        return "deviceBusy" if self.busy else "online"

    @property
    def anti_fraud(self) -> str:
        """What its anti-skimming module sees, in the standard's words."""
        return "deviceDetected" if self.skimmed else "ok"

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
        dirt = _FAILED_READS_GROWTH * self.insertions_since_cleaning + self.dust_share
        return min(_FAILED_READS_MOST, _FAILED_READS_CLEAN + dirt)

    def insert(self) -> None:
        """A card enters."""
        self.media = "entering"
        self.busy = True
        self.insertions_since_cleaning += 1
        self.report(CardInserted(self.module))

    def read(self, chance: random.Random) -> bool:
        """Read the card that entered; returns whether that worked."""
        if self.media != "entering":
            return False
        self.media = "present"
        self.busy = False
        if chance.random() >= self.failed_read_share():
            return True
        if chance.random() < _ERRORS_PER_FAILED_READ:
            self.report(ModuleFailed(self.module, Remedy.NOBODY, "card transport retried"))
        return False

    def give_back(self) -> bool:
        """Hand the card out and let the customer take it; returns whether there was one to take."""
        self.busy = False
        if self.media not in {"present", "entering"}:
            return False
        self.media = "notPresent"
        self.report(CardTaken(self.module))
        return True

    def retain(self) -> bool:
        """Keep the card; returns whether it went into the bin."""
        if self.media != "present" or self.retained >= RETAIN_CAPACITY:
            return False
        self.media = "notPresent"
        self.retained += 1
        self.report(CardRetained(self.module))
        return True

    def jam(self) -> None:
        """A card sticks in the transport."""
        if not self.jammed:
            self.media = "jammed"
            self.busy = False
            self.report(ModuleFailed(self.module, Remedy.BRANCH_STAFF, "card jammed in the transport"))

    def skim(self) -> None:
        """Somebody fits a foreign part over the mouth."""
        if not self.skimmed:
            self.skimmed = True
            text = "foreign object at the card slot"
            self.report(ModuleFailed(self.module, Remedy.SECURITY, text, ErrorKind.FRAUD))

    def break_down(self) -> None:
        """Its electronics die."""
        if not self.broken:
            self.broken = True
            self.busy = False
            self.report(ModuleFailed(self.module, Remedy.ENGINEER, "card reader does not answer"))

    def empty_bin(self) -> int:
        """Take retained cards out; returns how many."""
        cards, self.retained = self.retained, 0
        return cards

    def clear(self) -> None:
        """Take out what sticks in it and what was fitted to it, clean the reader, swap it where it is dead."""
        self.skimmed = self.broken = False
        self.dust_share = 0.0
        if self.media != "notPresent":
            self.media = "notPresent"
            self.report(CardTaken(self.module))
        self.busy = False
        self.insertions_since_cleaning = 0
