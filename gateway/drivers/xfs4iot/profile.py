"""What a service is, from its Capabilities: components by interface, identity, message versions. Never by its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.driver import Identity
from gateway.drivers.xfs4iot.envelope import Command, major_of
from gateway.drivers.xfs4iot.properties import Complaints, by_interface, section, sections, text

NEWEST_MAJOR: Final = 3
"""Newest message major this driver reads."""

COMPONENT_ORDER: Final = ("cdm", "cim", "idc", "nfc", "pin", "prr", "prj", "prp", "scn", "aux", "vdm", "cam")
"""A service's first component by this order gets its error events; the machine's first gives it its identity."""

_BY_INTERFACE: Final = {
    "cashdispenser": "cdm",
    "cashacceptor": "cim",
    "pinpad": "pin",
    "keymanagement": "pin",
    "keyboard": "pin",
    "crypto": "pin",
    "auxiliaries": "aux",
    "vendormode": "vdm",
    "vendorapplication": "vdm",
    "camera": "cam",
}
_CONTACTLESS: Final = frozenset({"contactless", "intelligentContactless"})
_PRINTERS: Final = (
    ("receipt", "prr"),
    ("journal", "prj"),
    ("passbook", "prp"),
    ("document", "prp"),
    ("scanner", "scn"),
)

EVENTS: Final = (
    "Common.StatusChangedEvent",
    "Common.ErrorEvent",
    "Storage.StorageChangedEvent",
    "Storage.StorageThresholdEvent",
    "Storage.CountsChangedEvent",
)
"""Events whose version is agreed on; the others look the same in every major."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a service is.

    Attributes:
        components: its components in :data:`COMPONENT_ORDER`.
        has_storage: whether it answers ``Storage.GetStorage``.
        identity: what the module says it is; the maker is told by the service publisher.
        versions: newest readable version of each command and event the service lists, by name.
    """

    components: tuple[str, ...] = ()
    has_storage: bool = False
    identity: Identity = field(default_factory=Identity)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def component(self) -> str | None:
        """The component that gets the service's error events."""
        return self.components[0] if self.components else None

    def set_versions(self) -> Mapping[str, Any]:
        """Payload of ``Common.SetVersions``; empty where the service lists no versions."""
        commands = {name: major_of(self.versions[name]) for name in Command if name in self.versions}
        events = {name: major_of(self.versions[name]) for name in EVENTS if name in self.versions}
        chosen: dict[str, Any] = {"commands": commands, "events": events}
        return {key: value for key, value in chosen.items() if value}


def read_capabilities(payload: Mapping[str, Any], complaints: Complaints) -> Profile:
    """Read the completion of ``Common.Capabilities``."""
    listed = sections(payload, "interfaces", complaints)
    names = {text(item, "name").lower() for item in listed}
    names.update(key.lower() for key, value in payload.items() if isinstance(value, Mapping))
    found = {_BY_INTERFACE[name] for name in names if name in _BY_INTERFACE}
    own = by_interface(payload)
    if "cardreader" in names:
        reader = section(own, "cardreader", complaints)
        found.add("nfc" if text(reader, "type") in _CONTACTLESS else "idc")
    if "printer" in names:
        found.add(_printer(section(own, "printer", complaints), complaints))
    return Profile(
        components=tuple(component for component in COMPONENT_ORDER if component in found),
        has_storage="storage" in names,
        identity=_identity(section(own, "common", complaints), complaints),
        versions=_versions(listed, complaints),
    )


def _printer(capabilities: Mapping[str, Any], complaints: Complaints) -> str:
    types = section(capabilities, "type", complaints)
    return next((component for key, component in _PRINTERS if types.get(key) is True), "prr")


def _identity(common: Mapping[str, Any], complaints: Complaints) -> Identity:
    for module in sections(common, "deviceInformation", complaints):
        firmware = sections(module, "firmware", complaints)
        return Identity(
            model=text(module, "modelName"),
            serial=text(module, "serialNumber"),
            firmware=text(firmware[0], "firmwareVersion") if firmware else text(module, "revisionNumber"),
        )
    return Identity()


def _versions(listed: object, complaints: Complaints) -> Mapping[str, str]:
    wanted = {name.lower(): str(name) for name in (*Command, *EVENTS)}
    chosen: dict[str, str] = {}
    for item in listed if isinstance(listed, (list, tuple)) else ():
        for group in ("commands", "events"):
            for name, entry in section(item, group, complaints).items():
                known = wanted.get(name.lower())
                versions = entry.get("versions") if isinstance(entry, Mapping) else None
                if known is not None and isinstance(versions, list):
                    best = max((version for version in versions if _readable(version)), key=_order, default=None)
                    if best is not None:
                        chosen[known] = best
    return chosen


def _readable(version: object) -> bool:
    major = major_of(version)
    return major is not None and major <= NEWEST_MAJOR


def _order(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)
