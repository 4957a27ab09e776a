"""The whole machine: its modules, what happens in them, and a witness that counts it."""

import random
from dataclasses import dataclass

from simulators.atm.cabinet import Cabinet
from simulators.atm.card_reader import CardReader
from simulators.atm.cash_units import Cassette
from simulators.atm.dispenser import Dispenser
from simulators.atm.happenings import (
    CardInserted,
    CardRetained,
    Happening,
    ModuleFailed,
    NotesPresented,
    NotesRetracted,
    NotesTaken,
    ReceiptPrinted,
)
from simulators.atm.receipt_printer import ReceiptPrinter

FILL_SHARE = 0.8
"""A dispensing cassette is filled to this share of its capacity."""

_HARDWARE_ERROR_AFTER_MS = 60_000
_HARDWARE_ERROR_SHARE = 0.3


@dataclass(slots=True)
class Witness:
    """What really happened, counted in the model; a monitor's figures can be held against it."""

    visits: int = 0
    turned_away: int = 0
    presents: int = 0
    notes_presented: int = 0
    notes_taken: int = 0
    retracts: int = 0
    cards_inserted: int = 0
    cards_retained: int = 0
    receipts_printed: int = 0
    errors: int = 0


@dataclass(slots=True)
class PinPad:
    """The encrypting PIN pad.

    Attributes:
        encryption_state: of its key memory, in the standard's words.
        busy: somebody types.
    """

    encryption_state: str = "ready"
    busy: bool = False

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        return "deviceBusy" if self.busy else "online"


class Machine:
    """A dispenser-only ATM with four cassettes of CNY 100.

    Pure: time and chance come from outside, and what happens gathers in :meth:`drain`.

    Args:
        chance: random source of everything that goes wrong in it.
        cassettes: how many.
        capacity: notes a cassette holds.
        low_threshold: notes below which a cassette is low.
        hardware_error_share: share of jams after which the dispenser gives up, 0 to 1.
    """

    def __init__(
        self,
        chance: random.Random,
        *,
        cassettes: int = 4,
        capacity: int = 2500,
        low_threshold: int = 200,
        hardware_error_share: float = _HARDWARE_ERROR_SHARE,
    ) -> None:
        self.witness = Witness()
        self._happenings: list[Happening] = []
        self._chance = chance
        self._hardware_error_share = hardware_error_share
        self._gives_up_at_ms: int | None = None
        self._was_jammed = False
        self.fill_notes = round(capacity * FILL_SHARE)
        serial = chance.randrange(10**6)
        boxes = [
            Cassette(number, f"C{serial:06d}{number}", capacity, low_threshold, self.fill_notes)
            for number in range(1, cassettes + 1)
        ]
        self.dispenser = Dispenser(boxes, chance, self._report)
        self.card_reader = CardReader(self._report)
        self.pin_pad = PinPad()
        self.printer = ReceiptPrinter(self._report)
        self.cabinet = Cabinet(self._report)
        self.serial = f"{serial:06d}"

    @property
    def attended(self) -> bool:
        """A person of the bank or the maker has it, or is about to."""
        cabinet = self.cabinet
        return cabinet.operator_switch != "run" or cabinet.vendor_mode != "inactive" or self.dispenser.exchange_active

    def tick(self, now_ms: int) -> None:
        """Let time pass: some time after a jam the dispenser may give up and call itself broken."""
        jammed = self.dispenser.jammed
        if jammed and not self._was_jammed and self._chance.random() < self._hardware_error_share:
            self._gives_up_at_ms = now_ms + _HARDWARE_ERROR_AFTER_MS
        if not jammed:
            self._gives_up_at_ms = None
        self._was_jammed = jammed
        if self._gives_up_at_ms is not None and now_ms >= self._gives_up_at_ms:
            self.dispenser.hardware_error = True
            self._gives_up_at_ms = None

    def drain(self) -> list[Happening]:
        """Take what happened since the last call, in order."""
        happened, self._happenings = self._happenings, []
        return happened

    def _report(self, happening: Happening) -> None:
        self._happenings.append(happening)
        witness = self.witness
        match happening:
            case NotesPresented(notes):
                witness.presents += 1
                witness.notes_presented += notes
            case NotesTaken(notes):
                witness.notes_taken += notes
            case NotesRetracted():
                witness.retracts += 1
            case CardInserted():
                witness.cards_inserted += 1
            case CardRetained():
                witness.cards_retained += 1
            case ReceiptPrinted():
                witness.receipts_printed += 1
            case ModuleFailed():
                witness.errors += 1
