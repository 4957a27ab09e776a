"""The cash dispenser: picks notes, rejects some, wears, jams, presents, retracts."""

import random
from collections.abc import Sequence
from enum import StrEnum

from simulators.atm.acceptor import Acceptor
from simulators.atm.cash_units import Bin, BinPurpose, Cassette, Ledger
from simulators.modules.happenings import (
    Module,
    ModuleFailed,
    NotesPresented,
    NotesRetracted,
    NotesTaken,
    Remedy,
    Report,
    ShutterMoved,
)
from simulators.modules.wear import Wear

NOTES_PER_DISPENSE = 40
"""Most notes of one bunch. Source: Genmega G2500 manual."""

_HARD_JAM_MEAN_NOTES = 120_000
_HARD_JAM_SHAPE = 1.3
_SOFT_JAM_PER_NOTE = 1 / 40_000
_REJECT_PER_NOTE = 0.004
_REJECT_GROWTH_PER_NOTE = 0.001 / 10_000
_SHUTTER_SHARE = 0.08
_SHUTTER_JAMMED = ("jammedOpen", "jammedPartiallyOpen", "jammedClosed", "jammedUnknown")


class Stacking(StrEnum):
    """How an attempt to stack notes ended."""

    STACKED = "stacked"
    NOT_ENOUGH = "not_enough"  # the cassettes hold fewer notes
    JAMMED = "jammed"  # it jammed while picking
    OUT_OF_ORDER = "out_of_order"  # it was broken, blocked or in the crew's hands before


class Dispenser:
    """Cassettes, stacker, transport, shutter and bins.

    Args:
        cassettes: in the order they are emptied.
        chance: random source of rejects and jams.
        report: told what happens.
        ledger: notes that entered and left the machine; what the cassettes hold is entered here.
        acceptor: where it recycles what customers put in, ``None`` where it only dispenses.
    """

    def __init__(
        self,
        cassettes: Sequence[Cassette],
        chance: random.Random,
        report: Report,
        ledger: Ledger,
        acceptor: Acceptor | None = None,
    ) -> None:
        self.cassettes = tuple(cassettes)
        self.acceptor = acceptor
        after = len(self.cassettes)
        self.reject_bin = Bin(
            after + 1, BinPurpose.REJECT, capacity=300, high_threshold=200, reserve=NOTES_PER_DISPENSE
        )
        self.retract_bin = Bin(
            after + 2,
            BinPurpose.RETRACT,
            capacity=200,
            high_threshold=120,
            reserve=NOTES_PER_DISPENSE,
            most_operations=20,
        )
        self.wear = Wear(_HARD_JAM_MEAN_NOTES, _HARD_JAM_SHAPE)
        self.shutter = "closed"
        self.transport = "ok"
        self.at_output = 0
        self.exchange_active = False
        self.hardware_error = False
        self.busy = False
        self.trap = False
        self.trapped = 0
        self.unplugged = False
        self.poor_notes_share = 0.0
        self.ledger = ledger
        ledger.loaded += sum(cassette.count for cassette in self.cassettes)
        self._chance = chance
        self._report = report

    # -- what can be seen ----------------------------------------------------------------------------------------------

    @property
    def in_stacker(self) -> int:
        """Notes on the intermediate stacker."""
        return sum(cassette.stacked for cassette in self.cassettes)

    @property
    def in_transport(self) -> int:
        """Notes stuck in the transport."""
        return sum(cassette.in_transport for cassette in self.cassettes)

    @property
    def available(self) -> int:
        """Notes that could be dispensed."""
        return sum(cassette.count for cassette in self.cassettes if cassette.seated)

    @property
    def shutter_jammed(self) -> bool:
        return self.shutter in _SHUTTER_JAMMED

    @property
    def jammed(self) -> bool:
        """Notes or shutter are stuck."""
        return self.transport != "ok" or self.shutter_jammed

    @property
    def blocked(self) -> bool:
        """Dispensing is impossible, whatever the cassettes hold."""
        broken = self.jammed or self.hardware_error or self.unplugged
        return broken or self.reject_bin.full or self.retract_bin.full

    @property
    def readiness(self) -> str:
        """``ok``, ``attention`` or ``stop``, as the machine sums itself up."""
        if self.blocked or self.available == 0:
            return "stop"
        cassettes_fine = all(cassette.seated and cassette.replenishment == "ok" for cassette in self.cassettes)
        bins_fine = not any(box.replenishment in {"high", "full"} for box in (self.reject_bin, self.retract_bin))
        return "ok" if cassettes_fine and bins_fine else "attention"

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        if self.unplugged:
            return "offline"
        if self.hardware_error:
            return "hardwareError"
        return "deviceBusy" if self.busy else "online"

    def balance(self) -> int:
        """Notes unaccounted for: 0, or the model has lost or invented money."""
        inside = sum(cassette.count for cassette in self.cassettes) + self.in_stacker + self.in_transport
        inside += self.at_output + self.trapped + self.reject_bin.notes + self.retract_bin.notes
        if self.acceptor is not None:
            inside += self.acceptor.inside
        left = self.ledger.unloaded + self.ledger.taken + self.ledger.removed_by_hand
        return self.ledger.loaded + self.ledger.brought - inside - left

    # -- what customers make it do -------------------------------------------------------------------------------------

    def stack(self, notes: int) -> Stacking:
        """Pick notes onto the stacker.

        Args:
            notes: 1 to 40.

        Raises:
            ValueError: more notes than one bunch has.
        """
        if not 1 <= notes <= NOTES_PER_DISPENSE:
            raise ValueError(f"dispense of {notes} notes, expected 1 to {NOTES_PER_DISPENSE}")
        if self.blocked or self.exchange_active or self.in_stacker or self.at_output:
            return Stacking.OUT_OF_ORDER
        if notes > self.available:
            return Stacking.NOT_ENOUGH
        while self.in_stacker < notes:
            cassette = self._next_cassette()
            if cassette is None or self.reject_bin.full:
                self.reject_stacked()
                return Stacking.NOT_ENOUGH if cassette is None else Stacking.OUT_OF_ORDER
            self._pick(cassette)
            if self.jammed:
                return Stacking.JAMMED
        return Stacking.STACKED

    def present(self) -> int:
        """Open the shutter and hold the stacked notes out; returns how many, 0 where that cannot be done."""
        notes = self.in_stacker
        if self.jammed or notes == 0:
            return 0
        for cassette in self.cassettes:
            cassette.presented += cassette.stacked
            cassette.stacked = 0
        self.at_output = notes
        self.shutter = "open"
        self._report(ShutterMoved("open"))
        self._report(NotesPresented(notes))
        return notes

    def take(self) -> int:
        """The customer takes what is held out; returns how many notes, 0 where a trap holds them."""
        if self.trap:
            return 0
        notes, self.at_output = self.at_output, 0
        if notes:
            self.ledger.taken += notes
            self._report(NotesTaken(notes))
            if not self.shutter_jammed:
                self._close_shutter()
        return notes

    def retract(self) -> int:
        """Draw in what nobody took; returns how many notes, 0 where the shutter is stuck over them or a trap holds them.

        A retract that brings nothing back counts as one: the bin's mechanism has moved.
        """
        if not self.at_output or self.shutter_jammed:
            return 0
        notes, self.at_output = self.at_output, 0
        self.retract_bin.operations += 1
        if self.trap:
            self.trapped += notes
            text = "retract failed, notes missing at sensor S3"
            self._report(ModuleFailed(Module.DISPENSER, Remedy.SECURITY, text))
            notes = 0
        self.retract_bin.notes += notes
        self._report(NotesRetracted(notes))
        self._close_shutter()
        return notes

    def reject_stacked(self) -> None:
        """Send the stacked notes to the reject bin."""
        for cassette in self.cassettes:
            self.reject_bin.notes += cassette.stacked
            cassette.rejected += cassette.stacked
            cassette.stacked = 0

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def jam_notes(self) -> None:
        """Notes stick in the transport: those under way, or else one that is just being picked."""
        if self.transport != "ok":
            return
        cassette = self._next_cassette()
        if self.in_stacker == 0 and cassette is not None:
            cassette.pick()
        for held in self.cassettes:
            held.in_transport += held.stacked
            held.stacked = 0
        self.transport = "inoperative"
        self._report(
            ModuleFailed(Module.DISPENSER, Remedy.BRANCH_STAFF, "note jam in the transport, sensor S7 covered")
        )

    def jam_shutter(self) -> None:
        """The output shutter sticks where it is."""
        if self.shutter_jammed:
            return
        self.shutter = "jammedOpen" if self.shutter == "open" else "jammedClosed"
        self._report(ModuleFailed(Module.DISPENSER, Remedy.ENGINEER, f"output shutter {self.shutter}, motor stalled"))
        self._report(ShutterMoved(self.shutter))

    def unplug(self) -> None:
        """Somebody pulls its cable and connects a computer of his own."""
        self.unplugged = True

    def _pick(self, cassette: Cassette) -> None:
        cassette.pick()
        if self.wear.fails(self._chance):
            if self._chance.random() < _SHUTTER_SHARE:
                self.jam_shutter()
            else:
                self.jam_notes()
            return
        soft_jam = self._chance.random() < _SOFT_JAM_PER_NOTE
        if soft_jam:
            self._report(ModuleFailed(Module.DISPENSER, Remedy.NOBODY, "pick retried, note skewed"))
        reject_share = _REJECT_PER_NOTE + _REJECT_GROWTH_PER_NOTE * self.wear.operations + self.poor_notes_share
        if soft_jam or self._chance.random() < reject_share:
            cassette.stacked -= 1
            cassette.rejected += 1
            self.reject_bin.notes += 1

    # -- what the crew does --------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Take stuck and stacked notes out by hand, free the shutter, clean the note path."""
        for cassette in self.cassettes:
            under_way = cassette.in_transport + cassette.stacked
            cassette.unknown += under_way
            cassette.in_transport = cassette.stacked = 0
            self.ledger.removed_by_hand += under_way
        self.ledger.removed_by_hand += self.at_output + self.trapped
        self.at_output = self.trapped = 0
        self.trap = self.unplugged = False
        self.transport = "ok"
        self.hardware_error = False
        self._close_shutter()
        self.wear.service()

    def test(self) -> int:
        """Pick one note of each cassette into the reject bin; returns how many notes moved."""
        moved = 0
        for cassette in self.cassettes:
            if not self.blocked and cassette.seated and cassette.count:
                cassette.pick()
                self.reject_stacked()
                moved += 1
        return moved

    def pull_cassettes(self) -> None:
        """Take the cassettes out of their slots."""
        for cassette in self.cassettes:
            cassette.seated = False

    def insert_cassettes(self, notes: int) -> None:
        """Put cassettes with so many notes each in, and empty the bins; notes under way are taken out first."""
        if self.in_stacker or self.in_transport or self.at_output:
            self.clear()
        for cassette in self.cassettes:
            self.ledger.unloaded += cassette.set_initial(notes)
            self.ledger.loaded += notes
            cassette.seated = True
        self.ledger.unloaded += self.reject_bin.empty() + self.retract_bin.empty()
        if self.acceptor is not None:
            self.acceptor.empty()
        self.poor_notes_share = 0.0

    def leave(self, cassette: Cassette, notes: int) -> None:
        """Leave only so many notes in a cassette, as after a short replenishment."""
        self.ledger.unloaded += cassette.leave(notes)

    def _next_cassette(self) -> Cassette | None:
        return next((cassette for cassette in self.cassettes if cassette.seated and cassette.count), None)

    def _close_shutter(self) -> None:
        if self.shutter != "closed":
            self.shutter = "closed"
            self._report(ShutterMoved("closed"))
