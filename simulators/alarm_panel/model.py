"""What a panel is: areas, zones, mains, battery and faults, and what it reports when they change.

No I/O, no clock of its own.
"""

import random
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from simulators.alarm_panel.battery import GOOD_V, LOW_V, Battery
from simulators.alarm_panel.breakdowns import plan_breakdowns
from simulators.alarm_panel.contact_id import WHOLE_PANEL, Code, Report, new, restored
from simulators.alarm_panel.day import Act, Habits, Step, plan_day
from simulators.alarm_panel.zones import ALWAYS_AWAKE, AREAS, ATM_ROOM, Detector, Zone

_PLAIN = {Act.TEST: Code.PERIODIC_TEST, Act.CANCEL: Code.CANCEL}
"""Acts that are reported and change nothing."""

_ALARM_CODES = {
    Detector.HOLD_UP: Code.SILENT_HOLD_UP,
    Detector.SMOKE: Code.FIRE,
    Detector.GAS: Code.GAS,
    Detector.WATER: Code.WATER,
}


class Panel:
    """A panel and the branch that uses it.

    Each method that changes something returns the reports it makes the panel send, in order; nothing is reported twice.
    A panel without power, or with a dead board, reports nothing until that is put right; it then says how things stand.

    Args:
        zones: zones with their areas.
        habits: how the branch lives.
        chance: random source of this panel.
        now: local time at which it is looked at first; what the day brought before then has already happened.
    """

    def __init__(self, zones: Sequence[Zone], habits: Habits, chance: random.Random, now: datetime) -> None:
        self.zones = {zone.number: zone for zone in zones}
        self.armed = dict.fromkeys(AREAS, True)
        self.mains = True
        self.battery = Battery()
        self.tampered = False
        self.programming = False
        self.dead = False
        self.tests = True  # whether the periodic test is still programmed
        self.arming = True  # whether staff arm when they leave
        self.cut_paths: set[int] = set()
        self.faults: dict[tuple[Code, int], Report] = {}
        self.alarms: dict[int, Code] = {}
        self.bypassed: set[int] = set()
        self._battery_low = False
        self._habits = habits
        self._chance = chance
        self._test_at = time(chance.randint(0, 23), chance.randint(0, 59))
        self._now = datetime.combine(now.date(), time(), now.tzinfo)
        self._steps: list[Step] = []
        self._planned: date = now.date()
        self._plan(now.date())
        self.advance(now)

    @property
    def alive(self) -> bool:
        """Able to speak."""
        return not self.dead and (self.mains or not self.battery.empty)

    @property
    def local_now(self) -> datetime:
        """Local time up to which it has lived."""
        return self._now

    def next_change(self) -> datetime:
        """Local time at which :meth:`advance` has something to do."""
        battery_s = self.battery.next_change_s(self.mains)
        changes = [self._midnight(), *(step.at for step in self._steps[:1])]
        if battery_s is not None:
            changes.append(self._now + timedelta(seconds=battery_s))
        return min(changes)

    def power_up(self) -> list[Report]:
        """What it says after its power came: that it started, and how things stand."""
        reports = [new(Code.RESET)]
        reports.append(restored(Code.MAINS_LOSS) if self.mains else new(Code.MAINS_LOSS))
        reports.append(new(Code.BATTERY_LOW) if self._battery_low else restored(Code.BATTERY_LOW))
        reports.append(new(Code.TAMPER) if self.tampered else restored(Code.TAMPER))
        for area, armed in self.armed.items():
            reports.append(restored(Code.OPEN_CLOSE, area) if armed else new(Code.OPEN_CLOSE, area))
        return [*reports, *self.faults.values()]

    def advance(self, to: datetime) -> list[Report]:
        """Live until a local time; an earlier time than the last changes nothing."""
        reports: list[Report] = []
        while self._now < to:
            reports += self._pass_time(min(to, self.next_change()))
            while self._steps and self._steps[0].at <= self._now:
                reports += self._apply(self._steps.pop(0))
            if self._now >= self._midnight():
                self._plan(self._now.date())
        return reports

    def alarm(self, number: int, code: Code | None = None) -> list[Report]:
        """A detector sees something; the code follows from the detector where none is given."""
        zone = self.zones[number]
        asleep = zone.detector not in ALWAYS_AWAKE and not self.armed[zone.area]
        if asleep or number in self.alarms or number in self.bypassed or not self.alive:
            return []
        self.alarms[number] = code or _ALARM_CODES.get(zone.detector, Code.BURGLARY)
        return [new(self.alarms[number], zone.area, number)]

    def alarm_over(self, number: int) -> list[Report]:
        """The detector is at rest again and the alarm was reset."""
        code = self.alarms.pop(number, None)
        return [] if code is None else self._say(restored(code, self.zones[number].area, number))

    def set_mains(self, on: bool) -> list[Report]:
        """Mains go or come back; a panel that was dead starts again."""
        if on == self.mains:
            return []
        was_alive = self.alive
        self.mains = on
        if not was_alive:
            return self._start()
        return self._say(restored(Code.MAINS_LOSS) if on else new(Code.MAINS_LOSS))

    def wear_out_battery(self) -> list[Report]:
        """The battery's plates fail."""
        self.battery.worn_out = True
        return self._judge_battery()

    def lose_battery(self) -> list[Report]:
        """The battery's fuse blows or somebody takes it out; without mains the panel is dead at once."""
        self.battery.missing = True
        return self.set_fault(Code.BATTERY_MISSING, True)

    def replace_battery(self) -> list[Report]:
        """A technician puts a new, charged battery in."""
        was_alive = self.alive
        self.battery = Battery()
        reports = [*self.set_fault(Code.BATTERY_MISSING, False), *self._judge_battery()]
        return reports if was_alive else self._start()

    def die(self) -> list[Report]:
        """The board fails, without a word."""
        self.dead = True
        return []

    def revive(self) -> list[Report]:
        """The board is replaced; the memory is kept."""
        if not self.dead:
            return []
        self.dead = False
        return self._start()

    def set_fault(self, code: Code, on: bool, number: int = WHOLE_PANEL) -> list[Report]:
        """Something of the panel (number 0) or of a zone breaks or is put right.

        Args:
            code: what.
            on: broken.
            number: zone.
        """
        if ((code, number) in self.faults) == on:
            return []
        area = self.zones[number].area if number else WHOLE_PANEL
        if on:
            self.faults[code, number] = new(code, area, number)
            return self._say(self.faults[code, number])
        del self.faults[code, number]
        return self._say(restored(code, area, number))

    def tell(self, code: Code, area: int = WHOLE_PANEL, number: int = WHOLE_PANEL) -> list[Report]:
        """Something happens that changes nothing: a test, a wrong code, a code under threat."""
        return self._say(new(code, area, number))

    def set_armed(self, area: int, armed: bool, user: int, late: bool = False) -> list[Report]:
        """A user arms or disarms an area."""
        if self.armed[area] == armed:
            return []
        self.armed[area] = armed
        if not armed:
            return self._say(new(Code.OPEN_CLOSE_BY_USER, area, user))
        reports = [restored(Code.LATE, area, user)] if late else []
        return self._say(*reports, restored(Code.OPEN_CLOSE_BY_USER, area, user))

    def set_bypass(self, area: int, zone: int, bypassed: bool) -> list[Report]:
        """A user takes a zone out of its area, or in again."""
        if (zone in self.bypassed) == bypassed:
            return []
        if bypassed:
            self.bypassed.add(zone)
            return self._say(new(Code.BYPASS, area, zone))
        self.bypassed.discard(zone)
        return self._say(restored(Code.BYPASS, area, zone))

    def open_cover(self) -> list[Report]:
        """Somebody opens the panel."""
        if self.tampered:
            return []
        self.tampered = True
        return self._say(new(Code.TAMPER))

    def close_cover(self) -> list[Report]:
        """The panel is closed again."""
        if not self.tampered:
            return []
        self.tampered = False
        return self._say(restored(Code.TAMPER))

    def enter_programming(self) -> list[Report]:
        """An installer logs in."""
        if self.programming:
            return []
        self.programming = True
        return self._say(new(Code.PROGRAM_ENTRY))

    def leave_programming(self) -> list[Report]:
        """The installer tests the line to the receiver and logs out."""
        if not self.programming:
            return []
        self.programming = False
        return self._say(new(Code.MANUAL_TEST), new(Code.PROGRAM_EXIT))

    def _start(self) -> list[Report]:
        return self.power_up() if self.alive else []

    def _say(self, *reports: Report) -> list[Report]:
        return list(reports) if self.alive else []

    def _plan(self, day: date) -> None:
        self._planned = day
        zones = tuple(self.zones.values())
        drawn = plan_day(day, self._now.tzinfo, self._habits, zones, self._test_at, self._chance)
        broken = plan_breakdowns(day, self._now.tzinfo, self._habits, zones, self._chance)
        self._steps = sorted([*self._steps, *drawn, *broken], key=lambda step: step.at)

    def _midnight(self) -> datetime:
        """Local time at which the day after the last planned one begins."""
        return datetime.combine(self._planned + timedelta(days=1), time(), self._now.tzinfo)

    def _pass_time(self, to: datetime) -> list[Report]:
        seconds = max(0.0, (to - self._now).total_seconds())
        self._now = max(self._now, to)
        if self.mains:
            self.battery.recharge(seconds)
        else:
            self.battery.discharge(seconds)
        return self._judge_battery()

    def _judge_battery(self) -> list[Report]:
        if self.battery.missing:
            return []
        voltage_v = self.battery.voltage_v
        if not self._battery_low and voltage_v <= LOW_V:
            self._battery_low = True
            return self._say(new(Code.BATTERY_LOW))
        if self._battery_low and voltage_v >= GOOD_V:
            self._battery_low = False
            return self._say(restored(Code.BATTERY_LOW))
        return []

    def _apply(self, step: Step) -> list[Report]:
        match step.act:
            case Act.DISARM:
                return self.set_armed(step.area, False, step.number)
            case Act.ARM:
                return self.set_armed(step.area, True, step.number, step.late) if self._will_arm(step) else []
            case Act.BYPASS | Act.UNBYPASS:
                return self.set_bypass(step.area, step.number, step.act is Act.BYPASS)
            case Act.ALARM | Act.ENTRY_ALARM:
                return self.alarm(step.number, Code.ENTRY_EXIT if step.act is Act.ENTRY_ALARM else None)
            case Act.ALARM_OVER:
                return self.alarm_over(step.number)
            case Act.CHECK_CLOSED:
                return [] if self.armed[step.area] else self._say(new(Code.NOT_CLOSED, step.area))
            case Act.TEST if not self.tests:
                return []
            case Act.TEST | Act.CANCEL:
                return self.tell(_PLAIN[step.act], step.area, step.number)
            case _:
                return self._break_or_mend(step)

    def _will_arm(self, step: Step) -> bool:
        return self.arming or step.area == ATM_ROOM

    def _break_or_mend(self, step: Step) -> list[Report]:
        match step.act:
            case Act.MAINS_OFF | Act.MAINS_ON:
                return self.set_mains(step.act is Act.MAINS_ON)
            case Act.FAULT | Act.FAULT_OVER if step.code is not None:
                return self.set_fault(step.code, step.act is Act.FAULT, step.number)
            case Act.BATTERY_WORN:
                return self.wear_out_battery()
            case Act.BATTERY_NEW:
                return [*self.enter_programming(), *self.replace_battery(), *self.leave_programming()]
            case Act.PATH_OFF:
                self.cut_paths.add(step.number)
            case Act.PATH_ON:
                self.cut_paths.discard(step.number)
            case Act.PROGRAMMING_ON:
                return self.enter_programming()
            case Act.PROGRAMMING_OFF:
                return [*self.tell(Code.PROGRAM_CHANGED), *self.leave_programming()]
            case _:
                raise AssertionError(f"step {step.act} is none of a panel")
        return []
