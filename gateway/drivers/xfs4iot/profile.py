"""What a service is, from its Capabilities: components by interface, identity, message versions. Never by its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.driver import Identity
from gateway.drivers.xfs4iot.envelope import Command, major_of
from gateway.drivers.xfs4iot.properties import Complaints, by_name, section, sections, text, word
from gateway.drivers.xfs4iot.vocabulary import fold

NEWEST_MAJOR: Final = 3
"""Newest message major this driver reads."""

COMPONENT_ORDER: Final = (
    *("cdm", "cim", "idc", "nfc", "pin", "prr", "prj", "prp", "scn", "bcr", "bio", "idr"),
    *("aux", "vdm", "cam"),
)
"""A service's first component by this order gets its error events; the machine's first gives it its identity."""

_BY_INTERFACE: Final = {
    "cashdispenser": "cdm",
    "cashacceptor": "cim",
    "pinpad": "pin",
    "keymanagement": "pin",
    "keyboard": "pin",
    "crypto": "pin",
    "barcodereader": "bcr",
    "biometric": "bio",
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
    ("scanner", "scn"),
    ("document", "prp"),  # a printer of forms; a passbook printer that says so goes before it
)
"""Types of ``printer.type`` and their component; the first that a printer has decides."""

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
        guessed: components that its capabilities do not name outright; a service that names them goes before it.
        has_storage: whether it answers ``Storage.GetStorage``.
        identity: what the module says it is; the maker is told by the service publisher.
        versions: newest readable version of each command and event the service lists, by name.
    """

    components: tuple[str, ...] = ()
    guessed: frozenset[str] = frozenset()
    has_storage: bool = False
    identity: Identity = field(default_factory=Identity)
    versions: Mapping[str, str] = field(default_factory=dict)

    def set_versions(self) -> Mapping[str, Any]:
        """Payload of ``Common.SetVersions``; empty where the service lists no versions."""
        commands = {name: major_of(self.versions[name]) for name in Command if name in self.versions}
        events = {name: major_of(self.versions[name]) for name in EVENTS if name in self.versions}
        chosen: dict[str, Any] = {"commands": commands, "events": events}
        return {key: value for key, value in chosen.items() if value}


def read_capabilities(payload: Mapping[str, Any], complaints: Complaints) -> Profile:
    """Read the completion of ``Common.Capabilities``."""
    listed = sections(payload, "interfaces", complaints)
    names = {fold(text(item, "name")) for item in listed}
    names.update(fold(key) for key, value in payload.items() if isinstance(value, Mapping))
    found = {_BY_INTERFACE[name] for name in names if name in _BY_INTERFACE}
    guessed: set[str] = set()
    own = by_name(payload)
    if "cardreader" in names:
        reader = section(own, "cardreader", complaints)
        found.add("nfc" if word(reader, "type", complaints) in _CONTACTLESS else "idc")
    if "printer" in names:
        component, is_guess = _printer(section(own, "printer", complaints), complaints)
        found.add(component)
        guessed |= {component} if is_guess else set()
    return Profile(
        components=tuple(component for component in COMPONENT_ORDER if component in found),
        guessed=frozenset(guessed),
        has_storage="storage" in names,
        identity=_identity(section(own, "common", complaints), complaints),
        versions=_versions(listed, complaints),
    )


def _printer(capabilities: Mapping[str, Any], complaints: Complaints) -> tuple[str, bool]:
    """Component of a printer, and whether that is a guess."""
    types = by_name(section(capabilities, "type", complaints))
    named = [key for key, value in types.items() if value is True]
    return next(
        ((component, key == "document") for key, component in _PRINTERS if key in named),
        ("prr", True),
    )


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
    wanted = {fold(name): str(name) for name in (*Command, *EVENTS)}
    chosen: dict[str, str] = {}
    for item in listed if isinstance(listed, (list, tuple)) else ():
        for group in ("commands", "events"):
            for name, entry in section(item, group, complaints).items():
                known = wanted.get(fold(name))
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
