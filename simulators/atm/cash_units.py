"""Cassettes and bins: where notes are, and how they say it (opening count, what came in, what went out)."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(slots=True)
class Cassette:
    """A cassette that notes are dispensed from.

    The count is never stored: it is the opening count plus what was deposited minus everything that left, by where it
    went, as in the machines themselves.

    Attributes:
        number: place in the safe, from 1.
        serial: serial number of the box.
        capacity: notes it can hold.
        low_threshold: below so many notes it is low.
        initial: notes at the last replenishment.
        seated: it is in its slot.
        stacked: notes on the intermediate stacker.
        presented: notes that were within a customer's reach.
        rejected: notes sent to the reject bin.
        in_transport: notes stuck in the transport.
        unknown: notes a technician took out by hand.
        face_value: value of a note in the currency's unit.
        deposited: notes that customers put in and that went into it.
        recycles: customers' notes go into it.
    """

    number: int
    serial: str
    capacity: int
    low_threshold: int
    initial: int
    seated: bool = True
    stacked: int = 0
    presented: int = 0
    rejected: int = 0
    in_transport: int = 0
    unknown: int = 0
    face_value: int = 100
    deposited: int = 0
    recycles: bool = False

    @property
    def gone(self) -> int:
        """Notes that left it since the last replenishment."""
        return self.stacked + self.presented + self.rejected + self.in_transport + self.unknown

    @property
    def count(self) -> int:
        """Notes in it."""
        return self.initial + self.deposited - self.gone

    @property
    def room(self) -> int:
        """Notes that could still be put in."""
        return self.capacity - self.count if self.recycles and self.seated else 0

    @property
    def replenishment(self) -> str:
        """Fill state in the standard's words."""
        if self.count == 0:
            return "empty"
        if self.recycles and self.count >= self.capacity:
            return "full"
        return "low" if self.count < self.low_threshold else "ok"

    def pick(self) -> None:
        """Move one note to the stacker.

        Raises:
            ValueError: it is empty.
        """
        if self.count == 0:
            raise ValueError(f"cassette {self.number}: no note to pick")
        self.stacked += 1

    def set_initial(self, notes: int) -> int:
        """Replenish: forget what left and begin with so many notes.

        Only between dispenses: notes under way would be forgotten as well.

        Returns:
            Notes that were in it before.

        Raises:
            ValueError: more than fit, fewer than none, or notes are under way.
        """
        if not 0 <= notes <= self.capacity:
            raise ValueError(f"cassette {self.number}: {notes} notes, expected 0 to {self.capacity}")
        if self.stacked or self.in_transport:
            raise ValueError(f"cassette {self.number}: {self.stacked + self.in_transport} of its notes are under way")
        before = self.count
        self.initial = notes
        self.presented = self.rejected = self.unknown = self.deposited = 0
        return before

    def leave(self, notes: int) -> int:
        """Take notes out by hand until so many are left, and correct the opening count accordingly.

        Returns:
            Notes taken out, 0 where no more than that were in it.
        """
        surplus = max(0, self.count - notes)
        self.initial -= surplus
        return surplus


class BinPurpose(StrEnum):
    """What a bin collects."""

    REJECT = "reject"
    RETRACT = "cashOutRetract"
    DEPOSIT = "cashIn"
    DEPOSIT_RETRACT = "cashInRetract"


@dataclass(slots=True)
class Bin:
    """A bin that notes fall into.

    Attributes:
        number: place in the safe, after the cassettes.
        purpose: what it collects.
        capacity: notes it can hold.
        high_threshold: from so many notes it is nearly full.
        reserve: places kept for the bunch that may come next; fewer free ones mean full.
        most_operations: retracts it can hold, ``None`` where only notes count.
        notes: notes in it.
        operations: retracts since it was emptied.
        suspect: of the notes, those that may be forged.
    """

    number: int
    purpose: BinPurpose
    capacity: int
    high_threshold: int
    reserve: int
    most_operations: int | None = None
    notes: int = 0
    operations: int = 0
    suspect: int = 0

    @property
    def full(self) -> bool:
        """Nothing more goes in."""
        too_often = self.most_operations is not None and self.operations >= self.most_operations
        return self.notes > self.capacity - self.reserve or too_often

    @property
    def replenishment(self) -> str:
        """Fill state in the standard's words."""
        if self.full:
            return "full"
        if self.notes >= self.high_threshold:
            return "high"
        return "ok" if self.notes else "empty"

    def empty(self) -> int:
        """Take everything out; returns how many notes."""
        notes, self.notes, self.operations, self.suspect = self.notes, 0, 0, 0
        return notes


@dataclass(slots=True)
class Ledger:
    """Notes that entered and left the machine, for the balance that must always hold."""

    loaded: int = 0
    unloaded: int = 0
    taken: int = 0
    removed_by_hand: int = 0
    brought: int = 0
