"""What modules that ATMs and terminals share answer to ``Common.Status`` and ``Storage.GetStorage``.

A feature a machine has not is null from format 2 on and a word of its own (``notSupported``, ``notAvailable``) in format 1.
"""

from simulators.modules.cabinet import Cabinet
from simulators.modules.card_reader import RETAIN_CAPACITY, RETAIN_HIGH, CardReader
from simulators.modules.pin_pad import PinPad
from simulators.modules.power_supply import PowerSupply
from simulators.modules.receipt_printer import RETRACT_CAPACITY, ReceiptPrinter
from simulators.xfs4iot.announcements import PAPER_SOURCE, RETAIN_UNIT
from simulators.xfs4iot.message_format import Json

RETRACT_UNIT = "unitRETRACT"
"""Key of a printer's bin of retracted receipts."""


def missing(major: int, word: str = "notSupported") -> str | None:
    """How a format says that a machine has not got something."""
    return word if major == 1 else None


def common(device: str, major: int, *, anti_fraud: str | None = None, exchange: str | None = None) -> Json:
    """The part every service has."""
    return {
        "device": device,
        "devicePosition": missing(major),
        "powerSaveRecoveryTime": 0,
        "antiFraudModule": anti_fraud or missing(major),
        "exchange": exchange or missing(major),
        "endToEndSecurity": missing(major),
    }


def card_reader_status(reader: CardReader, major: int) -> Json:
    """A card reader's answer."""
    return {
        "common": common(reader.device, major, anti_fraud=reader.anti_fraud, exchange="inactive"),
        "cardReader": {
            "media": reader.media,
            "security": missing(major),
            "chipPower": reader.chip_power,
            "chipModule": "inoperable" if reader.broken else "ok",
            "magWriteModule": missing(major),
            "frontImageModule": missing(major),
            "backImageModule": missing(major),
        },
    }


def retain_bin(reader: CardReader) -> Json:
    """Storage of a card reader: its retain bin."""
    return {
        RETAIN_UNIT: {
            "id": "RET",
            "positionName": "Retain bin",
            "capacity": RETAIN_CAPACITY,
            "status": "ok",
            "card": {
                "capabilities": {"type": "retain", "hardwareSensors": True},
                "configuration": {"threshold": RETAIN_HIGH},
                "status": {
                    "initialCount": 0,
                    "count": reader.retained,
                    "retainCount": reader.retained,
                    "replenishmentStatus": reader.retain_replenishment,
                },
            },
        }
    }


def pin_pad_status(pin_pad: PinPad, major: int) -> Json:
    """A PIN pad's answer."""
    keys = {"encryptionState": pin_pad.encryption_state, "certificateState": "primary"}
    return {"common": common(pin_pad.device, major), "keyManagement": keys}


def printer_status(device: str, media: str, major: int, *, paper: str | None = None, ink: str | None = None) -> Json:
    """A printer's or scanner's answer.

    Args:
        device: module state.
        media: what is in it.
        major: message format.
        paper: level of its one source, ``None`` where it has no paper of its own.
        ink: level of its ribbon or ink, ``None`` where it has none.
    """
    return {
        "common": common(device, major),
        "printer": {
            "media": media,
            "paper": {PAPER_SOURCE: paper} if paper else {},
            "toner": missing(major),
            "ink": ink or missing(major),
            "lamp": missing(major),
            "mediaOnStacker": 0,
            "paperType": {PAPER_SOURCE: "single"} if paper else {},
            "blackMarkMode": missing(major),
        },
    }


def receipt_printer_status(printer: ReceiptPrinter, major: int) -> Json:
    """A receipt printer's answer; format 1 counts retracted receipts in it, later ones in its storage."""
    told = printer_status(printer.device, printer.media, major, paper=printer.paper)
    if major == 1:
        told["printer"]["retractBins"] = [{"state": printer.retract_level, "count": printer.retracted}]
    return told


def receipt_storage(printer: ReceiptPrinter, major: int) -> Json:
    """Storage of a receipt printer: its bin of retracted receipts, from format 2 on."""
    if major == 1:
        return {}
    return {
        RETRACT_UNIT: {
            "id": "PRR",
            "positionName": "Retracted receipts",
            "capacity": RETRACT_CAPACITY,
            "status": "ok",
            "printer": {
                "capabilities": {"maxRetracts": RETRACT_CAPACITY},
                "status": {
                    "index": 1,
                    "initial": 0,
                    "in": printer.retracted,
                    "replenishmentStatus": printer.retract_level,
                },
            },
        }
    }


def vendor_mode_status(cabinet: Cabinet, major: int) -> Json:
    """The vendor mode service's answer."""
    return {
        "common": common("online", major),
        "vendorMode": {"device": "online", "service": cabinet.vendor_mode},
        "vendorApplication": {"accessLevel": cabinet.access_level},
    }


def camera_status(cabinet: Cabinet, major: int) -> Json:
    """The answer of the cameras built into a machine."""
    cameras = cabinet.cameras
    works = any(camera.state == "ok" for camera in cameras.values())
    views = ("room", "person", "exitSlot")
    return {
        "common": common("online" if works else "hardwareError", major),
        "camera": {
            "cameras": {view: cameras[view].state if view in cameras else missing(major) for view in views},
            "media": {view: cameras[view].media if view in cameras else missing(major) for view in views},
            "pictures": {view: camera.pictures for view, camera in cameras.items()},
        },
    }


def safe_door(cabinet: Cabinet, major: int) -> str | None:
    """Format 1 knows no ``locked`` in cash management: a safe is closed, open or bolted there."""
    word = cabinet.safe_door
    if word is None:
        return missing(major, "doorNotSupported")
    return "closed" if major == 1 and word == "locked" else word


def sensors_status(cabinet: Cabinet, power: PowerSupply | None, major: int) -> Json:
    """The answer of a machine's doors, sensors and power supply."""
    sensors: Json = {
        "operatorSwitch": cabinet.operator_switch,
        "tamperSensor": _switch(on=cabinet.tamper),
        "internalTamperSensor": missing(major, "notAvailable"),
        "seismicSensor": missing(major, "notAvailable") if cabinet.seismic is None else _switch(on=cabinet.seismic),
        "heatSensor": _switch(on=cabinet.heat),
        "proximitySensor": missing(major, "notAvailable"),
        "ambientLightSensor": missing(major, "notAvailable"),
        "cabinetDoor": cabinet.cabinet_door,
        "cabinetFrontDoor": missing(major, "doorNotSupported"),
        "cabinetRearDoor": missing(major, "doorNotSupported"),
        "vandalShield": missing(major, "notAvailable"),
        "openClosedIndicator": "open" if cabinet.open_for_business else "closed",
        "audibleAlarm": _switch(on=cabinet.sounder),
    }
    if power is not None:
        sensors["UPS"] = {
            "low": power.low,
            "engaged": not power.mains,
            "powering": not power.mains,
            "recovered": power.recovered,
        }
    if major == 1:
        told: Json = {"displaySensor": cabinet.display}
    else:
        told = {"consumerDisplaySensor": cabinet.display, "safeDoor": safe_door(cabinet, major)}
    return {"common": common("online", major), "auxiliaries": sensors | told}


def _switch(*, on: bool) -> str:
    return "on" if on else "off"
