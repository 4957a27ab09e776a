"""The whole ATM: its modules, what happens in them, and a witness that counts it."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from simulators.atm.acceptor import Acceptor
from simulators.atm.cash_units import Cassette, Ledger
from simulators.atm.dispenser import Dispenser
from simulators.atm.services import atm_services
from simulators.atm.status import cash_status
from simulators.atm.storage import cash_storage
from simulators.modules.cabinet import Cabinet
from simulators.modules.card_reader import CardReader
from simulators.modules.happenings import (
    CardInserted,
    CardRetained,
    Happening,
    Module,
    ModuleFailed,
    NotesInserted,
    NotesPresented,
    NotesRetracted,
    NotesTaken,
    ReceiptPrinted,
)
from simulators.modules.pin_pad import PinPad
from simulators.modules.power_supply import PowerSupply
from simulators.modules.receipt_printer import ReceiptPrinter
from simulators.modules.wear import Creep
from simulators.xfs4iot.message_format import Json
from simulators.xfs4iot.module_status import (
    camera_status,
    card_reader_status,
    pin_pad_status,
    receipt_printer_status,
    receipt_storage,
    retain_bin,
    sensors_status,
    vendor_mode_status,
)
from simulators.xfs4iot.service import Service

FILL_SHARE: Final = 0.8
"""A dispensing cassette is filled to this share of its capacity."""

RECYCLER_FILL_SHARE: Final = 0.45
"""A recycling cassette, so that there is room for deposits."""

_HARDWARE_ERROR_AFTER_MS: Final = 60_000
_HARDWARE_ERROR_SHARE: Final = 0.3


@dataclass(slots=True)
class Witness:
    """What really happened, counted in the model; a monitor's figures can be held against it."""

    visits: int = 0
    turned_away: int = 0
    presents: int = 0
    notes_presented: int = 0
    notes_taken: int = 0
    retracts: int = 0
    inserts: int = 0
    cards_inserted: int = 0
    cards_retained: int = 0
    receipts_printed: int = 0
    errors: int = 0


class Machine:
    """An ATM with cassettes of CNY 100; implements ``simulators.xfs4iot.service.ServedMachine``.

    Pure: time and chance come from outside, and what happens gathers in :meth:`drain`.

    Args:
        chance: random source of everything that goes wrong in it.
        cassettes: how many that dispense.
        capacity: notes a cassette holds.
        low_threshold: notes below which a cassette is low.
        hardware_error_share: share of jams after which the dispenser gives up, 0 to 1.
        recycler: it takes deposits too, and dispenses them again.
        major: message format of its services.
    """

    def __init__(
        self,
        chance: random.Random,
        *,
        cassettes: int = 4,
        capacity: int = 2500,
        low_threshold: int = 200,
        hardware_error_share: float = _HARDWARE_ERROR_SHARE,
        recycler: bool = False,
        major: int = 3,
    ) -> None:
        self.witness = Witness()
        self.model = "SIM-4R" if recycler else "SIM-4C"
        self.services: tuple[Service, ...] = atm_services(major, recycler=recycler)
        self.frozen = False
        self.rejects_creep: Creep | None = None
        self.dust_creep: Creep | None = None
        self._happenings: list[Happening] = []
        self._chance = chance
        self._hardware_error_share = hardware_error_share
        self._gives_up_at_ms: int | None = None
        self._was_jammed = False
        self.fill_notes = round(capacity * (RECYCLER_FILL_SHARE if recycler else FILL_SHARE))
        serial = chance.randrange(10**6)
        boxes = [
            Cassette(number, f"C{serial:06d}{number}", capacity, low_threshold, self.fill_notes, recycles=recycler)
            for number in range(1, cassettes + 1)
        ]
        ledger = Ledger()
        self.acceptor = Acceptor(boxes, cassettes + 3, chance, self._report, ledger) if recycler else None
        self.dispenser = Dispenser(boxes, chance, self._report, ledger, self.acceptor)
        self.card_reader = CardReader(self._report)
        self.pin_pad = PinPad(self._report)
        self.printer = ReceiptPrinter(self._report)
        self.cabinet = Cabinet(self._report)
        self.power = PowerSupply()
        self.serial = f"{serial:06d}"

    @property
    def attended(self) -> bool:
        """A person of the bank or the maker has it, or is about to."""
        cabinet = self.cabinet
        return cabinet.operator_switch != "run" or cabinet.vendor_mode != "inactive" or self.dispenser.exchange_active

    def status(self, module: Module, major: int) -> Json:
        """Payload of ``Common.Status``."""
        match module:
            case Module.DISPENSER:
                return cash_status(self.dispenser, self.cabinet, major)
            case Module.CARD_READER:
                return card_reader_status(self.card_reader, major)
            case Module.PIN_PAD:
                return pin_pad_status(self.pin_pad, major)
            case Module.PRINTER:
                return receipt_printer_status(self.printer, major)
            case Module.VENDOR_MODE:
                return vendor_mode_status(self.cabinet, major)
            case Module.CAMERA:
                return camera_status(self.cabinet, major)
        return sensors_status(self.cabinet, self.power, major)

    def storage(self, module: Module, major: int) -> Json:
        """Storage units by key."""
        match module:
            case Module.DISPENSER:
                return cash_storage(self.dispenser)
            case Module.CARD_READER:
                return retain_bin(self.card_reader)
            case Module.PRINTER:
                return receipt_storage(self.printer, major)
        return {}

    def test(self) -> int:
        """Try it after a repair: one note of each cassette into the reject bin; returns how many moved."""
        return self.dispenser.test()

    def tick(self, now_ms: int, local_at: datetime | None = None) -> None:
        """Let time pass: dust settles, batteries drain, and a jammed dispenser may give up and call itself broken.

        Args:
            now_ms: real time.
            local_at: local time of the world; without it nothing ages.
        """
        jammed = self.dispenser.jammed
        if jammed and not self._was_jammed and self._chance.random() < self._hardware_error_share:
            self._gives_up_at_ms = now_ms + _HARDWARE_ERROR_AFTER_MS
        if not jammed:
            self._gives_up_at_ms = None
        self._was_jammed = jammed
        if self._gives_up_at_ms is not None and now_ms >= self._gives_up_at_ms:
            self.dispenser.hardware_error = True
            self._gives_up_at_ms = None
        if local_at is not None:
            self._age(local_at)

    def _age(self, local_at: datetime) -> None:
        self.power.advance(local_at)
        if self.rejects_creep is not None:
            self.dispenser.poor_notes_share = self.rejects_creep.value(local_at)
        if self.dust_creep is not None:
            self.card_reader.dust_share = self.dust_creep.value(local_at)

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
            case NotesInserted():
                witness.inserts += 1
            case CardInserted():
                witness.cards_inserted += 1
            case CardRetained():
                witness.cards_retained += 1
            case ReceiptPrinted():
                witness.receipts_printed += 1
            case ModuleFailed():
                witness.errors += 1
