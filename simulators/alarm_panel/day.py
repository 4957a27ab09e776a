"""What staff and chance do to a panel in one day, drawn at its beginning.

All times are local. Source: the figures are assumed (plausible, not measured) where nothing else is said.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from simulators.alarm_panel.contact_id import Code
from simulators.alarm_panel.zones import ATM_ROOM, BUTTON_ZONE, CASH, ENTRANCE_ZONE, HALL, Zone, of_area

ARMING_DEADLINE = timedelta(minutes=60)
"""After closing time; by then the areas of the plan are armed."""

GRACE = timedelta(minutes=30)
"""After the deadline, before the panel itself says that it was not closed."""


class Act(StrEnum):
    """Something that happens to the panel."""

    DISARM = "disarm"
    ARM = "arm"
    CHECK_CLOSED = "check_closed"  # the panel compares with its own schedule
    BYPASS = "bypass"
    UNBYPASS = "unbypass"
    TEST = "test"
    ALARM = "alarm"
    ALARM_OVER = "alarm_over"
    ENTRY_ALARM = "entry_alarm"  # a member of staff is too slow at the keypad
    CANCEL = "cancel"
    MAINS_OFF = "mains_off"
    MAINS_ON = "mains_on"
    FAULT = "fault"  # something of the panel or a zone breaks; the code says what
    FAULT_OVER = "fault_over"
    BATTERY_WORN = "battery_worn"
    BATTERY_NEW = "battery_new"
    PATH_OFF = "path_off"  # the number says which
    PATH_ON = "path_on"
    PROGRAMMING_ON = "programming_on"
    PROGRAMMING_OFF = "programming_off"


@dataclass(frozen=True, slots=True)
class Step:
    """One act at its local time, with area, zone or user, and code where it has them."""

    at: datetime
    act: Act
    area: int = 0
    number: int = 0
    late: bool = False
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class Habits:
    """How a branch lives with its panel.

    Attributes:
        opens: local opening time.
        closes: local closing time.
        late_share: share of days on which arming comes later than 30 min past the deadline.
        forgotten_share: share of days on which nobody arms.
        bypass_share: share of armings with one zone bypassed.
        bypass_forgotten_share: of these, those that stay over the next opening.
        exchanges_a_day: visits to the ATM room.
        alarms_a_month: activations without a cause.
        entry_error_share: of these, those at the entrance, cancelled by code.
        button_a_month: hold-up buttons pressed by mistake.
        fuse_a_year: mains losses of the panel alone.
        zone_fault_a_year: faults of one detector or its loop.
        radio_battery_a_year: empty batteries of one radio detector.
        battery_a_year: worn-out batteries of the panel.
        path_1_a_day: failures of the first path; median 12 min.
        path_2_a_day: failures of the second path, where there is one.
        service_a_year: visits that change the program.
    """

    opens: time = time(9)
    closes: time = time(17)
    late_share: float = 0.015
    forgotten_share: float = 0.003
    bypass_share: float = 1 / 20
    bypass_forgotten_share: float = 0.25
    exchanges_a_day: float = 1 / 3
    alarms_a_month: float = 0.6
    entry_error_share: float = 0.8
    button_a_month: float = 1 / 14
    fuse_a_year: float = 1 / 6
    zone_fault_a_year: float = 1 / 8
    radio_battery_a_year: float = 1 / 3
    battery_a_year: float = 1 / 4
    path_1_a_day: float = 1 / 60
    path_2_a_day: float = 1 / 120
    service_a_year: float = 2.0


WITHOUT_MISHAPS = Habits(
    late_share=0,
    forgotten_share=0,
    bypass_share=0,
    exchanges_a_day=0,
    alarms_a_month=0,
    button_a_month=0,
    fuse_a_year=0,
    zone_fault_a_year=0,
    radio_battery_a_year=0,
    battery_a_year=0,
    path_1_a_day=0,
    path_2_a_day=0,
    service_a_year=0,
)
"""Opening, closing and tests only: for scenarios that bring their own failures."""


def plan_day(
    day: date, zone: tzinfo | None, habits: Habits, zones: Sequence[Zone], test_at: time, chance: random.Random
) -> list[Step]:
    """Draw one day.

    Args:
        day: local date.
        zone: time zone of the returned times, as the world's local time has it.
        habits: how this branch lives.
        zones: the panel's zones.
        test_at: local time of the periodic test.
        chance: the panel's random source.

    Returns:
        The steps in order of time; late arming may fall on the next day.
    """
    opens = datetime.combine(day, habits.opens, zone)
    closes = datetime.combine(day, habits.closes, zone)
    enters = opens - timedelta(minutes=chance.uniform(20, 40))
    steps = [
        Step(datetime.combine(day, test_at, zone), Act.TEST),
        Step(enters, Act.DISARM, HALL, chance.randint(1, 8)),
        Step(enters + timedelta(minutes=chance.uniform(10, 20)), Act.DISARM, CASH, chance.randint(1, 8)),
        *_closing(closes, habits, zones, opens + timedelta(days=1), chance),
    ]
    if chance.random() < habits.exchanges_a_day:
        begins = opens + (closes - opens) * chance.uniform(0.1, 0.8)
        user = chance.randint(1, 8)
        steps += [
            Step(begins, Act.DISARM, ATM_ROOM, user),
            Step(begins + timedelta(minutes=15), Act.ARM, ATM_ROOM, user),
        ]
    steps += _mishaps(datetime.combine(day, time(), zone), enters, habits, zones, chance)
    return sorted(steps, key=lambda step: step.at)


def _closing(
    closes: datetime, habits: Habits, zones: Sequence[Zone], next_opens: datetime, chance: random.Random
) -> list[Step]:
    deadline = closes + ARMING_DEADLINE
    steps = [Step(deadline + GRACE, Act.CHECK_CLOSED, area) for area in (CASH, HALL)]
    draw = chance.random()
    if draw < habits.forgotten_share:
        return steps
    late = draw < habits.forgotten_share + habits.late_share
    if late:
        armed = deadline + GRACE + timedelta(minutes=chance.uniform(1, 90))
    else:
        armed = closes + timedelta(minutes=min(60.0, max(10.0, chance.lognormvariate(math.log(25), 0.45))))
    user = chance.randint(1, 8)
    for area, at in ((CASH, armed - timedelta(minutes=3)), (HALL, armed)):
        candidates = of_area(zones, area)
        if candidates and chance.random() < habits.bypass_share:
            bypassed = chance.choice(candidates).number
            days = 1 if chance.random() < habits.bypass_forgotten_share else 0
            steps += [
                Step(at - timedelta(seconds=20), Act.BYPASS, area, bypassed),
                Step(next_opens + timedelta(days=days), Act.UNBYPASS, area, bypassed),
            ]
        steps.append(Step(at, Act.ARM, area, user, late))
    return steps


def _mishaps(
    midnight: datetime, enters: datetime, habits: Habits, zones: Sequence[Zone], chance: random.Random
) -> list[Step]:
    steps: list[Step] = []
    if chance.random() < habits.alarms_a_month / 30:
        if chance.random() < habits.entry_error_share:
            begins = enters - timedelta(seconds=61)
            cancelled = begins + timedelta(seconds=chance.uniform(10, 60))
            steps += [
                Step(begins, Act.ENTRY_ALARM, HALL, ENTRANCE_ZONE),
                Step(cancelled, Act.CANCEL, HALL, chance.randint(1, 8)),
                Step(cancelled, Act.ALARM_OVER, HALL, ENTRANCE_ZONE),
            ]
        else:
            asleep = [zone for area in (HALL, CASH, ATM_ROOM) for zone in of_area(zones, area)]
            steps += _alarm(midnight + timedelta(hours=chance.uniform(0, 5)), chance.choice(asleep), minutes=3)
    if chance.random() < habits.button_a_month / 30:
        button = next(zone for zone in zones if zone.number == BUTTON_ZONE)
        steps += _alarm(enters + timedelta(hours=chance.uniform(1, 8)), button, minutes=5)
    if chance.random() < habits.fuse_a_year / 365:
        blown = midnight + timedelta(hours=chance.uniform(0, 24))
        steps += [Step(blown, Act.MAINS_OFF), Step(blown + timedelta(hours=4), Act.MAINS_ON)]
    return steps


def _alarm(at: datetime, zone: Zone, minutes: float) -> list[Step]:
    return [
        Step(at, Act.ALARM, zone.area, zone.number),
        Step(at + timedelta(minutes=minutes), Act.ALARM_OVER, zone.area, zone.number),
    ]
