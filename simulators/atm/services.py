"""The services of the machine: which module answers where, with which interfaces, commands and events."""

from dataclasses import dataclass
from typing import Final

from simulators.atm.happenings import Module
from simulators.atm.machine import Machine
from simulators.atm.message_format import Dialect, Json, MessageFormat
from simulators.atm.status import PAPER_SOURCE

PUBLISHER: Final = "ServicePublisher"
MAKER: Final = "Branchwatch Simulators"
MODEL: Final = "SIM-4C"
FIRMWARE: Final = "1.4.2"

MAXIMUM_REQUESTS: Final = 16
"""Commands one connection may have open."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service URI.

    Attributes:
        name: last part of its URI.
        module: whose voice it is.
        interfaces: interface names with the events each may send, beside ``Common``.
        storage: it has boxes to tell of.
    """

    name: str
    module: Module
    interfaces: dict[str, tuple[str, ...]]
    storage: bool = False

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands it carries out."""
        common = ("Common.Capabilities", "Common.SetVersions", "Common.Status")
        return (*common, "Storage.GetStorage") if self.storage else common

    def has_interface(self, name: str) -> bool:
        """Tell whether a message name's interface is one of this service."""
        known = {"Common", *self.interfaces, *(("Storage",) if self.storage else ())}
        return name.lower() in {interface.lower() for interface in known}


SERVICES: Final = (
    Service(
        "CashDispenser1",
        Module.DISPENSER,
        {
            "CashDispenser": (),
            "CashManagement": ("ShutterStatusChangedEvent", "ItemsPresentedEvent", "ItemsTakenEvent"),
        },
        storage=True,
    ),
    Service(
        "CardReader1",
        Module.CARD_READER,
        {"CardReader": ("MediaRemovedEvent", "CardActionEvent")},
        storage=True,
    ),
    Service("PinPad1", Module.PIN_PAD, {"KeyManagement": (), "Keyboard": (), "PinPad": (), "Crypto": ()}),
    Service("ReceiptPrinter1", Module.PRINTER, {"Printer": ("PaperThresholdEvent",)}),
    Service("Auxiliaries1", Module.SENSORS, {"Auxiliaries": ()}),
    Service(
        "VendorMode1",
        Module.VENDOR_MODE,
        {"VendorMode": ("ModeEnteredEvent", "ModeExitedEvent"), "VendorApplication": ()},
    ),
)

_SPECIFIC: Final[dict[Module, Json]] = {
    Module.DISPENSER: {
        "cashDispenser": {"type": "selfServiceBill", "maxDispenseItems": 40, "intermediateStacker": True},
        "cashManagement": {"exchangeTypes": {"byHand": True}},
    },
    Module.CARD_READER: {"cardReader": {"type": "motor"}},
    Module.PIN_PAD: {"keyManagement": {"keyNum": 64}},
    Module.PRINTER: {"printer": {"type": {"receipt": True}, "paperSources": {PAPER_SOURCE: True}}},
    Module.SENSORS: {"auxiliaries": {"operatorSwitch": {"run": True, "maintenance": True, "supervisor": True}}},
    Module.VENDOR_MODE: {"vendorMode": {"supportedApplications": []}},
}


def capabilities(machine: Machine, service: Service, format_: MessageFormat) -> Json:
    """Answer of one service to ``Common.Capabilities``."""
    events = {"Common": ("StatusChangedEvent", "ErrorEvent"), **service.interfaces}
    if service.storage:
        events["Storage"] = ("StorageChangedEvent", "StorageThresholdEvent", "CountsChangedEvent")
    if format_.major == 1:  # left the standard with the later releases
        events = {name: (*own, *_ONLY_IN_FORMAT_1.get(name, ())) for name, own in events.items()}
    part = service.module.name.replace("_", "-")
    return {
        "interfaces": [
            {
                "name": interface[0].lower() + interface[1:] if format_.dialect is Dialect.KAL else interface,
                "commands": {
                    name: {"versions": [format_.version(name)]}
                    for name in service.commands
                    if name.startswith(f"{interface}.")
                },
                "events": {
                    f"{interface}.{event}": {"versions": [format_.version(f"{interface}.{event}")]} for event in own
                },
                "maximumRequests": MAXIMUM_REQUESTS,
            }
            for interface, own in events.items()
        ],
        "common": {
            "serviceVersion": FIRMWARE,
            "deviceInformation": [
                {
                    "modelName": f"{MODEL}-{part}",
                    "serialNumber": f"{machine.serial}-{part}",
                    "revisionNumber": "B",
                    "modelDescription": f"{MAKER} {MODEL}",
                    "firmware": [{"firmwareName": part, "firmwareVersion": FIRMWARE, "hardwareRevision": "B"}],
                    "software": [{"softwareName": "service provider", "softwareVersion": FIRMWARE}],
                }
            ],
            "powerSaveControl": False,
            "antiFraudModule": service.storage,
        },
        **_SPECIFIC[service.module],
    }


_ONLY_IN_FORMAT_1: Final[dict[str, tuple[str, ...]]] = {
    "CashManagement": ("SafeDoorOpenEvent", "SafeDoorClosedEvent"),
    "Auxiliaries": ("AuxiliaryStatusEvent",),
}
