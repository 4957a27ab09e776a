"""The answer to ``export-json``: what a sensor counted in each interval of a day.

Source: Axis People Counter developer documentation; the names under ``types`` stand in the order of the values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.errors import DeviceMisbehaved

INTERVAL: Final = timedelta(minutes=15)
"""Length of a sensor's counting intervals.

Source: Axis People Counter, export-json, resolution 15m.
"""

MOST_HISTORY_BYTES: Final = 128 * 1024
"""A day in intervals of 15 minutes has about 3 KB."""

_START_FORMAT: Final = "%Y%m%d%H%M%S"
_START = re.compile(r"\d{14}", re.ASCII)
_IN = re.compile(r"\bin\b", re.IGNORECASE)
_OUT = re.compile(r"\bout\b", re.IGNORECASE)

_Value = Annotated[int, Field(ge=0, le=10_000_000)]


@dataclass(frozen=True, slots=True)
class Interval:
    """People counted in one interval.

    Attributes:
        end_at: its end, in the sensor's local time.
        people_in: people in.
        people_out: people out.
    """

    end_at: datetime
    people_in: int
    people_out: int


@dataclass(frozen=True, slots=True)
class Day:
    """What a sensor's history has of one of its days: the intervals it knows, in order."""

    intervals: tuple[Interval, ...] = ()

    @property
    def people_in(self) -> int:
        """People in, of all known intervals."""
        return sum(interval.people_in for interval in self.intervals)

    @property
    def people_out(self) -> int:
        """People out, of all known intervals."""
        return sum(interval.people_out for interval in self.intervals)

    def until(self, at: datetime) -> "Day":
        """The day so far, the interval that ``at`` is in included."""
        return Day(tuple(interval for interval in self.intervals if interval.end_at - INTERVAL <= at))


History = Mapping[date, Day]
"""Days asked for and answered, by the sensor's date."""


class _Counter(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    serial: str = Field(default="", max_length=64)
    delta: int = Field(default=900, ge=60, le=86_400)
    types: dict[str, Any] | list[str] = Field(default={}, max_length=32)


class _Export(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    counter: _Counter = _Counter()
    data: dict[str, list[_Value | None]] = Field(max_length=1500)


def query_of(day: date) -> str:
    """The question for one day."""
    return f"export-json&date={day.year:04d}{day:%m%d}&res=15m"


def parse_history(answer: bytes, day: date, serial: str, *, invert: bool = False) -> Day:
    """Read an answer for one day.

    Args:
        answer: the body.
        day: the day asked for; intervals of others are left out.
        serial: the sensor asked.
        invert: whether its directions are the wrong way round.

    Raises:
        DeviceMisbehaved: it is not what the interface promises.
    """
    try:
        export = _Export.model_validate_json(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:100] or "answer"
        raise DeviceMisbehaved(f"export-json of {day}: {where}: {first['msg']}; look at the sensor's log") from error
    if export.counter.serial not in {"", serial}:
        raise DeviceMisbehaved(
            f"export-json of {day}: serial {export.counter.serial!r}, expected {serial!r} as in live-sum.json"
        )
    places = _places(export.counter.types)
    length = timedelta(seconds=export.counter.delta)
    found = [_interval(start, values, places, length, invert=invert) for start, values in export.data.items()]
    mine = [interval for interval in found if interval is not None and _day_of(interval, length) == day]
    return Day(tuple(sorted(mine, key=lambda interval: interval.end_at)))


def _day_of(interval: Interval, length: timedelta) -> date:
    return (interval.end_at - length).date()


def _places(types: dict[str, Any] | list[str]) -> tuple[int, int]:
    """Where people in and people out stand among the values: first and second where the names do not say."""
    names = list(types)
    place_in = next((place for place, name in enumerate(names) if _IN.search(name)), None)
    place_out = next((place for place, name in enumerate(names) if _OUT.search(name)), None)
    return (0, 1) if place_in is None or place_out is None else (place_in, place_out)


def _interval(
    start: str, values: list[int | None], places: tuple[int, int], length: timedelta, *, invert: bool
) -> Interval | None:
    """One interval; ``None`` where the sensor has the place and no figures for it."""
    if not _START.fullmatch(start):
        raise DeviceMisbehaved(f"export-json: interval {start[:30]!r}, expected local time as YYYYMMDDhhmmss")
    if len(values) <= max(places):
        return None
    people_in, people_out = values[places[0]], values[places[1]]
    if people_in is None or people_out is None:
        return None
    try:
        end_at = datetime.strptime(start, _START_FORMAT) + length  # noqa: DTZ007  (the sensor's own time)
    except (ValueError, OverflowError) as error:
        raise DeviceMisbehaved(f"export-json: interval {start!r} is no time") from error
    return Interval(end_at, people_out, people_in) if invert else Interval(end_at, people_in, people_out)
