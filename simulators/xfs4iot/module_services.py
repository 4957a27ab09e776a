"""Services that ATMs and terminals share: with which interfaces and events each module answers."""

from simulators.modules.happenings import Module
from simulators.xfs4iot.announcements import PAPER_SOURCE
from simulators.xfs4iot.service import Service

CARD_READER = Service(
    "CardReader1",
    Module.CARD_READER,
    {"CardReader": ("MediaRemovedEvent", "CardActionEvent")},
    {"cardReader": {"type": "motor"}},
    storage=True,
    anti_fraud=True,
)

PIN_PAD = Service(
    "PinPad1",
    Module.PIN_PAD,
    {"KeyManagement": ("InitializedEvent", "IllegalKeyAccessEvent"), "Keyboard": (), "PinPad": (), "Crypto": ()},
    {"keyManagement": {"keyNum": 64}},
)


def receipt_printer(major: int) -> Service:
    """The receipt printer; from format 2 on its bin of retracted receipts is a storage unit."""
    events = ("PaperThresholdEvent", "RetractBinThresholdEvent", "MediaAutoRetractedEvent")
    printer = {"type": {"receipt": True}, "paperSources": {PAPER_SOURCE: True}}
    return Service("ReceiptPrinter1", Module.PRINTER, {"Printer": events}, {"printer": printer}, storage=major > 1)


SENSORS = Service(
    "Auxiliaries1",
    Module.SENSORS,
    {"Auxiliaries": ()},
    {"auxiliaries": {"operatorSwitch": {"run": True, "maintenance": True, "supervisor": True}, "UPS": {"low": True}}},
)

VENDOR_MODE = Service(
    "VendorMode1",
    Module.VENDOR_MODE,
    {"VendorMode": ("ModeEnteredEvent", "ModeExitedEvent"), "VendorApplication": ()},
    {"vendorMode": {"supportedApplications": []}},
)

CAMERA = Service(
    "Camera1",
    Module.CAMERA,
    {"Camera": ("MediaThresholdEvent",)},
    {"camera": {"cameras": {"room": True, "person": True}, "maxPictures": 10_000}},
)
