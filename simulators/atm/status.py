"""What each module answers to ``Common.Status``, in the words of the machine's message format."""

from simulators.atm.happenings import Module
from simulators.atm.machine import Machine
from simulators.atm.message_format import Json

OUTPUT = "outDefault"
"""The one output position."""

PAPER_SOURCE = "upper"
"""The one paper roll."""


def status(machine: Machine, module: Module, major: int) -> Json:
    """Answer of one module.

    A feature the machine has not is null from format 2 on and a word of its own (``notSupported``, ``notAvailable``) in
    format 1.
    """
    match module:
        case Module.DISPENSER:
            return _dispenser(machine, major)
        case Module.CARD_READER:
            return _card_reader(machine, major)
        case Module.PIN_PAD:
            pin_pad = machine.pin_pad
            keys = {"encryptionState": pin_pad.encryption_state, "certificateState": "primary"}
            return {"common": _common(pin_pad.device, major), "keyManagement": keys}
        case Module.PRINTER:
            return _printer(machine, major)
        case Module.SENSORS:
            return {"common": _common("online", major), "auxiliaries": _sensors(machine, major)}
        case Module.VENDOR_MODE:
            return {
                "common": _common("online", major),
                "vendorMode": {"device": "online", "service": machine.cabinet.vendor_mode},
                "vendorApplication": {"accessLevel": machine.cabinet.access_level},
            }


def _missing(major: int, word: str = "notSupported") -> str | None:
    return word if major == 1 else None


def _common(device: str, major: int, *, anti_fraud: str | None = None, exchange: str | None = None) -> Json:
    return {
        "device": device,
        "devicePosition": _missing(major),
        "powerSaveRecoveryTime": 0,
        "antiFraudModule": anti_fraud or _missing(major),
        "exchange": exchange or _missing(major),
        "endToEndSecurity": _missing(major),
    }


def _dispenser(machine: Machine, major: int) -> Json:
    dispenser = machine.dispenser
    exchange = "active" if dispenser.exchange_active else "inactive"
    cash_management: Json = {"dispenser": dispenser.readiness}
    if major == 1:
        cash_management["safeDoor"] = _safe_door(machine, major)
        cash_management["acceptor"] = "notSupported"
    return {
        "common": _common(dispenser.device, major, anti_fraud="ok", exchange=exchange),
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


def _card_reader(machine: Machine, major: int) -> Json:
    reader = machine.card_reader
    return {
        "common": _common(reader.device, major, anti_fraud="ok", exchange="inactive"),
        "cardReader": {
            "media": reader.media,
            "security": _missing(major),
            "chipPower": reader.chip_power,
            "chipModule": "ok",
            "magWriteModule": _missing(major),
            "frontImageModule": _missing(major),
            "backImageModule": _missing(major),
        },
    }


def _printer(machine: Machine, major: int) -> Json:
    printer = machine.printer
    return {
        "common": _common(printer.device, major),
        "printer": {
            "media": printer.media,
            "paper": {PAPER_SOURCE: printer.paper},
            "toner": _missing(major),
            "ink": _missing(major),
            "lamp": _missing(major),
            "mediaOnStacker": 0,
            "paperType": {PAPER_SOURCE: "single"},
            "blackMarkMode": _missing(major),
        },
    }


def _safe_door(machine: Machine, major: int) -> str:
    """Format 1 knows no ``locked`` in cash management: a safe is closed, open or bolted there."""
    word = machine.cabinet.safe_door
    return "closed" if major == 1 and word == "locked" else word


def _sensors(machine: Machine, major: int) -> Json:
    cabinet = machine.cabinet
    sensors: Json = {
        "operatorSwitch": cabinet.operator_switch,
        "tamperSensor": "off",
        "internalTamperSensor": _missing(major, "notAvailable"),
        "seismicSensor": "off",
        "heatSensor": "off",
        "proximitySensor": _missing(major, "notAvailable"),
        "ambientLightSensor": _missing(major, "notAvailable"),
        "cabinetDoor": cabinet.cabinet_door,
        "cabinetFrontDoor": _missing(major, "doorNotSupported"),
        "cabinetRearDoor": _missing(major, "doorNotSupported"),
        "vandalShield": _missing(major, "notAvailable"),
        "openClosedIndicator": _missing(major, "notAvailable"),
        "audibleAlarm": "off",
    }
    if major == 1:
        return sensors | {"displaySensor": "on"}
    return sensors | {"consumerDisplaySensor": "on", "safeDoor": _safe_door(machine, major)}
