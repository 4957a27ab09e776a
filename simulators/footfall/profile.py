"""How many people come, by hour, weekday and day of the month.

Source: the profile ``cn`` is assumed for a Chinese bank branch; open from 9 to 17 o'clock. ``lunch`` is a branch in a business
district: teaching data of one main branch over ten weeks.
"""

import random
from calendar import monthrange
from datetime import date, datetime
from typing import Final, Literal

Profile = Literal["cn", "lunch"]

OPENS_HOUR: Final = 9
CLOSES_HOUR: Final = 17

VISITORS_A_DAY: Final = {1: 450.0, 2: 280.0, 3: 160.0}
"""Mean on an average weekday, by tier of the branch."""

HOUR_SHARES: Final = (0.16, 0.18, 0.14, 0.09, 0.09, 0.13, 0.12, 0.09)
"""Share of the day's visitors who come in each hour from opening on."""

_LUNCH_PEOPLE: Final = (32, 22, 58, 72, 49, 32, 24, 66)
LUNCH_SHARES: Final = tuple(people / sum(_LUNCH_PEOPLE) for people in _LUNCH_PEOPLE)
LUNCH_SATURDAY_SHARES: Final = tuple(people / sum(_LUNCH_PEOPLE) for people in (82, 56, 135))
LUNCH_FRIDAY_FACTOR: Final = 1.70
"""The same for ``lunch``: Monday to Thursday, and Saturday from 9 to 12; against the day's visitors of Monday to Thursday."""

BETWEEN_BRANCHES: Final = 0.35
"""Coefficient of variation of the visitors between branches of one tier; gamma distributed."""

WEEKDAY_FACTORS: Final = (1.22, 1.06, 1.00, 0.98, 1.04, 0.80, 0.65)
"""Monday to Sunday, where open."""

PENSION_FACTOR: Final = 1.25
"""Days 10 to 15, when pensions are paid."""

MONTH_END_FACTOR: Final = 1.15
"""The last three days of a month."""


def day_factor(day: date) -> float:
    """Visitors of a day against an average one."""
    factor = WEEKDAY_FACTORS[day.weekday()]
    if 10 <= day.day <= 15:
        factor *= PENSION_FACTOR
    if day.day > monthrange(day.year, day.month)[1] - 3:
        factor *= MONTH_END_FACTOR
    return factor


def visitors_of_branch(tier: int, chance: random.Random) -> float:
    """Draw a branch's mean visitors a day.

    Args:
        tier: 1, 2 or 3.
        chance: random source of the branch.
    """
    shape = 1 / BETWEEN_BRANCHES**2
    return VISITORS_A_DAY[tier] * chance.gammavariate(shape, 1 / shape)


def visitors_an_hour(at: datetime, visitors_a_day: float, profile: Profile = "cn") -> float:
    """Mean rate of arrival at a local time, people an hour; constant from one full hour to the next.

    Args:
        at: local time.
        visitors_a_day: mean of the branch on an average weekday.
        profile: what kind of branch it is.
    """
    index = at.hour - OPENS_HOUR
    shares = HOUR_SHARES if profile == "cn" else _lunch_shares(at.weekday())
    if not 0 <= index < len(shares):
        return 0.0
    return visitors_a_day * shares[index] * (day_factor(at.date()) if profile == "cn" else 1.0)


def _lunch_shares(weekday: int) -> tuple[float, ...]:
    match weekday:
        case 4:
            return tuple(share * LUNCH_FRIDAY_FACTOR for share in LUNCH_SHARES)
        case 5:
            return LUNCH_SATURDAY_SHARES
        case 6:
            return ()
        case _:
            return LUNCH_SHARES
