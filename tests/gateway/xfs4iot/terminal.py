"""A scripted self-service terminal: all modules it can have, one service each, two of them card readers."""

from typing import Any

from tests.gateway.xfs4iot.scripted_machine import ScriptedService

ONLINE: dict[str, Any] = {"device": "online"}


def service(interfaces: tuple[str, ...], status: dict[str, Any], **capabilities: Any) -> ScriptedService:
    storage = capabilities.pop("storage", None)
    versions = {"Common.Status": {"versions": ["2.0", "3.0"]}}
    listed: list[dict[str, Any]] = [{"name": "Common", "commands": versions}, *({"name": name} for name in interfaces)]
    listed += [{"name": "Storage"}] if storage else []
    answers: dict[str, dict[str, Any]] = {
        "Common.Capabilities": {"interfaces": listed, **capabilities},
        "Common.SetVersions": {},
        "Common.Status": {"common": ONLINE, **status},
    }
    if storage:
        answers["Storage.GetStorage"] = {"storage": storage}
    return ScriptedService(answers)


def stock(count: int) -> dict[str, Any]:
    return {
        "status": "ok",
        "serialNumber": "ST-1",
        "card": {
            "capabilities": {"type": "dispense"},
            "configuration": {"threshold": 20},
            "status": {"index": 1, "count": count},
        },
    }


def retain(count: int) -> dict[str, Any]:
    return {
        "id": "RET",
        "status": "ok",
        "card": {"capabilities": {"type": "retain"}, "status": {"count": count, "retainCount": count}},
    }


def services() -> dict[str, ScriptedService]:
    inserted = {"cardReader": {"media": "notPresent", "chipPower": "noCard", "chipModule": "ok"}}
    printer = {"media": "notPresent", "paper": {"upper": "full"}}
    return {
        "IdCardReader": service(("CardReader",), {"cardReader": {"media": "latched"}}, cardReader={"type": "dip"}),
        "CardReader": service(
            ("CardReader",),
            inserted,
            cardReader={"type": "motor"},
            storage={"unitSTOCK": stock(180), "unitRETAIN": retain(2)},
        ),
        "Tap": service(("CardReader",), {}, cardReader={"type": "intelligentContactless"}),
        "Epp": service(("Crypto", "KeyManagement", "Keyboard", "PinPad"), {"keyManagement": {"encryptionState": "ready"}}),
        "Receipt": service(
            ("Printer",),
            {"printer": printer},
            printer={"type": {"receipt": True}},
            storage={"unitP": {"status": "ok", "printer": {"status": {"index": 1, "replenishmentStatus": "high"}}}},
        ),
        "Passbook": service(
            ("Printer",),
            {"printer": {"media": "notPresent", "ink": "low"}},
            printer={"type": {"passbook": True, "document": True}},
        ),
        "A4": service(("Printer",), {"printer": {"media": "present", "ink": "full"}}, printer={"type": {"document": True}}),
        "Scanner": service(("Printer",), {"printer": {"media": "present"}}, printer={"type": {"scanner": True}}),
        "Codes": service(("BarcodeReader",), {"barcodeReader": {"scanner": "on"}}),
        "Finger": service(("Biometric",), {"biometric": {"subject": "notPresent"}}),
        "Cabinet": service(
            ("Auxiliaries", "Camera", "Lights"),
            {
                "auxiliaries": {"cabinetDoor": "closed", "UPS": {"low": False, "powering": False}},
                "camera": {"cameras": {"person": "ok"}, "media": {"person": "high"}},
                "lights": {"cardReader": {"default": {"flashRate": "off"}}},
            },
        ),
        "Maintenance": service(("VendorMode", "VendorApplication"), {"vendorMode": {"device": "online", "service": "inactive"}}),
    }  # fmt: skip


SIGNALS: dict[str, float | str] = {
    "idc/device": "online",
    "idc/media": "notPresent",
    "idc/chip_power": "noCard",
    "idc/chip_module": "ok",
    "idc/stock1/count": 180,
    "idc/stock1/replenishment": "ok",
    "idc/retain1/count": 2,
    "idc/retain1/replenishment": "ok",
    "idr/device": "online",
    "idr/media": "latched",
    "nfc/device": "online",
    "pin/device": "online",
    "pin/encryption_state": "ready",
    "prr/device": "online",
    "prr/media": "notPresent",
    "prr/upper/paper": "full",
    "prr/retract1/replenishment": "high",
    "prp/device": "online",
    "prp/media": "notPresent",
    "prp/ink": "low",
    "scn/device": "online",
    "scn/media": "present",
    "bcr/device": "online",
    "bcr/scanner": "on",
    "bio/device": "online",
    "bio/subject": "notPresent",
    "aux/cabinet_door": "closed",
    "cam/person/state": "ok",
    "cam/person/media": "high",
    "ups/source": "normal",
    "ups/battery": "normal",
    "vdm/service": "inactive",
    "link/services_missing": 0,
    "link/state": "up",
}
"""What the terminal has to be seen as, with ``IdCardReader`` configured as ``idr``."""
