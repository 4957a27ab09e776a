"""What each module of the ATM answers to ``Common.Status``, in the words of the machine's message format."""

from simulators.atm.acceptor import Acceptor
from simulators.atm.dispenser import Dispenser
from simulators.modules.cabinet import Cabinet
from simulators.xfs4iot.announcements import INPUT, OUTPUT
from simulators.xfs4iot.message_format import Json
from simulators.xfs4iot.module_status import common, safe_door


def cash_status(dispenser: Dispenser, cabinet: Cabinet, major: int) -> Json:
    """The answer of the dispenser, and of the acceptor where it recycles."""
    exchange = "active" if dispenser.exchange_active else "inactive"
    acceptor = dispenser.acceptor
    cash_management: Json = {"dispenser": dispenser.readiness}
    if major == 1:
        cash_management["safeDoor"] = safe_door(cabinet, major)
    if acceptor is not None:
        cash_management["acceptor"] = acceptor.readiness
    elif major == 1:
        cash_management["acceptor"] = "notSupported"
    told: Json = {
        "common": common(dispenser.device, major, anti_fraud="ok", exchange=exchange),
        "cashDispenser": {
            "intermediateStacker": "notEmpty" if dispenser.in_stacker else "empty",
            "positions": [
                {
                    "position": OUTPUT,
                    "shutter": dispenser.shutter,
                    "positionStatus": "notEmpty" if dispenser.at_output else "empty",
                    "transport": dispenser.transport,
                    "transportStatus": "notEmpty" if dispenser.in_transport else "empty",
                }
            ],
        },
        "cashManagement": cash_management,
    }
    if acceptor is not None:
        told["cashAcceptor"] = _acceptor(acceptor, major)
    return told


def _acceptor(acceptor: Acceptor, major: int) -> Json:
    return {
        "intermediateStacker": "notEmpty" if acceptor.escrow else "empty",
        "stackerItems": "noCustomerAccess" if acceptor.escrow else "noItems",
        "banknoteReader": "ok" if acceptor.reader_works else "inoperable",
        "dropBox": False if major == 1 else None,
        "positions": [
            {
                "position": INPUT,
                "shutter": acceptor.shutter,
                "positionStatus": "notEmpty" if acceptor.at_input else "empty",
                "transport": acceptor.transport,
                "transportStatus": "notEmpty" if acceptor.in_transport else "empty",
            }
        ],
    }
