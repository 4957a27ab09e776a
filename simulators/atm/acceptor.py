"""The cash acceptor of a recycler: checks notes, holds them in escrow, stores or returns them."""

import random
from collections.abc import Sequence
from typing import Final

from simulators.atm.cash_units import Bin, BinPurpose, Cassette, Ledger
from simulators.modules.happenings import (
    DepositRetracted,
    Module,
    ModuleFailed,
    NotesInserted,
    Remedy,
    Report,
    ShutterMoved,
)

NOTES_PER_DEPOSIT: Final = 100
"""Most notes of one bundle. Source: recyclers' data sheets."""

_RETURNED_PER_NOTE: Final = 0.01
_SUSPECT_PER_NOTE: Final = 1 / 20_000
_OPENING: Final = "inDefault"


class Acceptor:
    """Input, validator, escrow, and the boxes behind them.

    Args:
        recyclers: cassettes of the dispenser that take notes in; filled first.
        first_number: place in the safe of its own two boxes.
        chance: random source of what is returned.
        report: told what happens.
        ledger: notes that entered and left the machine.

    Attributes:
        deposit_box: what the recyclers have no room for, and what may be forged.
        retract_bin: notes handed back that nobody took.
        shutter: ``open``, ``closed`` or ``jammedClosed``.
        transport: ``ok`` or ``inoperative``.
        reader_works: the note validator works.
        escrow: notes held until the customer has confirmed.
        at_input: notes handed back.
    """

    def __init__(
        self, recyclers: Sequence[Cassette], first_number: int, chance: random.Random, report: Report, ledger: Ledger
    ) -> None:
        self.deposit_box = Bin(
            first_number, BinPurpose.DEPOSIT, capacity=2500, high_threshold=2000, reserve=NOTES_PER_DEPOSIT
        )
        self.retract_bin = Bin(
            first_number + 1,
            BinPurpose.DEPOSIT_RETRACT,
            capacity=200,
            high_threshold=120,
            reserve=NOTES_PER_DEPOSIT,
            most_operations=20,
        )
        self.shutter = "closed"
        self.transport = "ok"
        self.reader_works = True
        self.escrow = 0
        self.at_input = 0
        self.in_transport = 0
        self._suspect = 0
        self._recyclers = recyclers
        self._chance = chance
        self._report = report
        self._ledger = ledger

    @property
    def inside(self) -> int:
        """Notes in it; those in recycling cassettes belong to the dispenser."""
        held = self.escrow + self.at_input + self.in_transport
        return held + self.deposit_box.notes + self.retract_bin.notes

    @property
    def readiness(self) -> str:
        """``ok``, ``attention`` or ``stop``, as the machine sums itself up."""
        broken = self.transport != "ok" or self.shutter == "jammedClosed" or not self.reader_works
        if broken or self.deposit_box.full or self.retract_bin.full:
            return "stop"
        high = any(box.replenishment == "high" for box in (self.deposit_box, self.retract_bin))
        return "attention" if high else "ok"

    def open(self) -> bool:
        """Open the shutter for a customer; returns whether it takes deposits now."""
        if self.readiness == "stop" or self.escrow or self.at_input:
            return False
        self._move("open")
        return True

    def insert(self, notes: int) -> int:
        """A bundle goes in and is checked; returns how many notes went into escrow.

        Raises:
            ValueError: more notes than one bundle has.
        """
        if not 1 <= notes <= NOTES_PER_DEPOSIT:
            raise ValueError(f"deposit of {notes} notes, expected 1 to {NOTES_PER_DEPOSIT}")
        self._move("closed")
        if self.transport != "ok":
            return 0
        self._ledger.brought += notes
        self._report(NotesInserted(notes))
        returned = sum(self._chance.random() < _RETURNED_PER_NOTE for _ in range(notes))
        self.at_input = returned
        self.escrow = notes - returned
        self._suspect = sum(self._chance.random() < _SUSPECT_PER_NOTE for _ in range(self.escrow))
        return self.escrow

    def store(self) -> None:
        """The customer confirmed: what is in escrow goes into the boxes."""
        if self.transport != "ok":
            return
        suspect, self._suspect = self._suspect, 0
        good = self.escrow - suspect
        self.escrow = 0
        for cassette in self._recyclers:
            taken = min(good, cassette.room)
            cassette.deposited += taken
            good -= taken
        self.deposit_box.notes += good + suspect
        self.deposit_box.suspect += suspect

    def roll_back(self) -> None:
        """The customer thought better of it: what is in escrow is handed back."""
        if self.transport == "ok":
            self.at_input += self.escrow
            self.escrow = self._suspect = 0

    def hand_back(self, *, taken: bool) -> None:
        """The customer takes what was handed back, or leaves it to be retracted."""
        notes = self.at_input
        if not notes or self.shutter == "jammedClosed":
            return
        self.at_input = 0
        self._move("open")
        if taken:
            self._ledger.taken += notes
        else:
            self.retract_bin.notes += notes
            self.retract_bin.operations += 1
            self._report(DepositRetracted(notes))
        self._move("closed")

    def jam(self) -> None:
        """Notes stick on their way in; what is in escrow sticks with them."""
        if self.transport == "ok":
            self.transport = "inoperative"
            self.in_transport, self.escrow, self._suspect = self.escrow, 0, 0
            text = "note jam at the validator, sensor S12 covered"
            self._report(ModuleFailed(Module.DISPENSER, Remedy.BRANCH_STAFF, text))

    def blind(self) -> None:
        """The validator fails."""
        if self.reader_works:
            self.reader_works = False
            self._report(ModuleFailed(Module.DISPENSER, Remedy.ENGINEER, "note validator does not calibrate"))

    def clear(self) -> None:
        """Take stuck notes out by hand, clean the path, set the validator right."""
        held = self.in_transport + self.escrow + self.at_input
        self.in_transport = self.escrow = self.at_input = self._suspect = 0
        self._ledger.removed_by_hand += held
        self.transport = "ok"
        self.reader_works = True
        self._move("closed")

    def empty(self) -> None:
        """The cash crew empties its boxes."""
        self.clear()
        self._ledger.unloaded += self.deposit_box.empty() + self.retract_bin.empty()

    def _move(self, position: str) -> None:
        if self.shutter != position:
            self.shutter = position
            self._report(ShutterMoved(position, _OPENING))
