"""From intervals, moments and totals to counters that only grow. Pure.

People are counted from one sort of push only, periodic or trigger. The sensor's totals are the check on it: what they have
more than was counted since they were last seen was in a push that never came, and is added. So each line has a ``base``,
which is what its total ought to be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, Literal

from gateway.drivers.milesight.report import LineCount, LineTotal, Report

_SLACK: Final = 0.5
"""Part of an interval by which the next one may begin late and still be the next one."""

_RUNNING_SLACK_S: Final = 2.0
"""Pushes of the same moment may overtake each other by so much."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of a line; each pair is people in and people out.

    Attributes:
        counted: since the first push; only grows.
        today: since the sensor's midnight.
        base: what the sensor's total ought to be.
        since: counted since the sensor's total was last seen.
        total: the sensor's total when last seen; ``None`` before.
        total_at: the sensor's time then.
        rolled: whether a midnight passed since.
    """

    counted: tuple[int, int] = (0, 0)
    today: tuple[int, int] = (0, 0)
    base: tuple[int, int] = (0, 0)
    since: tuple[int, int] = (0, 0)
    total: tuple[int, int] | None = None
    total_at: datetime | None = None
    rolled: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """What is known of a sensor.

    Attributes:
        serial: who it was.
        lines: by number.
        day: the sensor's date.
        newest_begin: beginning of the newest interval, ``None`` where none came.
        newest_end: its end.
        has_counts: whether there ever was a push that counts people.
        running_s: how long the sensor ran, as last said.
        reboots: restarts seen.
        missing: intervals that never came.
        gap_open: whether the totals may still have what missing intervals took.
        duplicates: pushes dropped because they were a repetition.
        carries_over: whether the totals go on over midnight, as the sensor showed; ``None`` where it has not.
        received_ms: when the last push came.
        counted_ms: when a counter last grew; when the first push came, before that.
    """

    serial: str = ""
    lines: Mapping[int, Line] = field(default_factory=dict)
    day: date | None = None
    newest_begin: datetime | None = None
    newest_end: datetime | None = None
    has_counts: bool = False
    running_s: float | None = None
    reboots: int = 0
    missing: int = 0
    gap_open: bool = False
    duplicates: int = 0
    carries_over: bool | None = None
    received_ms: int | None = None
    counted_ms: int | None = None

    def total(self) -> tuple[int, int]:
        """People in and out over all lines since the first push."""
        return _sum(line.counted for line in self.lines.values())

    def today(self) -> tuple[int, int]:
        """People in and out over all lines since the sensor's midnight."""
        return _sum(line.today for line in self.lines.values())


def _sum(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    listed = list(pairs)
    return sum(one for one, _ in listed), sum(other for _, other in listed)


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def take(
    counts: Counts,
    report: Report,
    fresh: tuple[LineCount, ...],
    local_day: date | None,
    now_ms: int,
    totals_reset: Literal["midnight", "never"] = "midnight",
) -> Counts:
    """Take a push that is no repetition.

    Args:
        counts: what was known before.
        report: the push, in UTC, lines turned.
        fresh: those of its counts that are to be counted and did not come before.
        local_day: the sensor's date at the push's interval or moment, ``None`` where it has no time.
        now_ms: when it came.
        totals_reset: when totals begin anew, where the sensor has not shown it.
    """
    if counts.serial not in {"", report.serial}:
        counts = _swapped(counts)
    is_late = _is_late(counts, report)
    after = _intervals(counts, report, fresh, is_late=is_late, now_ms=now_ms)
    if local_day is not None and (after.day is None or local_day > after.day):
        lines = after.lines if after.day is None else {n: _next_day(line) for n, line in after.lines.items()}
        after = replace(after, day=local_day, lines=lines)
    after = _count(after, report, fresh, is_late=is_late)
    after = _check(after, report, totals_reset)
    if not is_late:
        known_s, ran_s = counts.running_s, report.running_s
        restarted = known_s is not None and ran_s is not None and ran_s < known_s - _RUNNING_SLACK_S
        after = replace(after, running_s=known_s if ran_s is None else ran_s, reboots=after.reboots + restarted)
    grew = after.total() != counts.total()
    return replace(
        after,
        serial=report.serial,
        received_ms=now_ms,
        counted_ms=now_ms if grew or counts.counted_ms is None else counts.counted_ms,
    )


def _swapped(counts: Counts) -> Counts:
    """Another sensor: the counters go on, nothing of what the old one said is held against it."""
    lines = {number: Line(counted=line.counted, today=line.today) for number, line in counts.lines.items()}
    return replace(
        counts, lines=lines, newest_begin=None, newest_end=None, running_s=None, gap_open=False, carries_over=None
    )


def _is_late(counts: Counts, report: Report) -> bool:
    """Whether its interval is older than the newest one; a sensor that ran on since is not late, whatever its clock says."""
    if report.begin_at is None or report.end_at is None or counts.newest_end is None:
        return False
    if report.end_at >= counts.newest_end:
        return False
    if report.running_s is None or counts.running_s is None:
        return True
    age_s = (counts.newest_end - report.end_at).total_seconds()
    # A restart looks as a late push does where it set the clock back; a late one was sent about as much earlier.
    return report.running_s <= counts.running_s and abs(counts.running_s - report.running_s - age_s) <= max(
        60.0, age_s / 2
    )


def _intervals(counts: Counts, report: Report, fresh: tuple[LineCount, ...], *, is_late: bool, now_ms: int) -> Counts:
    """Count the intervals between the newest one and this one, as many as there was time for."""
    if fresh and not counts.has_counts:
        counts = replace(counts, has_counts=True)
    if is_late or not fresh or report.begin_at is None or report.end_at is None:
        return counts
    if report.begin_at == report.end_at:  # a clock that stands still
        return replace(counts, newest_begin=report.begin_at, newest_end=report.end_at)
    length_s = (report.end_at - report.begin_at).total_seconds()
    missing = 0
    if counts.newest_begin is not None and counts.newest_end is not None and counts.received_ms is not None:
        gap_s = (report.begin_at - counts.newest_end).total_seconds()
        ran_s = (report.running_s or 0) - (counts.running_s or 0)
        most_s = max((now_ms - counts.received_ms) / 1000, ran_s) - length_s  # a clock that is set makes no interval
        missing = int((min(gap_s, most_s) / length_s) + _SLACK) if min(gap_s, most_s) > 0 else 0
    return replace(
        counts,
        newest_begin=report.begin_at,
        newest_end=report.end_at,
        missing=counts.missing + missing,
        gap_open=counts.gap_open or missing > 0,
    )


def _next_day(line: Line) -> Line:
    return replace(line, today=(0, 0), rolled=True)


def _count(counts: Counts, report: Report, fresh: tuple[LineCount, ...], *, is_late: bool) -> Counts:
    lines = dict(counts.lines)
    for count in fresh:
        line = lines.get(count.line, Line())
        if is_late and line.total_at is not None and report.end_at is not None and report.end_at <= line.total_at:
            continue  # the totals had these people already
        more = (count.people_in, count.people_out)
        lines[count.line] = replace(
            line,
            counted=_plus(line.counted, more),
            today=_plus(line.today, more),
            base=_plus(line.base, more),
            since=_plus(line.since, more),
        )
    return replace(counts, lines=lines)


def _check(counts: Counts, report: Report, totals_reset: Literal["midnight", "never"]) -> Counts:
    """Hold the sensor's totals against what was counted, and add what is missing."""
    lines, carries_over, restarts, repaired = dict(counts.lines), counts.carries_over, 0, False
    for told in report.totals:
        line, total = lines.get(told.line, Line()), (told.people_in, told.people_out)
        if _is_old(counts, line, report):
            continue
        base, shown = _base(line, total, carries_over, totals_reset)
        carries_over = carries_over if shown is None else shown
        more = (0, 0) if line.total is None else (max(0, total[0] - base[0]), max(0, total[1] - base[1]))
        fell = line.total is not None and (total[0] < line.total[0] or total[1] < line.total[1])
        restarts = max(restarts, int(fell and not line.rolled and report.running_s is None))
        repaired = repaired or more != (0, 0)
        lines[told.line] = replace(
            line,
            counted=_plus(line.counted, more),
            today=_plus(line.today, more),
            base=total if line.total is None else (max(base[0], total[0]), max(base[1], total[1])),
            since=(0, 0),
            total=total,
            total_at=report.end_at,
            rolled=False,
        )
    # Where intervals are known to be missing the repair is theirs; else it is the first anybody hears of one.
    unheard = repaired and not counts.gap_open and counts.has_counts
    return replace(
        counts,
        lines=lines,
        carries_over=carries_over,
        reboots=counts.reboots + restarts,
        missing=counts.missing + unheard,
        gap_open=counts.gap_open and not report.totals,
    )


def _is_old(counts: Counts, line: Line, report: Report) -> bool:
    """Whether newer totals were seen; a sensor that ran on since has newer ones, whatever its clock says."""
    if line.total_at is None or report.end_at is None or report.end_at >= line.total_at:
        return False
    return report.running_s is None or report.running_s <= (counts.running_s or 0.0)


def _base(
    line: Line, total: tuple[int, int], carries_over: bool | None, totals_reset: Literal["midnight", "never"]
) -> tuple[tuple[int, int], bool | None]:
    """What the total ought to be, and whether it shows that totals go on over midnight."""
    if line.total is None:
        return line.base, None
    fell = total[0] < line.total[0] or total[1] < line.total[1]
    if not line.rolled:
        return (line.since if fell else line.base), None
    if fell:
        return line.today, False
    if total != line.base and total == line.today:
        return line.today, False
    if total == line.base and total != line.today:
        return line.base, True
    goes_on = totals_reset == "never" if carries_over is None else carries_over
    return (line.base if goes_on else line.today), None


def occupancy(counts: Counts, totals: tuple[LineTotal, ...]) -> int:
    """People inside, never below none: as the sensor has it, else by its totals, else by what was counted today."""
    if totals and all(total.capacity is not None for total in totals):
        return max(0, sum(total.capacity or 0 for total in totals))
    if totals:
        return max(0, sum(total.people_in - total.people_out for total in totals))
    people_in, people_out = counts.today()
    return max(0, people_in - people_out)
