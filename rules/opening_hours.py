"""When branches are open: rules may withhold their verdict outside these hours."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from runtime.settings import Section
from runtime.time_zone import parse_time_zone

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


class Weekday(StrEnum):
    """Days, Monday first."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


_WEEK = tuple(Weekday)


def _time(text: str) -> str:
    if _TIME.fullmatch(text) is None:
        raise ValueError("expected a time of day between 00:00 and 24:00, in quotes")
    return text


class OpeningHoursSettings(Section):
    """Opening hours of all branches, local time."""

    opens: Annotated[str, AfterValidator(_time)] = Field(default="09:00", description="local time, in quotes")
    closes: Annotated[str, AfterValidator(_time)] = Field(default="17:00", description="local time, in quotes")
    days: tuple[Weekday, ...] = Field(default=_WEEK, min_length=1, description="days on which branches open")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError(f"opens {self.opens} is not before closes {self.closes}")
        return self


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """Opening hours as intervals of event time."""

    opens_min: int
    closes_min: int
    days: frozenset[int]
    zone: tzinfo

    @classmethod
    def of(cls, settings: OpeningHoursSettings, zone: str) -> Self:
        """Make it from settings and the name of the branches' zone."""
        return cls(
            _minutes(settings.opens),
            _minutes(settings.closes),
            frozenset(_WEEK.index(day) for day in settings.days),
            parse_time_zone(zone),
        )

    def later(self, after_opening_s: float) -> "OpeningHours":
        """The same hours beginning so much later each day; where branches never close they never open either."""
        if self.opens_min == 0:
            return self
        return replace(self, opens_min=min(self.opens_min + round(after_opening_s / 60), self.closes_min))

    def is_open(self, at_ms: int) -> bool:
        """Tell whether branches are open at a time, its opening minute included, its closing minute not."""
        local = datetime.fromtimestamp(at_ms / 1000, self.zone)
        minute = local.hour * 60 + local.minute
        return local.weekday() in self.days and self.opens_min <= minute < self.closes_min

    def next_change_ms(self, after_ms: int) -> int:
        """Next opening or closing time after a time."""
        midnight: dict[str, Any] = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
        first = datetime.fromtimestamp(after_ms / 1000, self.zone).replace(**midnight, tzinfo=None)
        for days in range(9):
            day = first + timedelta(days=days)
            if day.weekday() not in self.days:
                continue
            for minutes in (self.opens_min, self.closes_min):
                local = (day + timedelta(minutes=minutes)).replace(tzinfo=self.zone)
                change_ms = round(local.astimezone(UTC).timestamp() * 1000)
                if change_ms > after_ms:
                    return change_ms
        raise AssertionError("branches open at least once a week")
