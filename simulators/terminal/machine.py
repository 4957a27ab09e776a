"""The whole terminal: modules, computer, A4 printer, power supply, and a witness that counts."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from simulators.modules.cabinet import Cabinet
from simulators.modules.card_reader import CardReader
from simulators.modules.happenings import CardInserted, CardRetained, Happening, Module, ModuleFailed, ReceiptPrinted
from simulators.modules.pin_pad import PinPad
from simulators.modules.power_supply import PowerSupply
from simulators.modules.receipt_printer import ReceiptPrinter
from simulators.modules.wear import Creep
from simulators.terminal.computer import Computer
from simulators.terminal.document_modules import (
    CardStock,
    CodeScanner,
    DocumentScanner,
    FingerprintUnit,
    PassbookPrinter,
)
from simulators.terminal.office_printer import OfficePrinter
from simulators.terminal.services import terminal_services
from simulators.xfs4iot.message_format import Json
from simulators.xfs4iot.module_status import (
    camera_status,
    card_reader_status,
    common,
    missing,
    pin_pad_status,
    printer_status,
    receipt_printer_status,
    receipt_storage,
    retain_bin,
    sensors_status,
    vendor_mode_status,
)

APPLICATION: Final = "kiosk.exe"
"""Name of the watched process."""

STOCK_UNIT: Final = "unitSTOCK"
"""Key of the card reader's stock of blank cards."""


@dataclass(slots=True)
class Witness:
    """What really happened, counted in the model; a monitor's figures can be held against it."""

    sessions: int = 0
    turned_away: int = 0
    cards_inserted: int = 0
    cards_retained: int = 0
    cards_issued: int = 0
    receipts_printed: int = 0
    pages: int = 0
    errors: int = 0


class Terminal:
    """A self-service terminal; implements ``simulators.xfs4iot.service.ServedMachine``.

    Pure: time and chance come from outside, and what happens gathers in :meth:`drain`.

    Args:
        chance: random source of everything that goes wrong in it.
        now_ms: real time.
        local_at: local time of the world.
        major: message format of its services.
    """

    model = "SIM-KT"

    def __init__(self, chance: random.Random, now_ms: int, local_at: datetime, major: int = 3) -> None:
        self.witness = Witness()
        self.serial = f"{chance.randrange(10**6):06d}"
        self.services = terminal_services(major)
        self.dust_creep: Creep | None = None
        self._happenings: list[Happening] = []
        self.computer = Computer(chance, now_ms, local_at, APPLICATION)
        self.office_printer = OfficePrinter(f"A4-{self.serial}", pages=chance.randrange(100_000))
        self.power = PowerSupply()
        self.cabinet = Cabinet(self._report, safe_door=None, seismic=None)
        self.card_reader = CardReader(self._report)
        self.card_stock = CardStock()
        self.id_reader = CardReader(self._report, module=Module.ID_READER)
        self.pin_pad = PinPad(self._report)
        self.printer = ReceiptPrinter(self._report)
        self.passbook_printer = PassbookPrinter(self._report)
        self.scanner = DocumentScanner(self._report)
        self.code_scanner = CodeScanner(self._report)
        self.fingerprints = FingerprintUnit()

    @property
    def attended(self) -> bool:
        """A person of the bank or the maker has it, or is about to."""
        return self.cabinet.operator_switch != "run" or self.cabinet.vendor_mode != "inactive"

    def status(self, module: Module, major: int) -> Json:
        """Payload of ``Common.Status``."""
        match module:
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
            case Module.SENSORS:
                return sensors_status(self.cabinet, self.power, major)
        return self._document_module(module, major)

    def _document_module(self, module: Module, major: int) -> Json:
        match module:
            case Module.PASSBOOK_PRINTER:
                passbook = self.passbook_printer
                return printer_status(passbook.device, passbook.media, major, ink=passbook.ink)
            case Module.SCANNER:
                return printer_status(self.scanner.device, self.scanner.media, major)
            case Module.CODE_SCANNER:
                scanner = self.code_scanner
                return {"common": common(scanner.device, major), "barcodeReader": {"scanner": scanner.state}}
            case Module.BIOMETRIC:
                unit = self.fingerprints
                biometric = {
                    "subject": "present" if unit.finger else "notPresent",
                    "capture": False,
                    "dataPersistence": "persist",
                    "remainingStorage": 0,
                }
                return {"common": common(unit.device, major), "biometric": biometric}
        told = card_reader_status(self.id_reader, major)
        told["common"]["antiFraudModule"] = missing(major)
        return told

    def storage(self, module: Module, major: int) -> Json:
        """Storage units by key."""
        if module is Module.CARD_READER:
            return retain_bin(self.card_reader) | {STOCK_UNIT: self._stock()}
        return receipt_storage(self.printer, major) if module is Module.PRINTER else {}

    def _stock(self) -> Json:
        stock = self.card_stock
        return {
            "id": "STK",
            "positionName": "Blank cards",
            "capacity": stock.initial,
            "status": "ok",
            "card": {
                "capabilities": {"type": "dispense", "hardwareSensors": True},
                "configuration": {"cardID": "DEBIT", "threshold": 30},
                "status": {
                    "initialCount": stock.initial,
                    "count": stock.cards,
                    "retainCount": 0,
                    "replenishmentStatus": stock.replenishment,
                },
            },
        }

    def test(self) -> None:
        """Try it after a repair: a page comes out of the A4 printer where it works."""
        self.office_printer.print(1, random.Random(0))

    def tick(self, now_ms: int, local_at: datetime) -> None:
        """Let time pass.

        Args:
            now_ms: real time.
            local_at: local time of the world.
        """
        self.computer.advance(now_ms, local_at)
        self.power.advance(local_at)
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
            case CardInserted(Module.CARD_READER):
                witness.cards_inserted += 1
            case CardRetained(Module.CARD_READER):
                witness.cards_retained += 1
            case ReceiptPrinted():
                witness.receipts_printed += 1
            case ModuleFailed():
                witness.errors += 1
