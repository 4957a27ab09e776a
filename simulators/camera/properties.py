"""What the camera tells of itself as ONVIF property events: one row a topic.

Source: ONVIF Core, Imaging, Analytics, Recording and Device IO service specifications, topic chapters;
``RuleEngine/TamperDetector/Tamper`` is in none of them but sent by many cameras.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from simulators.camera.model import Camera

Value = bool | float | str
Items = tuple[tuple[str, str], ...]

_VIDEO: Final[Items] = (("Source", "VideoSource_1"),)


def _analytics(rule: str) -> Items:
    return (
        ("VideoSourceConfigurationToken", "VideoSourceConfig_1"),
        ("VideoAnalyticsConfigurationToken", "VideoAnalytics_1"),
        ("Rule", rule),
    )


class Style(StrEnum):
    """How firmware that departs from the standard writes the truth about such a thing."""

    WORD = "word"  # True
    NUMBER = "number"  # 1
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Property:
    """One topic.

    Attributes:
        topic: below ``tns1:``.
        source: items that say which part is meant.
        data: name of the data item.
        read: its value.
        step: change of a number worth telling.
        style: how odd firmware writes its truth.
        of_recording: only cameras that record have it.
    """

    topic: str
    source: Items
    data: str
    read: Callable[[Camera], Value]
    step: float = 0.0
    style: Style = Style.WORD
    of_recording: bool = False


def stamp(at_ms: int) -> str:
    """``xs:dateTime`` in UTC, to the second."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


PROCESSOR: Final = "Monitoring/ProcessorUsage"

PROPERTIES: Final = (
    Property("VideoSource/SignalLoss", _VIDEO, "State", lambda c: c.signal_lost),
    Property("VideoSource/GlobalSceneChange/ImagingService", _VIDEO, "State", lambda c: c.moved),
    Property("VideoSource/ImageTooDark/ImagingService", _VIDEO, "State", lambda c: c.sees_too_dark),
    Property("VideoSource/ImageTooBright/ImagingService", _VIDEO, "State", lambda c: c.blinded),
    Property("VideoSource/ImageTooBlurry/ImagingService", _VIDEO, "State", lambda c: c.lens.blurred),
    Property("VideoSource/ImpairedVisibility", _VIDEO, "State", lambda c: c.lens.impaired),
    Property("VideoSource/MotionAlarm", _VIDEO, "State", lambda c: c.motion),
    Property(
        "RuleEngine/TamperDetector/Tamper",
        _analytics("Tamper_1"),
        "IsTamper",
        lambda c: c.tampered,
        style=Style.ACTIVE,
    ),
    Property(
        "RuleEngine/CellMotionDetector/Motion",
        _analytics("Motion_1"),
        "IsMotion",
        lambda c: c.motion,
        style=Style.ACTIVE,
    ),
    Property(
        "Device/HardwareFailure/FanFailure",
        (("Token", "Fan_1"),),
        "Failed",
        lambda c: c.housing.fan_failed,
        style=Style.NUMBER,
    ),
    Property(
        "Device/HardwareFailure/PowerSupplyFailure",
        (("Token", "Supply_1"),),
        "Failed",
        lambda c: c.supply_failed,
        style=Style.NUMBER,
    ),
    Property(
        "Device/HardwareFailure/StorageFailure",
        (("Token", "Disk_1"),),
        "Failed",
        lambda c: c.recorder is not None and c.recorder.disk_failed,
        style=Style.NUMBER,
        of_recording=True,
    ),
    Property(
        "Device/HardwareFailure/TemperatureCritical",
        (),
        "Critical",
        lambda c: c.housing.critical,
        style=Style.NUMBER,
    ),
    Property(
        "Device/Trigger/DigitalInput",
        (("InputToken", "Input_1"),),
        "LogicalState",
        lambda c: c.cover_open,
        style=Style.NUMBER,
    ),
    Property(
        "Device/Trigger/Relay",
        (("RelayToken", "Relay_1"),),
        "LogicalState",
        lambda c: "active" if c.dark else "inactive",
    ),
    Property(PROCESSOR, (("Token", "Processor_1"),), "Value", lambda c: c.load, step=0.05),
    Property("Monitoring/OperatingTime/LastReboot", (), "Status", lambda c: stamp(c.booted_ms)),
    Property("Monitoring/OperatingTime/LastClockSynchronization", (), "Status", lambda c: stamp(c.synchronised_ms)),
    Property(
        "Monitoring/EnvironmentalConditions/Temperature", (), "Status", lambda c: c.housing.temperature_c, step=0.5
    ),
    Property(
        "RecordingConfig/JobState",
        (("RecordingJobToken", "RecordingJob_1"),),
        "State",
        lambda c: "" if c.recorder is None else c.recorder.state.value,
        of_recording=True,
    ),
)
"""The digital input is the contact of the housing's cover, the relay switches the infrared lamp."""

AUTH_FAILED: Final = "Device/SecurityPolicy/AuthFailed"
SHUTDOWN: Final = "Device/OperationMode/ShutdownInitiated"
EVENTS: Final = {AUTH_FAILED: ("NetworkInterface",), SHUTDOWN: ()}
"""Topics that are no properties, and the items of their source."""
