"""Messages of the three message majors as services send them."""

import json
from typing import Any


def completion(name: str, request_id: int, payload: dict[str, Any], major: int, minor: int = 0) -> str:
    if major == 1:
        header = {"type": "completion", "name": name, "version": f"1.{minor}", "requestId": request_id}
        return json.dumps({"header": header, "payload": {"completionCode": "success", **payload}})
    header = {"type": "completion", "name": name, "version": f"{major}.{minor}", "requestId": request_id}
    if major == 2:  # the specification leaves the code out where a widespread framework writes it
        header["completionCode"] = "success"
    return json.dumps({"header": header, "payload": payload})


def acknowledge(name: str, request_id: int, major: int, status: str = "ok") -> str:
    header: dict[str, Any] = {"type": "acknowledge", "name": name, "version": f"{major}.0", "requestId": request_id}
    if major == 1:
        return json.dumps({"header": header, "payload": {"status": status}})
    if status != "ok":
        header["status"] = status
    return json.dumps({"header": header})


def event(name: str, payload: dict[str, Any], major: int) -> str:
    type_ = "event" if major == 2 else "unsolicited"
    return json.dumps({"header": {"type": type_, "name": name, "version": f"{major}.0"}, "payload": payload})


DISPENSER_STATUS: dict[str, Any] = {
    "common": {
        "device": "online",
        "devicePosition": "inPosition",
        "powerSaveRecoveryTime": 0,
        "antiFraudModule": "ok",
        "exchange": "inactive",
        "endToEndSecurity": "enforced",
    },
    "cashDispenser": {
        "intermediateStacker": "empty",
        "positions": [
            {
                "position": "outDefault",
                "shutter": "closed",
                "positionStatus": "empty",
                "transport": "ok",
                "transportStatus": "empty",
            }
        ],
    },
    "cashManagement": {"dispenser": "attention"},
}

STORAGE: dict[str, Any] = {
    "storage": {
        "unit1": {
            "id": "CAS1",
            "positionName": "Slot 1",
            "capacity": 2500,
            "status": "ok",
            "serialNumber": "C123",
            "cash": {
                "capabilities": {
                    "types": {"cashOut": True},
                    "items": {"fit": True},
                    "hardwareSensors": True,
                    "cashItems": ["typeUSD20A"],
                },
                "configuration": {
                    "types": {"cashOut": True},
                    "items": {"fit": True},
                    "currency": "USD",
                    "value": 20,
                    "lowThreshold": 200,
                    "appLockIn": False,
                    "appLockOut": False,
                    "name": "20A",
                },
                "status": {
                    "index": 1,
                    "initial": {
                        "unrecognized": 0,
                        "typeUSD20A": {"fit": 1000, "unfit": 0, "suspect": 0, "counterfeit": 0, "inked": 0},
                    },
                    "out": {"presented": {"typeUSD20A": {"fit": 842}}, "rejected": {"typeUSD20A": {"fit": 3}}},
                    "accuracy": "accurate",
                    "replenishmentStatus": "low",
                },
            },
        },
        "unit2": {
            "id": "RJ",
            "positionName": "Reject",
            "capacity": 300,
            "status": "ok",
            "cash": {
                "configuration": {"types": {"reject": True}},
                "status": {"index": 2, "in": {"rejected": {"unrecognized": 3}}, "replenishmentStatus": "ok"},
            },
        },
    }
}

RETAIN_STORAGE: dict[str, Any] = {
    "storage": {
        "unitRETAIN": {
            "id": "RET",
            "positionName": "Retain bin",
            "capacity": 40,
            "status": "ok",
            "card": {
                "capabilities": {"type": "retain", "hardwareSensors": True},
                "configuration": {"threshold": 30},
                "status": {"initialCount": 0, "count": 31, "retainCount": 31, "replenishmentStatus": "high"},
            },
        }
    }
}

DISPENSER_CAPABILITIES: dict[str, Any] = {
    "interfaces": [
        {
            "name": "Common",
            "commands": {
                "Common.Status": {"versions": ["1.0", "2.0"]},
                "Common.Capabilities": {"versions": ["1.0", "2.0"]},
            },
            "events": {"Common.StatusChangedEvent": {"versions": ["1.0", "3.0", "4.0"]}},
        },
        {"name": "CashDispenser", "commands": {"CashDispenser.Dispense": {"versions": ["2.0"]}}},
        {"name": "CashManagement"},
        {"name": "Storage", "commands": {"Storage.GetStorage": {"versions": ["2.0"]}}},
    ],
    "common": {
        "serviceVersion": "1.3",
        "deviceInformation": [
            {
                "modelName": "CD-9",
                "serialNumber": "S-100",
                "revisionNumber": "r1",
                "firmware": [{"firmwareName": "main", "firmwareVersion": "4.2"}],
            }
        ],
    },
    "cashDispenser": {"type": "selfServiceBill", "maxDispenseItems": 40},
}

READER_CAPABILITIES: dict[str, Any] = {
    "interfaces": [{"name": "cardReader"}, {"name": "common"}, {"name": "storage"}],
    "cardReader": {"type": "motor"},
}
READER_STATUS: dict[str, Any] = {
    "common": {"device": "online", "antiFraudModule": "notAvailable"},
    "cardReader": {"media": "notPresent", "chipPower": "noCard", "chipModule": "ok"},
}
