"""The services of a terminal: which module answers where, with which interfaces and events."""

from simulators.modules.happenings import Module
from simulators.xfs4iot.announcements import PAPER_SOURCE
from simulators.xfs4iot.module_services import CAMERA, CARD_READER, PIN_PAD, SENSORS, VENDOR_MODE, receipt_printer
from simulators.xfs4iot.service import Service

PASSBOOK_PRINTER = Service(
    "PassbookPrinter1",
    Module.PASSBOOK_PRINTER,
    {"Printer": ("InkThresholdEvent",)},
    {"printer": {"type": {"passbook": True}, "paperSources": {}}},
)

SCANNER = Service(
    "Scanner1",
    Module.SCANNER,
    {"Printer": ()},
    {"printer": {"type": {"scanner": True}, "paperSources": {PAPER_SOURCE: False}}},
)

CODE_SCANNER = Service(
    "CodeScanner1", Module.CODE_SCANNER, {"BarcodeReader": ()}, {"barcodeReader": {"symbologies": {"qrCode": True}}}
)

BIOMETRIC = Service(
    "Biometric1", Module.BIOMETRIC, {"Biometric": ()}, {"biometric": {"type": {"fingerprint": True}, "maxCapture": 1}}
)

ID_READER = Service(
    "IdCardReader1",
    Module.ID_READER,
    {"CardReader": ("MediaRemovedEvent",)},
    {"cardReader": {"type": "intelligentContactless"}},
)


def terminal_services(major: int) -> tuple[Service, ...]:
    """Services of a terminal in a message format."""
    return (
        CARD_READER,
        PIN_PAD,
        receipt_printer(major),
        PASSBOOK_PRINTER,
        SCANNER,
        CODE_SCANNER,
        BIOMETRIC,
        ID_READER,
        SENSORS,
        VENDOR_MODE,
        CAMERA,
    )
