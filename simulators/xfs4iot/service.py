"""A service of a machine: one module behind one address, with its interfaces, commands and events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from simulators.modules.happenings import Happening, Module
from simulators.xfs4iot.message_format import Json, MessageFormat

PUBLISHER: Final = "ServicePublisher"
MAKER: Final = "Branchwatch Simulators"
FIRMWARE: Final = "1.4.2"

MAXIMUM_REQUESTS: Final = 16
"""Commands one connection may have open."""

_ONLY_IN_FORMAT_1: Final[dict[str, tuple[str, ...]]] = {
    "CashManagement": ("SafeDoorOpenEvent", "SafeDoorClosedEvent"),
    "Auxiliaries": ("AuxiliaryStatusEvent",),
}
"""Events that left the standard with the later releases."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service URI.

    Attributes:
        name: last part of its URI.
        module: whose voice it is.
        interfaces: interface names with the events each may send, beside ``Common``.
        specific: what ``Common.Capabilities`` says beside the common part, by interface.
        storage: it has boxes to tell of.
        anti_fraud: it watches for foreign parts fitted to it.
    """

    name: str
    module: Module
    interfaces: Mapping[str, tuple[str, ...]]
    specific: Json = field(default_factory=dict)
    storage: bool = False
    anti_fraud: bool = False

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands it carries out."""
        common = ("Common.Capabilities", "Common.SetVersions", "Common.Status")
        return (*common, "Storage.GetStorage") if self.storage else common

    def has_interface(self, name: str) -> bool:
        """Tell whether a message name's interface is one of this service."""
        known = {"Common", *self.interfaces, *(("Storage",) if self.storage else ())}
        return name.lower() in {interface.lower() for interface in known}


class ServedMachine(Protocol):
    """A machine as its XFS4IoT server sees it. All calls are cheap and at once."""

    model: str
    """Model name."""

    serial: str
    """Serial number."""

    @property
    def services(self) -> Sequence[Service]:
        """Its services, in the order they are listed; each module once."""
        ...

    def status(self, module: Module, major: int) -> Json:
        """Payload of ``Common.Status`` of a module in a message format."""
        ...

    def storage(self, module: Module, major: int) -> Json:
        """Storage units of a module by key; empty where it has none."""
        ...

    def drain(self) -> list[Happening]:
        """Take what happened since the last call, in order."""
        ...


def capabilities(machine: ServedMachine, service: Service, format_: MessageFormat) -> Json:
    """Answer of one service to ``Common.Capabilities``."""
    events = {"Common": ("StatusChangedEvent", "ErrorEvent"), **service.interfaces}
    if service.storage:
        events["Storage"] = ("StorageChangedEvent", "StorageThresholdEvent", "CountsChangedEvent")
    if format_.major == 1:
        events = {name: (*own, *_ONLY_IN_FORMAT_1.get(name, ())) for name, own in events.items()}
    part = service.module.name.replace("_", "-")
    return {
        "interfaces": [
            {
                "name": _interface_name(interface, format_),
                "commands": {
                    name: {"versions": format_.offered(name)}
                    for name in service.commands
                    if name.startswith(f"{interface}.")
                },
                "events": {
                    f"{interface}.{event}": {"versions": format_.offered(f"{interface}.{event}")} for event in own
                },
                "maximumRequests": MAXIMUM_REQUESTS,
            }
            for interface, own in events.items()
        ],
        "common": {
            "serviceVersion": FIRMWARE,
            "deviceInformation": [
                {
                    "modelName": f"{machine.model}-{part}",
                    "serialNumber": f"{machine.serial}-{part}",
                    "revisionNumber": "B",
                    "modelDescription": f"{MAKER} {machine.model}",
                    "firmware": [{"firmwareName": part, "firmwareVersion": FIRMWARE, "hardwareRevision": "B"}],
                    "software": [{"softwareName": "service provider", "softwareVersion": FIRMWARE}],
                }
            ],
            "powerSaveControl": False,
            "antiFraudModule": service.anti_fraud,
        },
        **service.specific,
    }


def _interface_name(interface: str, format_: MessageFormat) -> str:
    return interface[0].lower() + interface[1:] if format_.quirks.camel_case_interfaces else interface
