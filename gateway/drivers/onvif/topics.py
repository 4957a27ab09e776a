"""Which event topics tell which signals. Pure.

Source: ONVIF Core and the services' specifications, topics below ``tns1:``; names of data items as they define them.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Meaning(Enum):
    """What is done with a message of a topic."""

    FLAG = auto()  # a boolean that holds until it is said anew; several sources: true if one is
    INPUT = auto()  # a flag of each input of its own
    RELAY = auto()
    JOB = auto()  # a recording job's state; several: the worst
    GAUGE = auto()
    LOAD = auto()  # processor load as a ratio or in percent
    REBOOT = auto()  # time of the last start
    CLOCK_SET = auto()  # time when the clock was last synchronised
    LOGIN_FAILED = auto()


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that has a signal.

    Attributes:
        prefix: its path; what hangs below belongs to it.
        path: signal of the catalogue.
        items: names of the data item, the standard's first.
        meaning: what is done with it.
    """

    prefix: str
    path: str
    items: tuple[str, ...]
    meaning: Meaning = Meaning.FLAG


TOPICS: Final = (
    Topic("VideoSource/SignalLoss", "video/signal_loss", ("State",)),
    Topic("VideoSource/GlobalSceneChange", "video/scene_change", ("State",)),
    Topic("RuleEngine/TamperDetector", "video/tamper", ("IsTamper", "State")),
    Topic("VideoSource/ImageTooDark", "video/too_dark", ("State",)),
    Topic("VideoSource/ImageTooBright", "video/too_bright", ("State",)),
    Topic("VideoSource/ImageTooBlurry", "video/too_blurry", ("State",)),
    Topic("VideoSource/ImpairedVisibility", "video/impaired_visibility", ("State",)),
    Topic("VideoSource/MotionAlarm", "video/motion", ("State",)),
    Topic("RuleEngine/CellMotionDetector", "video/motion", ("IsMotion", "State")),
    Topic("RuleEngine/MotionRegionDetector", "video/motion", ("State", "IsMotion")),
    Topic("Device/HardwareFailure/FanFailure", "hardware/fan_failure", ("Failed",)),
    Topic("Device/HardwareFailure/PowerSupplyFailure", "hardware/power_supply_failure", ("Failed",)),
    Topic("Device/HardwareFailure/StorageFailure", "hardware/storage_failure", ("Failed",)),
    Topic("Device/HardwareFailure/TemperatureCritical", "hardware/temperature_critical", ("Critical",)),
    Topic("Device/Trigger/DigitalInput", "io/input", ("LogicalState",), Meaning.INPUT),
    Topic("Device/Trigger/Relay", "io/relay", ("LogicalState",), Meaning.RELAY),
    Topic("Monitoring/ProcessorUsage", "hardware/cpu", ("Value",), Meaning.LOAD),
    Topic("Monitoring/EnvironmentalConditions/Temperature", "hardware/temperature", ("Status",), Meaning.GAUGE),
    Topic("Monitoring/OperatingTime/LastReboot", "device/reboots", ("Status",), Meaning.REBOOT),
    Topic("Monitoring/OperatingTime/LastClockSynchronization", "clock/sync_age", ("Status",), Meaning.CLOCK_SET),
    Topic("Device/SecurityPolicy/AuthFailed", "device/auth_failures", (), Meaning.LOGIN_FAILED),
    Topic("RecordingConfig/JobState", "recording/state", ("State",), Meaning.JOB),
)

_PREFIX: Final = "tns1:"


def normalise(topic: str) -> str:
    """Path of a topic: without the standard's prefix and without what some cameras hang at the end (``//.``, ``/``)."""
    segments = topic.strip().rstrip("/.").split("/")
    return "/".join(segment.removeprefix(_PREFIX) for segment in segments)


def find(topic: str) -> Topic | None:
    """The row of a normalised topic; ``None`` where no signal is for it."""
    for row in TOPICS:
        if topic == row.prefix or topic.startswith(row.prefix + "/"):
            return row
    return None


_TRUE: Final = frozenset({"true", "1", "active", "on", "yes"})
_FALSE: Final = frozenset({"false", "0", "inactive", "off", "no"})


def flag(value: str) -> bool | None:
    """Read a boolean as cameras write it; ``None`` where it is none."""
    word = value.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


JOB_WORDS: Final = ("Active", "Idle", "PartiallyActive", "Error")
"""Words of a recording job, the worst last."""


def job_word(value: str) -> str | None:
    """The standard's word for a recording job's state in whatever case; ``None`` where it is none."""
    return next((word for word in JOB_WORDS if word.lower() == value.strip().lower()), None)
