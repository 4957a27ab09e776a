"""The services of an ATM: which module answers where, with which interfaces and events."""

from simulators.modules.happenings import Module
from simulators.xfs4iot.module_services import CAMERA, CARD_READER, PIN_PAD, SENSORS, VENDOR_MODE, receipt_printer
from simulators.xfs4iot.service import Service

_CASH_EVENTS = ("ShutterStatusChangedEvent", "ItemsPresentedEvent", "ItemsTakenEvent")

DISPENSER = Service(
    "CashDispenser1",
    Module.DISPENSER,
    {"CashDispenser": (), "CashManagement": _CASH_EVENTS},
    {
        "cashDispenser": {"type": "selfServiceBill", "maxDispenseItems": 40, "intermediateStacker": True},
        "cashManagement": {"exchangeTypes": {"byHand": True}},
    },
    storage=True,
    anti_fraud=True,
)

RECYCLER = Service(
    "CashRecycler1",
    Module.DISPENSER,
    {"CashDispenser": (), "CashAcceptor": (), "CashManagement": (*_CASH_EVENTS, "ItemsInsertedEvent")},
    {
        **DISPENSER.specific,
        "cashAcceptor": {
            "type": "selfServiceBill",
            "maxCashInItems": 100,
            "intermediateStacker": True,
            "shutter": True,
        },
    },
    storage=True,
    anti_fraud=True,
)


def atm_services(major: int, *, recycler: bool) -> tuple[Service, ...]:
    """Services of an ATM in a message format."""
    cash = RECYCLER if recycler else DISPENSER
    return (cash, CARD_READER, PIN_PAD, receipt_printer(major), SENSORS, VENDOR_MODE, CAMERA)
