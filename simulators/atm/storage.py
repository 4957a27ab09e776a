"""What the modules with boxes in them answer to ``Storage.GetStorage``."""

from simulators.atm.card_reader import RETAIN_CAPACITY, RETAIN_HIGH
from simulators.atm.cash_units import Bin, BinPurpose, Cassette
from simulators.atm.happenings import Module
from simulators.atm.machine import Machine
from simulators.atm.message_format import Json

CURRENCY = "CNY"
RETAIN_UNIT = "unitRETAIN"

_ALL_ITEMS = {"fit": True, "unfit": True, "unrecognized": True, "counterfeit": True, "suspect": True, "inked": True}


def storage(machine: Machine, module: Module) -> Json:
    """Storage units of one module by key; empty where it has none."""
    if module is Module.DISPENSER:
        dispenser = machine.dispenser
        units = {f"unit{cassette.number}": _cassette(cassette) for cassette in dispenser.cassettes}
        return units | {f"unit{box.number}": _bin(box) for box in (dispenser.reject_bin, dispenser.retract_bin)}
    if module is Module.CARD_READER:
        return {RETAIN_UNIT: _retain_bin(machine)}
    return {}


def note_type(cassette: Cassette) -> str:
    """Name of a cassette's note type: ``typeCNY100A``."""
    return f"type{CURRENCY}{cassette.face_value}A"


def _cassette(cassette: Cassette) -> Json:
    note = note_type(cassette)

    def notes(count: int) -> Json:
        return {"unrecognized": 0, note: {"fit": count, "unfit": 0, "suspect": 0, "counterfeit": 0, "inked": 0}}

    return {
        "id": f"CAS{cassette.number}",
        "positionName": f"Slot {cassette.number}",
        "capacity": cassette.capacity,
        "status": "ok" if cassette.seated else "missing",
        "serialNumber": cassette.serial,
        "cash": {
            "capabilities": {
                "types": {"cashOut": True},
                "items": {"fit": True},
                "hardwareSensors": True,
                "cashItems": [note],
            },
            "configuration": {
                "types": {"cashOut": True},
                "items": {"fit": True},
                "currency": CURRENCY,
                "value": cassette.face_value,
                "lowThreshold": cassette.low_threshold,
                "appLockIn": False,
                "appLockOut": False,
                "cashItems": [note],
                "name": f"{cassette.face_value}A",
            },
            "status": {
                "index": cassette.number,
                "initial": notes(cassette.initial),
                "out": {
                    "presented": notes(cassette.presented),
                    "rejected": notes(cassette.rejected),
                    "stacked": notes(cassette.stacked),
                    "transport": notes(cassette.in_transport),
                    "unknown": notes(cassette.unknown),
                },
                "accuracy": "accurate",
                "replenishmentStatus": cassette.replenishment,
            },
        },
    }


def _bin(box: Bin) -> Json:
    purpose = {box.purpose.value: True}
    configuration: Json = {"types": purpose, "items": _ALL_ITEMS, "highThreshold": box.high_threshold}
    if box.most_operations is not None:
        configuration["maxRetracts"] = box.most_operations
    came_in: Json
    if box.purpose is BinPurpose.REJECT:
        name, came_in = "REJ", {"rejected": {"unrecognized": box.notes}}
    else:
        name, came_in = "RETR", {"retractOperations": box.operations, "retracted": {"unrecognized": box.notes}}
    return {
        "id": name,
        "positionName": "Reject bin" if box.purpose is BinPurpose.REJECT else "Retract bin",
        "capacity": box.capacity,
        "status": "ok",
        "cash": {
            "capabilities": {"types": purpose, "items": _ALL_ITEMS, "hardwareSensors": True},
            "configuration": configuration,
            "status": {
                "index": box.number,
                "in": came_in,
                "accuracy": "accurate",
                "replenishmentStatus": box.replenishment,
            },
        },
    }


def _retain_bin(machine: Machine) -> Json:
    reader = machine.card_reader
    return {
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
