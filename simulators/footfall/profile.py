"""How many people come, by hour, weekday and day of the month.

Source: the profile is assumed for a Chinese bank branch; open from 9 to 17 o'clock.
"""

from calendar import monthrange
from datetime import date, datetime
from typing import Final

OPENS_HOUR: Final = 9
CLOSES_HOUR: Final = 17

VISITORS_A_DAY: Final = {1: 450.0, 2: 280.0, 3: 160.0}
"""Mean on an average weekday, by tier of the branch."""

HOUR_SHARES: Final = (0.16, 0.18, 0.14, 0.09, 0.09, 0.13, 0.12, 0.09)
"""Share of the day's visitors who come in each hour from opening on."""

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


def visitors_an_hour(at: datetime, visitors_a_day: float) -> float:
    """Mean rate of arrival at a local time, people an hour; constant from one full hour to the next.

    Args:
        at: local time.
        visitors_a_day: mean of the branch on an average weekday.
    """
    index = at.hour - OPENS_HOUR
    if not 0 <= index < len(HOUR_SHARES):
        return 0.0
    return visitors_a_day * HOUR_SHARES[index] * day_factor(at.date())
