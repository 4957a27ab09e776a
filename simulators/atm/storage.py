"""What the ATM's cash module answers to ``Storage.GetStorage``."""

from typing import Final

from simulators.atm.cash_units import Bin, BinPurpose, Cassette
from simulators.atm.dispenser import Dispenser
from simulators.xfs4iot.message_format import Json

CURRENCY: Final = "CNY"
FACE_VALUE: Final = 100

_ALL_ITEMS: Final = {
    "fit": True, "unfit": True, "unrecognized": True, "counterfeit": True, "suspect": True, "inked": True,
}  # fmt: skip
_NAMES: Final = {
    BinPurpose.REJECT: ("REJ", "Reject bin"),
    BinPurpose.RETRACT: ("RETR", "Retract bin"),
    BinPurpose.DEPOSIT: ("DEP", "Deposit cassette"),
    BinPurpose.DEPOSIT_RETRACT: ("DRET", "Deposit retract bin"),
}


def cash_storage(dispenser: Dispenser) -> Json:
    """Storage units of the dispenser, and of the acceptor where it recycles, by key."""
    boxes = [dispenser.reject_bin, dispenser.retract_bin]
    if dispenser.acceptor is not None:
        boxes += [dispenser.acceptor.deposit_box, dispenser.acceptor.retract_bin]
    units = {f"unit{cassette.number}": _cassette(cassette) for cassette in dispenser.cassettes}
    return units | {f"unit{box.number}": _bin(box) for box in boxes}


def note_type(face_value: int) -> str:
    """Name of a note type: ``typeCNY100A``."""
    return f"type{CURRENCY}{face_value}A"


def _notes(note: str, count: int) -> Json:
    return {"unrecognized": 0, note: {"fit": count, "unfit": 0, "suspect": 0, "counterfeit": 0, "inked": 0}}


def _cassette(cassette: Cassette) -> Json:
    note = note_type(cassette.face_value)
    types = {"cashIn": True, "cashOut": True} if cassette.recycles else {"cashOut": True}
    came_in = (
        {"in": {"retractOperations": 0, "deposited": _notes(note, cassette.deposited)}} if cassette.recycles else {}
    )
    return {
        "id": f"CAS{cassette.number}",
        "positionName": f"Slot {cassette.number}",
        "capacity": cassette.capacity,
        "status": "ok" if cassette.seated else "missing",
        "serialNumber": cassette.serial,
        "cash": {
            "capabilities": {
                "types": types,
                "items": {"fit": True},
                "hardwareSensors": True,
                "cashItems": [note],
            },
            "configuration": {
                "types": types,
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
                "initial": _notes(note, cassette.initial),
                **came_in,
                "out": {
                    "presented": _notes(note, cassette.presented),
                    "rejected": _notes(note, cassette.rejected),
                    "stacked": _notes(note, cassette.stacked),
                    "transport": _notes(note, cassette.in_transport),
                    "unknown": _notes(note, cassette.unknown),
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
    name, position = _NAMES[box.purpose]
    return {
        "id": name,
        "positionName": position,
        "capacity": box.capacity,
        "status": "ok",
        "cash": {
            "capabilities": {"types": purpose, "items": _ALL_ITEMS, "hardwareSensors": True},
            "configuration": configuration,
            "status": {
                "index": box.number,
                "in": _came_in(box),
                "accuracy": "accurate",
                "replenishmentStatus": box.replenishment,
            },
        },
    }


def _came_in(box: Bin) -> Json:
    if box.purpose is BinPurpose.REJECT:
        return {"rejected": {"unrecognized": box.notes}}
    if box.purpose is BinPurpose.DEPOSIT:
        deposited = _notes(note_type(FACE_VALUE), box.notes - box.suspect)
        deposited[note_type(FACE_VALUE)]["suspect"] = box.suspect
        return {"retractOperations": 0, "deposited": deposited}
    return {"retractOperations": box.operations, "retracted": {"unrecognized": box.notes}}
