"""Devices as the API shows them."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from console.api.endpoint import Inputs
from console.api.functions import FunctionState
from console.api.health import HealthReason
from console.api.missing import MissingView
from console.api.paging import PageQuery
from contracts.faults import Severity
from contracts.gateway_messages import BranchId, KindName, LocalDeviceId
from contracts.signals import Condition, Sort

MISSING: Final = (
    "what the gateway of the branch should have sent of this time and did not; any of its devices may lack it"
)

MOST_PATHS: Final = 50
MOST_BUCKET_S: Final = 31 * 86_400
MOST_BUCKETS: Final = 20_000
"""In one answer, over all paths."""


class DevicePath(Inputs):
    """Which device: the two parts of its id ``BR0421/atm-01``, with a plain slash or as one segment with ``%2F``."""

    branch_id: BranchId = Field(examples=["BR0421"])
    local_id: LocalDeviceId = Field(examples=["atm-01"])

    @property
    def device_id(self) -> str:
        """Full id."""
        return f"{self.branch_id}/{self.local_id}"


class DeviceQuery(PageQuery):
    """Filters of the list; all that are given must hold."""

    branch_id: BranchId | None = None
    kind: KindName | None = None
    health: tuple[Condition, ...] = Field(default=(), description="one or more conditions; none: all")


class HistoryQuery(Inputs):
    """Which readings of a device."""

    path: str = Field(max_length=200, description="concrete signal path", examples=["cdm/unit1/count"])
    from_ms: int = Field(alias="from", ge=0, lt=2**53, description="first moment, milliseconds since 1970 UTC")
    to_ms: int | None = Field(default=None, alias="to", ge=0, lt=2**53, description="end, exclusive; none: now")
    limit: int = Field(
        default=1000, ge=1, le=10_000, description="most readings to give, the newest where there are more"
    )


class BucketsQuery(Inputs):
    """Which readings of a device to sum up, and by what time."""

    path: tuple[str, ...] = Field(
        min_length=1, max_length=MOST_PATHS, description="concrete signal path; several are given by repeating it"
    )
    bucket_s: int = Field(
        ge=1, le=MOST_BUCKET_S, description="length of a bucket; multiples of 60 or 3600 are fast over long times"
    )
    from_ms: int = Field(alias="from", ge=0, lt=2**53, description="begin, rounded down to a whole bucket")
    to_ms: int | None = Field(
        default=None, alias="to", ge=0, lt=2**53, description="end, rounded up to a whole bucket; none: now"
    )


class DeviceEventsQuery(Inputs):
    """Which events of a device."""

    from_ms: int = Field(default=0, alias="from", ge=0, lt=2**53, description="first moment")
    to_ms: int | None = Field(default=None, alias="to", ge=0, lt=2**53, description="end, exclusive; none: now")
    limit: int = Field(default=100, ge=1, le=1000, description="most events to give, the newest first")


class HealthView(BaseModel):
    """Health of a device; ``unknown`` means no data."""

    model_config = ConfigDict(from_attributes=True)

    condition: Condition
    reason: HealthReason
    path: str = Field(description="the signal that decided, empty where none did")


class FaultCounts(BaseModel):
    """Faults of a device that are not over."""

    active: int
    unacknowledged: int
    worst_severity: Severity | None


class FunctionView(BaseModel):
    """What the device does for customers, and whether it still can."""

    name: str
    name_en: str
    name_zh: str
    state: FunctionState


class DeviceSummary(BaseModel):
    """A device with its health."""

    device_id: str = Field(examples=["BR0421/atm-01"])
    branch_id: str
    local_id: str
    kind: str
    kind_en: str
    kind_zh: str
    name: str
    health: HealthView
    faults: FaultCounts
    observed_at_ms: int | None = Field(description="newest reading; null: none yet")


class DevicePage(BaseModel):
    """Devices, ordered by id."""

    items: tuple[DeviceSummary, ...]
    next_cursor: str | None


class DeviceDetail(DeviceSummary):
    """A device with its identity and functions."""

    maker: str
    model: str
    serial: str
    firmware: str
    driver: str
    announced_at_ms: int
    removed_at_ms: int | None = Field(description="when the inventory left it out; null: it is there")
    functions: tuple[FunctionView, ...]


class ReadingView(BaseModel):
    """Newest reading of a signal; events are listed apart."""

    path: str
    name_en: str
    name_zh: str
    sort: Sort
    unit: str | None = Field(description="SenML unit")
    value: float = Field(description="number; for a state its ordinal")
    word: str | None = Field(description="word of a state; null for numbers")
    condition: Condition | None = Field(description="what a state says about the device; null for other sorts")
    observed_at_ms: int
    stale: bool = Field(description="too old to speak for the device")


class DeviceReadings(BaseModel):
    """Newest reading of every signal, ordered by path."""

    device_id: str
    items: tuple[ReadingView, ...]


class HistoryPoint(BaseModel):
    """One reading."""

    model_config = ConfigDict(from_attributes=True)

    observed_at_ms: int
    value: float
    word: str | None


class DeviceHistory(BaseModel):
    """Readings of one signal, oldest first."""

    device_id: str
    path: str
    unit: str | None
    items: tuple[HistoryPoint, ...]
    earlier_to_ms: int | None = Field(description="value of `to` for the readings before these; null: these are all")
    missing: tuple[MissingView, ...] = Field(description=MISSING)


class Bucket(BaseModel):
    """Readings of a stretch of time. Of states only count and last mean something."""

    begins_at_ms: int
    count: int = Field(description="readings, at least 1; a stretch without any is left out")
    minimum: float | None = Field(description="null for states")
    maximum: float | None = Field(description="null for states")
    mean: float | None = Field(description="of the readings, whatever time lay between them; null for states")
    last: float = Field(description="newest reading; for a state its ordinal")
    last_word: str | None = Field(description="word of a state; null for numbers")
    increase: float | None = Field(
        description="of a counter since the newest reading before; one that begins again at 0 counts on; null for others"
    )


class PathBuckets(BaseModel):
    """One signal, oldest first."""

    path: str
    name_en: str
    name_zh: str
    sort: Sort
    unit: str | None
    items: tuple[Bucket, ...]


class DeviceBuckets(BaseModel):
    """Readings of some signals summed up by time, in the order asked for."""

    device_id: str
    bucket_s: int
    signals: tuple[PathBuckets, ...]
    missing: tuple[MissingView, ...] = Field(description=MISSING)


class DeviceEvent(BaseModel):
    """A text the device sent."""

    model_config = ConfigDict(from_attributes=True)

    path: str
    observed_at_ms: int
    text: str


class DeviceEvents(BaseModel):
    """Event readings of a device, newest first."""

    device_id: str
    items: tuple[DeviceEvent, ...]
