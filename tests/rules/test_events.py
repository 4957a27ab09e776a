"""Events that raise faults: at once, each time, and none that comes from history."""

from dataclasses import replace

from contracts.readings import EventReading, ReadingBatch
from rules.cases import HOURS
from rules.condition import Outcome
from rules.engine import Engine
from rules.files import load_rules
from rules.instance import Change
from rules.kinds.event import EventClause
from tests.rules.site import BEGIN_MS, Site, batch_of

PANEL = "BR1/alarm-01"
SITE = Site((PANEL, "alarm_panel", ["link/supervision_age", "area1/duress", "area2/duress", "area1/operation"]))
DURESS = next(rule for rule in load_rules() if rule.id == "alm.duress")


def new_engine(for_s: float = 0) -> Engine:
    rule = DURESS.model_copy(update={"when": (EventClause(event="area*/duress", for_s=for_s),)})
    engine = Engine([rule], HOURS)
    engine.set_devices(SITE.devices, BEGIN_MS)
    return engine


def events(*found: tuple[int, float], live: bool = True) -> ReadingBatch:
    told = tuple(EventReading(series, BEGIN_MS + round(at_s * 1000), "user 5", live) for series, at_s in found)
    return replace(batch_of([]), events=told)


def said(changes: list[Change]) -> list[tuple[str, Outcome, float]]:
    return [(change.key.part, change.outcome, (change.observed_at_ms - BEGIN_MS) / 1000) for change in changes]


def test_each_event_raises_at_once_and_what_it_raised_is_over_at_once() -> None:
    engine = new_engine()
    changes = engine.take(events((1, 1), (1, 7)), SITE.series) + engine.tick(BEGIN_MS + 7000)
    assert said(changes) == [
        ("area1", Outcome.RAISED, 1),
        ("area1", Outcome.CLEARED, 1),
        ("area1", Outcome.RAISED, 7),
        ("area1", Outcome.CLEARED, 7),
    ]


def test_each_part_has_a_fault_of_its_own_and_other_events_have_none() -> None:
    changes = new_engine().take(events((1, 1), (3, 2), (2, 3)), SITE.series)
    assert said(changes) == [("area1", Outcome.RAISED, 1), ("area2", Outcome.RAISED, 3)]


def test_a_fault_lasts_for_its_time_from_the_last_event() -> None:
    engine = new_engine(for_s=60)
    assert said(engine.take(events((1, 0), (1, 50)), SITE.series)) == [("area1", Outcome.RAISED, 0)]
    assert engine.tick(BEGIN_MS + 109_999) == []
    assert said(engine.tick(BEGIN_MS + 110_000)) == [("area1", Outcome.CLEARED, 110)]


def test_an_event_from_history_pages_nobody() -> None:
    assert new_engine().take(events((1, 1), live=False), SITE.series) == []


def test_an_event_that_comes_twice_or_late_has_one_effect() -> None:
    engine = new_engine()
    assert len(engine.take(events((1, 5)), SITE.series)) == 1
    assert engine.take(events((1, 5), (1, 4)), SITE.series) == []


def test_a_fault_that_lasts_is_not_forgotten_at_a_restart() -> None:
    engine = new_engine(for_s=60)
    engine.take(events((1, 10)), SITE.series)
    other = new_engine(for_s=60)
    for old in engine.conditions():
        if not old.is_trivial:
            other.resume(old.key, old.state, old.at_ms, dict(old.memories))
    assert other.prime(batch_of([]), SITE.series) == []
    assert said(other.tick(BEGIN_MS + 100_000)) == [("area1", Outcome.CLEARED, 70)]
