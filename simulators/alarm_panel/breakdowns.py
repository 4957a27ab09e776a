"""What breaks at a panel in one day, and when somebody has put it right.

All times are local. Source: rates as in :class:`~simulators.alarm_panel.day.Habits`; how long a repair takes is assumed.
"""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo

from simulators.alarm_panel.contact_id import Code
from simulators.alarm_panel.day import Act, Habits, Step
from simulators.alarm_panel.zones import RADIO_EVERY, Zone

DAYS_A_YEAR = 365
PATH_MEDIAN_MIN = 12.0
"""Median of a path's failure, minutes."""

_PATH_SIGMA = 0.8
_VISIT = timedelta(minutes=35)


def plan_breakdowns(
    day: date, zone: tzinfo | None, habits: Habits, zones: Sequence[Zone], chance: random.Random
) -> list[Step]:
    """Draw one day.

    Args:
        day: local date.
        zone: time zone of the returned times.
        habits: how this branch lives.
        zones: the panel's zones.
        chance: the panel's random source.

    Returns:
        The steps, in no order; repairs may fall on later days.
    """
    midnight = datetime.combine(day, time(), zone)
    return list(_steps(midnight, habits, zones, chance))


def _steps(midnight: datetime, habits: Habits, zones: Sequence[Zone], chance: random.Random) -> Iterator[Step]:
    def begins() -> datetime:
        return midnight + timedelta(hours=chance.uniform(0, 24))

    def somebody_comes(after: datetime) -> datetime:
        return after + timedelta(hours=chance.uniform(4, 48))

    for one in zones:
        for code, rate in (
            (Code.ZONE_TROUBLE, habits.zone_fault_a_year),
            (Code.DETECTOR_BATTERY, habits.radio_battery_a_year if one.number % RADIO_EVERY == 0 else 0.0),
        ):
            if rate and chance.random() < rate / DAYS_A_YEAR:
                broke = begins()
                yield Step(broke, Act.FAULT, one.area, one.number, code=code)
                yield Step(somebody_comes(broke), Act.FAULT_OVER, one.area, one.number, code=code)
    if chance.random() < habits.battery_a_year / DAYS_A_YEAR:
        worn = begins()
        yield Step(worn, Act.BATTERY_WORN)
        yield Step(somebody_comes(worn), Act.BATTERY_NEW)
    for path, a_day in enumerate((habits.path_1_a_day, habits.path_2_a_day)):
        if chance.random() < a_day:
            fell = begins()
            lasts = timedelta(minutes=chance.lognormvariate(math.log(PATH_MEDIAN_MIN), _PATH_SIGMA))
            yield Step(fell, Act.PATH_OFF, number=path)
            yield Step(fell + lasts, Act.PATH_ON, number=path)
    if chance.random() < habits.service_a_year / DAYS_A_YEAR:
        came = midnight + timedelta(hours=chance.uniform(9, 16))
        yield Step(came, Act.PROGRAMMING_ON)
        yield Step(came + _VISIT, Act.PROGRAMMING_OFF)
