"""What can happen to a panel by name, and what is done about it.

Times inside a failure are the world's, so that a fast world plays it fast.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from simulators.alarm_panel.contact_id import Code, Report
from simulators.alarm_panel.model import Panel
from simulators.alarm_panel.zones import (
    BUTTON_ZONE,
    CASH,
    ENTRANCE_ZONE,
    HALL,
    HALL_ZONE,
    RADIO_ZONE,
    SMOKE_ZONE,
    WALL_ZONE,
    Detector,
)

LINE_CUT_S = 240.0
"""How long nothing is heard before the radio reports, seconds of the world."""

CANCEL_AFTER_S = 25.0
"""From a false alarm at the exit until a user cancels it, seconds of the world."""

DURESS_AFTER_S = 90.0
"""From the hold-up button until a code is entered under threat, seconds of the world."""

WRONG_CODES = 5
WRONG_CODE_EVERY_S = 6.0
"""Wrong codes in a row, and the seconds of the world between them."""

CLOCK_WRONG_S = -60.0
"""How far a wrong clock is ahead; beyond the 40 s that receivers allow."""

_USER = 5
_MAIN_PATH, _SECOND_PATH = 0, 1

Change = Callable[[], list[Report]]


class Line(Protocol):
    """What failures do to the panel's line and clock."""

    @property
    def has_second_path(self) -> bool:
        """Whether reports can go another way."""
        ...

    def set_silent(self, silent: bool) -> list[Report]:
        """Send nothing, or again; nothing is reported about it."""
        ...

    def set_cut(self, path: int, cut: bool) -> list[Report]:
        """Break a path, or put it right."""
        ...

    def set_clock(self, offset_s: float) -> list[Report]:
        """Set the panel's clock so many seconds ahead."""
        ...


Later = Callable[[str, float, Change], None]
"""Let a change happen so many seconds of the world later, unless the failure of that name is repaired before."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure: what happens, and what a technician or the staff do about it."""

    happen: Change
    put_right: Change


def failures(panel: Panel, line: Line, later: Later) -> Mapping[str, Failure]:
    """All failures of a panel by name.

    Args:
        panel: what breaks.
        line: its line.
        later: for failures that go on.
    """
    zone_of = {zone.detector: zone.number for zone in reversed(tuple(panel.zones.values()))}
    scripts = _Scripts(panel, line, later)

    def alarm(number: int, code: Code | None = None) -> Failure:
        return Failure(lambda: panel.alarm(number, code), lambda: panel.alarm_over(number))

    def fault(code: Code, number: int = 0) -> Failure:
        return Failure(
            lambda: panel.set_fault(code, True, number),
            lambda: visit(panel, lambda: panel.set_fault(code, False, number)),
        )

    mains = Failure(lambda: panel.set_mains(False), lambda: panel.set_mains(True))
    found = {
        "intrusion": alarm(WALL_ZONE),
        "holdup": alarm(BUTTON_ZONE),
        "mains_loss": mains,
        "battery_low": Failure(panel.wear_out_battery, lambda: visit(panel, panel.replace_battery)),
        "tamper": Failure(panel.open_cover, lambda: visit(panel, panel.close_cover)),
        "silence": Failure(lambda: line.set_silent(True), lambda: line.set_silent(False)),
        "fire": alarm(SMOKE_ZONE),
        "gas": alarm(zone_of[Detector.GAS]),
        "water": alarm(zone_of[Detector.WATER]),
        "robbery": Failure(scripts.robbery, lambda: panel.alarm_over(BUTTON_ZONE)),
        "duress": Failure(lambda: panel.tell(Code.DURESS, CASH, _USER), list),
        "false_alarm_at_exit": Failure(scripts.false_alarm_at_exit, scripts.stand_down),
        "line_cut_then_intrusion": Failure(scripts.line_cut_then_intrusion, scripts.mend_line),
        "forgotten_arming": Failure(scripts.forget_arming, scripts.arm_again),
        "test_lost": Failure(scripts.lose_test, scripts.program_test),
        "wrong_codes": Failure(scripts.wrong_codes, list),
        "ac_loss": mains,
        "battery_fault": Failure(panel.lose_battery, lambda: visit(panel, panel.replace_battery)),
        "siren_fault": fault(Code.SIREN),
        "expander_fault": fault(Code.EXPANDER),
        "rf_jam": Failure(
            lambda: panel.set_fault(Code.RADIO_JAM, True), lambda: panel.set_fault(Code.RADIO_JAM, False)
        ),
        "zone_trouble": fault(Code.ZONE_TROUBLE, HALL_ZONE),
        "zone_tamper": fault(Code.SENSOR_TAMPER, HALL_ZONE),
        "zone_bypassed": Failure(
            lambda: panel.set_bypass(HALL, HALL_ZONE, True), lambda: panel.set_bypass(HALL, HALL_ZONE, False)
        ),
        "detector_battery": fault(Code.DETECTOR_BATTERY, RADIO_ZONE),
        "walk_test": Failure(
            lambda: panel.set_fault(Code.WALK_TEST, True), lambda: panel.set_fault(Code.WALK_TEST, False)
        ),
        "path_fault": Failure(lambda: line.set_cut(_MAIN_PATH, True), lambda: line.set_cut(_MAIN_PATH, False)),
        "clock_wrong": Failure(lambda: line.set_clock(CLOCK_WRONG_S), lambda: line.set_clock(0.0)),
        "panel_dead": Failure(
            lambda: [*panel.die(), *line.set_silent(True)], lambda: [*line.set_silent(False), *panel.revive()]
        ),
    }
    if line.has_second_path:
        found["radio_fault"] = Failure(
            lambda: line.set_cut(_SECOND_PATH, True), lambda: line.set_cut(_SECOND_PATH, False)
        )
    return found


def visit(panel: Panel, work: Change) -> list[Report]:
    """A technician works at the panel: programming entered, the thing put right, manual test, programming left."""
    return [*panel.enter_programming(), *work(), *panel.leave_programming()]


class _Scripts:
    """Failures of several acts."""

    def __init__(self, panel: Panel, line: Line, later: Later) -> None:
        self._panel = panel
        self._line = line
        self._later = later

    def robbery(self) -> list[Report]:
        self._later("robbery", DURESS_AFTER_S, lambda: self._panel.tell(Code.DURESS, CASH, _USER))
        return self._panel.alarm(BUTTON_ZONE)

    def false_alarm_at_exit(self) -> list[Report]:
        """Somebody arms, leaves too slowly and cancels by code; the hall is then as it was."""
        was_open = not self._panel.armed[HALL]

        def cancel() -> list[Report]:
            reports = [*self._panel.tell(Code.CANCEL, HALL, _USER), *self._panel.alarm_over(ENTRANCE_ZONE)]
            return [*reports, *self._panel.set_armed(HALL, False, _USER)] if was_open else reports

        self._later("false_alarm_at_exit", CANCEL_AFTER_S, cancel)
        armed = self._panel.set_armed(HALL, True, _USER)
        return [*armed, *self._panel.alarm(ENTRANCE_ZONE, Code.ENTRY_EXIT)]

    def stand_down(self) -> list[Report]:
        return self._panel.alarm_over(ENTRANCE_ZONE)

    def line_cut_then_intrusion(self) -> list[Report]:
        """The line is cut and nothing is heard; then the radio speaks. Without a second path it speaks over the first."""

        def radio_speaks() -> list[Report]:
            self._line.set_silent(False)
            path = [] if self._line.has_second_path else self._panel.set_fault(Code.PATH_1, True)
            return [*path, *self._panel.alarm(WALL_ZONE), *self._panel.open_cover()]

        self._later("line_cut_then_intrusion", LINE_CUT_S, radio_speaks)
        if self._line.has_second_path:
            self._line.set_cut(_MAIN_PATH, True)
        return self._line.set_silent(True)

    def mend_line(self) -> list[Report]:
        self._line.set_cut(_MAIN_PATH, False)
        self._line.set_silent(False)
        return [
            *self._panel.set_fault(Code.PATH_1, False),
            *self._panel.alarm_over(WALL_ZONE),
            *visit(self._panel, self._panel.close_cover),
        ]

    def forget_arming(self) -> list[Report]:
        """The hall stays open, or somebody comes back and leaves it open."""
        self._panel.arming = False
        return self._panel.set_armed(HALL, False, _USER)

    def arm_again(self) -> list[Report]:
        """Staff come and arm hall and counter, late."""
        self._panel.arming = True
        return [report for area in (CASH, HALL) for report in self._panel.set_armed(area, True, _USER, late=True)]

    def lose_test(self) -> list[Report]:
        """An installer changes the program and forgets the periodic test."""
        self._panel.tests = False
        return visit(self._panel, lambda: self._panel.tell(Code.PROGRAM_CHANGED))

    def program_test(self) -> list[Report]:
        self._panel.tests = True
        return visit(self._panel, lambda: self._panel.tell(Code.PROGRAM_CHANGED))

    def wrong_codes(self) -> list[Report]:
        def wrong() -> list[Report]:
            return self._panel.tell(Code.WRONG_CODE, HALL)

        for number in range(1, WRONG_CODES):
            self._later("wrong_codes", number * WRONG_CODE_EVERY_S, wrong)
        return wrong()
