"""What is known of a panel, and how an event changes it. Pure.

State signals follow from the **set** of conditions that hold, not from the last event: a second set or a second restore
changes nothing, and a zone with two alarms is restored when both are.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.driver import Observation
from gateway.drivers.sia_dc09.contact_id import (
    EFFECTS,
    FOR_THE_PANEL,
    PANEL_ZONE,
    REST_WORDS,
    WORD_ORDER,
    Bypasses,
    ContactEvent,
    Counts,
    Deviates,
    Effect,
    Ends,
    Holds,
    Operates,
    Qualifier,
    Tells,
)

_OPENING_DEVIATIONS: Final = frozenset({"earlyOpen", "lateOpen"})
_CLOSING_DEVIATIONS: Final = frozenset({"earlyClose", "lateClose"})
_RESTED: Final = "restored"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that was set and not restored.

    Attributes:
        path: concrete signal it speaks for.
        code: Contact ID code that began it.
        number: zone, module or 0; two modules that fail are two conditions.
        word: state word it stands for.
    """

    path: str
    code: str
    number: int
    word: str


@dataclass(frozen=True, slots=True)
class PanelState:
    """All that is known of a panel; the empty one knows nothing.

    Attributes:
        areas: areas configured or heard of, from 1.
        holding: conditions that hold.
        schedule: each area's deviation from the schedule, or ``onTime``.
        counters: counters by path.
    """

    areas: frozenset[int] = frozenset()
    holding: frozenset[Condition] = frozenset()
    schedule: Mapping[int, str] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Outcome of an event: the state after it, and what to report of it, in order."""

    state: PanelState
    observations: tuple[Observation, ...]


def initial_state(areas: Collection[int]) -> PanelState:
    """State of a panel of which only its areas are known."""
    return PanelState(areas=frozenset(areas))


def apply_all(state: PanelState, events: Iterable[ContactEvent]) -> Step:
    """Take the events of one message in their order."""
    observations: list[Observation] = []
    for event in events:
        step = apply(state, event)
        state = step.state
        observations.extend(step.observations)
    return Step(state, tuple(observations))


def apply(state: PanelState, event: ContactEvent) -> Step:
    """Take one event. The event itself is reported by the caller; this is what follows from it."""
    if event.area:
        state = replace(state, areas=state.areas | {event.area})
    observations: list[Observation] = []
    for effect in EFFECTS.get(event.code, ()):
        step = _apply_effect(state, event, effect)
        state = step.state
        observations.extend(step.observations)
    return Step(state, tuple(observations))


def _apply_effect(state: PanelState, event: ContactEvent, effect: Effect) -> Step:
    match effect:
        case Holds():
            return _hold(state, event, effect)
        case Ends():
            ended = frozenset(condition for condition in state.holding if condition.code == effect.code)
            paths = {condition.path for condition in ended} | _paths_of(effect.code)
            return _report_states(replace(state, holding=state.holding - ended), sorted(paths))
        case Bypasses():
            return _bypass(state, event, group=effect.group)
        case Counts():
            if event.qualifier is Qualifier.RESTORE:
                return Step(state, ())
            return _count(state, _of_areas(effect.path, state, event))
        case Tells():
            if event.qualifier is Qualifier.RESTORE:
                return Step(state, ())
            # Of a whole panel the first area speaks: one threat is one event.
            path = _of_areas(effect.path, state, event)[0]
            text = f"{event} user {event.number}" if "{n}" in effect.path else str(event)
            return Step(state, (Observation(path, text),))
        case Operates():
            return _operate(state, event, effect)
        case Deviates():
            word = effect.closing_word if event.qualifier is Qualifier.RESTORE else effect.opening_word
            areas = _areas(state, event)
            schedule = {**state.schedule, **dict.fromkeys(areas, word)}
            return Step(
                replace(state, schedule=schedule), tuple(Observation(f"area{area}/schedule", word) for area in areas)
            )


def _hold(state: PanelState, event: ContactEvent, effect: Holds) -> Step:
    template = effect.path
    if event.number == 0 and template in FOR_THE_PANEL:
        effect = FOR_THE_PANEL[template]
    path = effect.path.replace("{n}", str(event.number or PANEL_ZONE))
    condition = Condition(path, event.code, event.number, effect.word)
    if event.qualifier is Qualifier.RESTORE:
        return _report_states(replace(state, holding=state.holding - {condition}), [path])
    is_new = condition not in state.holding
    step = _report_states(replace(state, holding=state.holding | {condition}), [path])
    if not (path.endswith("/alarm") and event.qualifier is Qualifier.NEW and is_new):
        return step
    counted = _count(step.state, [path.replace("/alarm", "/alarms")])
    return Step(counted.state, (*step.observations, *counted.observations))


def _bypass(state: PanelState, event: ContactEvent, *, group: bool) -> Step:
    names_zone = not group and event.number > 0
    # A group's zones are not named; it counts as one until it is restored.
    path = f"zone{event.number}/bypass" if names_zone else f"area{event.area}/bypass"
    condition = Condition(path, event.code, event.number if names_zone else 0, "bypassed")
    restored = event.qualifier is Qualifier.RESTORE
    holding = state.holding - {condition} if restored else state.holding | {condition}
    step = _report_states(replace(state, holding=holding), [path] if names_zone else [])
    return Step(step.state, (*step.observations, Observation("panel/bypassed_zones", bypassed_zones(step.state))))


def bypassed_zones(state: PanelState) -> int:
    """How many zones, or groups of an area's zones, are left out now."""
    return len({held.path for held in state.holding if held.path.endswith("/bypass")})


def _operate(state: PanelState, event: ContactEvent, effect: Operates) -> Step:
    if event.qualifier is Qualifier.STATUS:
        return Step(state, ())  # a status report repeats, nobody opened or closed
    opened = event.qualifier is Qualifier.NEW
    word = None if effect.armed_word is None else "disarmed" if opened else effect.armed_word
    schedule = dict(state.schedule)
    observations = []
    for area in _areas(state, event):
        if word is not None:
            observations.append(Observation(f"area{area}/arming", word))
            if area in schedule and _is_kept_again(schedule[area], opened=opened):
                schedule[area] = "onTime"
                observations.append(Observation(f"area{area}/schedule", "onTime"))
        text = f"{event} {word} user {event.number}" if word else f"{event} user {event.number}"
        observations.append(Observation(f"area{area}/operation", text))
    return Step(replace(state, schedule=schedule), tuple(observations))


def _is_kept_again(deviation: str, *, opened: bool) -> bool:
    """Tell whether an opening or closing ends a deviation.

    Panels send an early or late opening beside the opening itself, in either order: only the next closing ends it.
    """
    return deviation not in (_OPENING_DEVIATIONS if opened else _CLOSING_DEVIATIONS)


def _count(state: PanelState, paths: Collection[str]) -> Step:
    counters = dict(state.counters)
    for path in paths:
        counters[path] = counters.get(path, 0) + 1
    return Step(replace(state, counters=counters), tuple(Observation(path, counters[path]) for path in paths))


def _areas(state: PanelState, event: ContactEvent) -> list[int]:
    """Areas an event is about; area 0 is the whole panel, which has at least area 1."""
    return [event.area] if event.area else sorted(state.areas) or [1]


def _of_areas(template: str, state: PanelState, event: ContactEvent) -> list[str]:
    if "{n}" not in template:
        return [template]
    return [template.replace("{n}", str(area)) for area in _areas(state, event)]


def _paths_of(code: str) -> set[str]:
    return {effect.path for effect in EFFECTS[code] if isinstance(effect, Holds)}


def _report_states(state: PanelState, paths: Collection[str]) -> Step:
    return Step(state, tuple(Observation(path, word_of(state, path)) for path in paths))


def word_of(state: PanelState, path: str) -> str:
    """Word of a state signal, from the conditions that hold on it."""
    words = {condition.word for condition in state.holding if condition.path == path}
    template = _template(path)
    if not words:
        return REST_WORDS.get(template, _RESTED)
    return next((word for word in WORD_ORDER.get(template, ()) if word in words), min(words))


def _template(path: str) -> str:
    component, _, signal = path.partition("/")
    return f"zone{{n}}/{signal}" if component.startswith("zone") else path
