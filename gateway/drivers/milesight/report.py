"""What a sensor pushes: one JSON object, in the variants of its firmwares. Pure.

Source: two captured sets of pushes of VS125 and VS133 sensors; older VS121-P names: unverified.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contracts.errors import DeviceMisbehaved

MOST_REPORT_BYTES: Final = 64 * 1024
"""A push with four lines and four regions has about 4 KB."""

_LISTED: Final = 64
_MS: Final = 1000.0


@dataclass(frozen=True, slots=True)
class LineCount:
    """People who crossed a line in an interval, or at a moment."""

    line: int
    uuid: str
    people_in: int
    people_out: int


@dataclass(frozen=True, slots=True)
class LineTotal:
    """People who crossed a line since its totals began; ``capacity`` is in minus out as the sensor has it."""

    line: int
    people_in: int
    people_out: int
    capacity: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """One push.

    Attributes:
        serial: serial number of the sensor; its hardware address where it says none.
        device_id: id given to the sensor by whoever installed it, empty where none.
        site_id: likewise for the site.
        model: model, where it says.
        firmware: firmware version.
        running_s: seconds since it started, ``None`` where it does not say.
        begin_at: beginning of the interval, ``None`` for a moment. Without a zone where the sensor gives local time.
        end_at: end of the interval, or the moment; ``None`` where there is no time.
        periodic: counts of the interval, by line.
        trigger: counts of the moment, by line.
        totals: totals, by line.
        regions: people in each region.
        dwells_s: mean seconds spent in each region.
        network: state of its mobile connection, empty where it says none.
        event: a message that is no count.
    """

    serial: str
    device_id: str = ""
    site_id: str = ""
    model: str = ""
    firmware: str = ""
    running_s: float | None = None
    begin_at: datetime | None = None
    end_at: datetime | None = None
    periodic: tuple[LineCount, ...] = ()
    trigger: tuple[LineCount, ...] = ()
    totals: tuple[LineTotal, ...] = ()
    regions: tuple[tuple[int, int], ...] = ()
    dwells_s: tuple[tuple[int, float], ...] = ()
    network: str = ""
    event: str = ""

    def placed(self, zone: tzinfo) -> "Report":
        """The same in UTC, times without offset taken as local in ``zone``."""
        return replace(self, begin_at=_in_utc(self.begin_at, zone), end_at=_in_utc(self.end_at, zone))

    def turned(self, lines: tuple[int, ...]) -> "Report":
        """The same with in and out of some lines exchanged."""
        if not lines:
            return self
        return replace(
            self,
            periodic=tuple(_turned(count) if count.line in lines else count for count in self.periodic),
            trigger=tuple(_turned(count) if count.line in lines else count for count in self.trigger),
            totals=tuple(_turned_total(total) if total.line in lines else total for total in self.totals),
        )


def _turned(count: LineCount) -> LineCount:
    return replace(count, people_in=count.people_out, people_out=count.people_in)


def _turned_total(total: LineTotal) -> LineTotal:
    capacity = None if total.capacity is None else -total.capacity
    return LineTotal(total.line, total.people_out, total.people_in, capacity)


def _in_utc(at: datetime | None, zone: tzinfo) -> datetime | None:
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


# -- the JSON ----------------------------------------------------------------------------------------------------------


def _time(value: object) -> object:
    """``2026-07-31T23:11:00+00:00``, ``2026-07-16 06:40:00`` or ``2026/07/16 06:40:00``."""
    if not isinstance(value, str) or not 19 <= len(value) <= 40 or not value.isascii():
        raise ValueError("expected a time such as 2026-07-31T23:11:00+00:00 or 2026-07-31 23:11:00")
    at = datetime.fromisoformat(value.replace("/", "-"))
    if not 1970 < at.year < 2200:  # so that every sum with an offset is a time, too
        raise ValueError(f"year {at.year} is no year of a sensor")
    return at


def _seconds(value: object) -> object:
    if isinstance(value, str) and len(value) <= 20:
        return float(value)
    return value


_Count = Annotated[int, Field(ge=0, le=10_000_000)]
_Balance = Annotated[int, Field(ge=-100_000_000, le=100_000_000)]
_Total = Annotated[int, Field(ge=0, le=1_000_000_000)]
_Number = Annotated[int, Field(ge=1, le=_LISTED)]
_Text = Annotated[str, Field(max_length=128)]
_Time = Annotated[datetime, BeforeValidator(_time)]
_Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=1e10, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, populate_by_name=True)


class _Device(_Part):
    serial: _Text = Field(default="", validation_alias=AliasChoices("device_sn", "sn", "devsn"))
    mac: _Text = Field(default="", validation_alias=AliasChoices("device_mac", "mac"))
    device: _Text = ""
    device_id: _Text = Field(default="", validation_alias=AliasChoices("cus_device_id", "custom_device_id"))
    site_id: _Text = Field(default="", validation_alias=AliasChoices("cus_site_id", "custom_site_id"))
    firmware: _Text = Field(default="", validation_alias=AliasChoices("firmware_version", "firmware"))
    running_s: _Duration | None = Field(default=None, validation_alias=AliasChoices("running_time", "running_s"))


class _Times(_Part):
    time: _Time | None = None
    start_time: _Time | None = None
    end_time: _Time | None = None


class _Passed(_Part):
    people_in: _Count = Field(alias="in")
    people_out: _Count = Field(alias="out")


class _Line(_Part):
    line: _Number
    uuid: _Text = Field(default="", alias="line_uuid")
    total: _Passed


class _Counted(_Part):
    people_in: _Total = Field(alias="in_counted")
    people_out: _Total = Field(alias="out_counted")
    capacity: _Balance | None = Field(default=None, alias="capacity_counted")


class _LineSum(_Part):
    line: _Number
    total: _Counted


class _People(_Part):
    current_total: _Count


class _Region(_Part):
    region: _Number
    total: _People | None = None
    current_total: _Count | None = None


class _Dwell(_Part):
    region: _Number
    mean_ms: _Duration | None = Field(default=None, validation_alias=AliasChoices("avg_dwell_time", "duration"))


class _Regions(_Part):
    region_count_data: list[_Region] = Field(default=[], max_length=_LISTED)
    dwell_time_data: list[_Dwell] = Field(default=[], max_length=_LISTED)


class _Network(_Part):
    network_status: str | bool | int = Field(default="")


class _Push(_Part):
    device_info: _Device
    time_info: _Times = _Times()
    event: _Text = ""
    line_periodic_data: list[_Line] = Field(default=[], max_length=_LISTED)
    line_trigger_data: list[_Line] = Field(default=[], max_length=_LISTED)
    line_total_data: list[_LineSum] = Field(default=[], max_length=_LISTED)
    region_data: _Regions | list[_Region] = _Regions()
    region_trigger_data: _Regions = _Regions()
    region_count_data: list[_Region] = Field(default=[], max_length=_LISTED)
    network_info: _Network | None = None
    current_total: _Count | None = None
    connection_test: Any = None


def parse_report(body: bytes) -> Report:
    """Read a push.

    Raises:
        DeviceMisbehaved: it is no push of a people counter.
    """
    if len(body) > MOST_REPORT_BYTES:
        raise DeviceMisbehaved(f"push of {len(body)} bytes, expected at most {MOST_REPORT_BYTES}; check who sends it")
    try:
        push = _Push.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:100] or "body"
        raise DeviceMisbehaved(
            f"push: {where}: {first['msg'][:200]}; expected a people counter's JSON, check the sensor's push settings"
        ) from error
    device, times = push.device_info, push.time_info
    serial = device.serial or device.mac or device.device_id
    if not serial:
        raise DeviceMisbehaved("push: device_info: names no device_sn; check who sends it")
    if (push.line_periodic_data or push.line_trigger_data) and times.end_time is None and times.time is None:
        raise DeviceMisbehaved(
            f"push of {serial}: counts without a time in time_info; check the sensor's push settings"
        )
    if times.start_time is not None and times.end_time is not None and _length_s(times) < 0:
        raise DeviceMisbehaved(f"push of {serial}: interval from {times.start_time} to {times.end_time}")
    return Report(
        serial=serial,
        device_id=device.device_id,
        site_id=device.site_id,
        model=device.device,
        firmware=device.firmware,
        running_s=device.running_s,
        begin_at=times.start_time,
        end_at=times.end_time or times.time,
        periodic=_counts(push.line_periodic_data),
        trigger=_counts(push.line_trigger_data),
        totals=tuple(
            LineTotal(row.line, row.total.people_in, row.total.people_out, row.total.capacity)
            for row in {row.line: row for row in push.line_total_data}.values()
        ),
        regions=tuple(dict(_regions(push)).items()),
        dwells_s=tuple(_dwells_s(push)),
        network="" if push.network_info is None else str(push.network_info.network_status)[:32].lower(),
        event=push.event or ("connection test" if push.connection_test is not None else ""),
    )


def _length_s(times: _Times) -> float:
    begin_at, end_at = times.start_time, times.end_time
    if begin_at is None or end_at is None or (begin_at.tzinfo is None) != (end_at.tzinfo is None):
        return -1.0
    return (end_at - begin_at).total_seconds()


def _counts(rows: list[_Line]) -> tuple[LineCount, ...]:
    """Each line once: a line that stands twice in one push is the same line."""
    by_line = {row.line: row for row in rows}
    return tuple(
        LineCount(row.line, row.uuid or str(row.line), row.total.people_in, row.total.people_out)
        for row in by_line.values()
    )


def _regions(push: _Push) -> Iterator[tuple[int, int]]:
    if push.current_total is not None:
        yield 1, push.current_total
    listed = push.region_data if isinstance(push.region_data, list) else push.region_data.region_count_data
    for row in (*push.region_trigger_data.region_count_data, *push.region_count_data, *listed):
        people = row.current_total if row.total is None else row.total.current_total
        if people is not None:
            yield row.region, people


def _dwells_s(push: _Push) -> Iterator[tuple[int, float]]:
    """Mean dwell by region; a trigger tells of one person each, a periodic push the mean itself."""
    rows = list(push.region_trigger_data.dwell_time_data)
    if isinstance(push.region_data, _Regions):
        rows += push.region_data.dwell_time_data
    for region in sorted({row.region for row in rows}):
        mine = [row.mean_ms for row in rows if row.region == region and row.mean_ms is not None]
        if mine:
            yield region, round(sum(mine) / len(mine) / _MS, 1)
