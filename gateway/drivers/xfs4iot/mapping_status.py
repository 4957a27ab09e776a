"""From ``Common.Status`` and its changes to state signals: one row a signal.

A service's status is kept as the words last seen, because a change names only what changed. What is kept is bounded by
the tables below, whatever the device sends.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.signals import CONDITION_ORDER, Condition, DeviceKind, Signal
from gateway.drivers.xfs4iot.properties import Complaints, by_name, section, sections, word
from gateway.drivers.xfs4iot.vocabulary import CAMERA_VIEWS, PAPER_SOURCES, POSITIONS, fold

MODULES: Final = frozenset({"cdm", "cim", "idc", "nfc", "pin", "prr", "prj", "prp", "scn", "bcr", "bio", "idr"})
"""Components that are hardware modules and so have a device state and errors."""

_RETRACT_BINS_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One state signal that stands as a word in a property of an interface.

    Attributes:
        path: signal path; ``{m}`` stands for each of the service's components of ``components``.
        interface: interface whose object holds it.
        property: the property.
        components: services that are none of these do not report it; empty for any service.
    """

    path: str
    interface: str
    property: str
    components: frozenset[str] = frozenset()


def _for(*components: str) -> frozenset[str]:
    return frozenset(components)


ROWS: Final = (
    Row("{m}/device", "common", "device", MODULES),
    Row("{m}/exchange", "common", "exchange", _for("cdm", "cim")),
    Row("{m}/anti_fraud", "common", "antiFraudModule", _for("cdm", "idc")),
    Row("cdm/dispenser", "cashManagement", "dispenser", _for("cdm")),
    Row("cdm/stacker", "cashDispenser", "intermediateStacker", _for("cdm")),
    Row("cim/acceptor", "cashManagement", "acceptor", _for("cim")),
    Row("cim/stacker", "cashAcceptor", "intermediateStacker", _for("cim")),
    Row("cim/banknote_reader", "cashAcceptor", "banknoteReader", _for("cim")),
    Row("{m}/media", "cardReader", "media", _for("idc", "idr")),
    Row("idc/chip_power", "cardReader", "chipPower", _for("idc")),
    Row("idc/chip_module", "cardReader", "chipModule", _for("idc")),
    Row("pin/encryption_state", "keyManagement", "encryptionState", _for("pin")),
    Row("pin/certificate_state", "keyManagement", "certificateState", _for("pin")),
    Row("{m}/media", "printer", "media", _for("prr", "prp", "scn")),
    Row("prp/ink", "printer", "ink", _for("prp")),
    Row("bcr/scanner", "barcodeReader", "scanner", _for("bcr")),
    Row("bio/subject", "biometric", "subject", _for("bio")),
    Row("aux/safe_door", "cashManagement", "safeDoor"),  # message major 1
    Row("aux/safe_door", "auxiliaries", "safeDoor"),
    Row("aux/operator_switch", "auxiliaries", "operatorSwitch"),
    Row("aux/cabinet_door", "auxiliaries", "cabinetDoor"),
    Row("aux/cabinet_front_door", "auxiliaries", "cabinetFrontDoor"),
    Row("aux/cabinet_rear_door", "auxiliaries", "cabinetRearDoor"),
    Row("aux/vandal_shield", "auxiliaries", "vandalShield"),
    Row("aux/tamper", "auxiliaries", "tamperSensor"),
    Row("aux/internal_tamper", "auxiliaries", "internalTamperSensor"),
    Row("aux/seismic", "auxiliaries", "seismicSensor"),
    Row("aux/heat", "auxiliaries", "heatSensor"),
    Row("aux/proximity", "auxiliaries", "proximitySensor"),
    Row("aux/consumer_display", "auxiliaries", "displaySensor"),  # message major 1
    Row("aux/consumer_display", "auxiliaries", "consumerDisplaySensor"),
    Row("aux/open_closed_indicator", "auxiliaries", "openClosedIndicator"),
    Row("aux/audible_alarm", "auxiliaries", "audibleAlarm"),
    Row("vdm/service", "vendorMode", "service"),
    Row("vdm/access_level", "vendorApplication", "accessLevel"),
)

POSITION_ROWS: Final = (
    Row("cdm/shutter", "cashDispenser", "shutter", _for("cdm")),
    Row("cdm/position_status", "cashDispenser", "positionStatus", _for("cdm")),
    Row("cdm/transport", "cashDispenser", "transport", _for("cdm")),
    Row("cdm/transport_status", "cashDispenser", "transportStatus", _for("cdm")),
    Row("cim/shutter", "cashAcceptor", "shutter", _for("cim")),
    Row("cim/position_status", "cashAcceptor", "positionStatus", _for("cim")),
    Row("cim/transport", "cashAcceptor", "transport", _for("cim")),
)
"""Signals that stand once for each position; the worst position speaks."""

NAMED_ROWS: Final = (
    (Row("{m}/{name}/paper", "printer", "paper", _for("prr", "prj")), PAPER_SOURCES),
    (Row("cam/{name}/state", "camera", "cameras"), CAMERA_VIEWS),
    (Row("cam/{name}/media", "camera", "media"), CAMERA_VIEWS),
)
"""Signals that stand once for each of some names inside a property."""

_FLAT_COMMON: Final = {key.lower(): key for key in ("device", "exchange", "antiFraudModule")}
_BATTERY: Final = {
    "full": "normal",
    "operational": "normal",
    "low": "low",
    "critical": "depleted",
    "failure": "failure",
}


class StatusView:
    """The status of one service as last seen.

    Args:
        kind: device kind; its rows say which of several words is the worst.
    """

    def __init__(self, kind: DeviceKind) -> None:
        self._kind = kind
        self._positions: dict[str, dict[str, str]] = {}  # path → position → word, so bounded by the tables

    def whole(self, payload: Mapping[str, Any], components: Iterable[str], complaints: Complaints) -> dict[str, str]:
        """Take a completion of ``Common.Status``; returns path → word of everything it says."""
        self._positions.clear()
        return self.change(payload, components, complaints)

    def change(self, payload: Mapping[str, Any], components: Iterable[str], complaints: Complaints) -> dict[str, str]:
        """Take a change, flat (message major 1) or nested; returns path → word of what it touches."""
        ours = tuple(components)
        payload = _nested(by_name(payload))
        seen = {
            path: value
            for row, name, value in self._words(payload, complaints)
            for path in _paths(row, ours, name)
            if value is not None
        }
        if "prr" in ours:
            seen.update(_retract_bins(payload, complaints))
        seen.update(_power(payload, complaints))
        return {path: value for path, value in seen.items() if self._kind.signal(path) is not None}

    def _words(self, payload: Mapping[str, Any], complaints: Complaints) -> Iterable[tuple[Row, str, str | None]]:
        for row in ROWS:
            yield row, "", word(section(payload, row.interface.lower(), complaints), row.property, complaints)
        for row in POSITION_ROWS:
            yield row, "", self._worst(row, payload, complaints)
        for row, names in NAMED_ROWS:
            owner = by_name(section(section(payload, row.interface.lower(), complaints), row.property, complaints))
            for name in names:
                yield row, name, word(owner, fold(name), complaints)

    def _worst(self, row: Row, payload: Mapping[str, Any], complaints: Complaints) -> str | None:
        positions = sections(section(payload, row.interface.lower(), complaints), "positions", complaints)
        touched = False
        kept = self._positions.setdefault(row.path, {})
        for item in positions:
            place = word(item, "position", complaints)
            value = word(item, row.property, complaints)
            if place in POSITIONS and value is not None:
                kept[place] = value
                touched = True
        signal = self._kind.signal(row.path)
        if not touched or signal is None:
            return None
        inputs = [value for place, value in kept.items() if place.startswith("in")]
        return max(
            inputs if row.interface == "cashAcceptor" and inputs else kept.values(),
            key=lambda item: _badness(signal, item),
        )


def _badness(signal: Signal, value: str) -> tuple[float, int]:
    ordinal = signal.ordinal(value)
    if ordinal is None:  # a word nobody listed tells more than ok, less than a known bad one
        return CONDITION_ORDER.index(Condition.OK) + 0.5, 0
    return CONDITION_ORDER.index(signal.states[ordinal].condition), ordinal


def _paths(row: Row, ours: tuple[str, ...], name: str) -> Iterable[str]:
    if not row.components:
        return (row.path.replace("{name}", name),)
    return (
        row.path.replace("{m}", component).replace("{name}", name) for component in ours if component in row.components
    )


def _nested(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a flat change (message major 1: common properties only) the shape of a nested one."""
    flat = {
        _FLAT_COMMON[key]: value
        for key, value in payload.items()
        if key in _FLAT_COMMON and not isinstance(value, Mapping)
    }
    return {**payload, "common": flat} if flat and "common" not in payload else payload


def _retract_bins(payload: Mapping[str, Any], complaints: Complaints) -> Iterable[tuple[str, str]]:
    """Message major 1 lists a printer's retract bins in its status."""
    bins = sections(section(payload, "printer", complaints), "retractBins", complaints)
    for index, item in enumerate(bins[:_RETRACT_BINS_MOST]):
        number = item.get("binNumber", index + 1)  # the threshold event names the bin
        state = word(item, "state", complaints)
        if state is not None and isinstance(number, int) and 1 <= number <= _RETRACT_BINS_MOST:
            yield f"prr/retract{number}/replenishment", state


def _power(payload: Mapping[str, Any], complaints: Complaints) -> Iterable[tuple[str, str]]:
    """UPS flags of Auxiliaries and the power supply's own interface, as source and battery."""
    flags = section(section(payload, "auxiliaries", complaints), "UPS", complaints)
    if isinstance(flags.get("powering"), bool):
        yield "ups/source", "battery" if flags["powering"] else "normal"
    if isinstance(flags.get("low"), bool):
        yield "ups/battery", "low" if flags["low"] else "normal"
    info = section(section(payload, "powermanagement", complaints), "info", complaints)
    source = word(info, "powerInStatus", complaints)
    if source is not None:
        yield "ups/source", {"powering": "normal", "noPower": "battery"}.get(source, source)
    battery = word(info, "batteryStatus", complaints)
    if battery is not None:
        yield "ups/battery", _BATTERY.get(battery, battery)
