"""What is known of a panel as it is kept between lives of the gateway, and how it is read back. Pure.

One key a fact, so that an event writes only what it changed. How many there are is bounded by the numbers that Contact ID
has for codes, areas and zones, and by the window of messages.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from contracts.devices import ALARM_PANEL
from contracts.signals import Sort
from gateway.driver import Observation
from gateway.drivers.sia_dc09.panel_state import Condition, PanelState, bypassed_zones
from runtime.logs import get_logger

_log = get_logger(__name__)

_T = TypeVar("_T")

ACCOUNT: Final = "account"
LIVED_S: Final = "lived_s"
_MESSAGE: Final = "message"
_COUNT: Final = "count"
_AREA: Final = "area"
_CONDITION: Final = "condition"
_SCHEDULE: Final = "schedule"
_COUNTER: Final = "counter"
_WORD: Final = "word"

_BYPASSED: Final = "panel/bypassed_zones"

Changes = dict[str, str | None]
"""Key → text to keep, ``None`` to forget."""


_COUNTED_FROM_0: Final = {"panel/wrong_codes": 0}
"""Counters that are told before anything was counted: of several wrong codes in a row the first counts as well."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known from before.

    Attributes:
        state: of the panel.
        words: state signals told so far, by path; that a zone is in order is worth telling again, too. The number of
            bypassed zones is among them where it was told; it follows from the state.
        counts: the driver's own counts, by name.
        messages: messages taken, by key, with when, in seconds lived.
        lived_s: seconds the driver has lived in all its lives, as last kept.
    """

    state: PanelState
    words: Mapping[str, str]
    counts: Mapping[str, int]
    messages: Mapping[str, float]
    lived_s: float

    def observations(self) -> list[Observation]:
        """What is known, to be told in a new life."""
        told = [
            Observation(path, bypassed_zones(self.state) if path == _BYPASSED else word)
            for path, word in self.words.items()
        ]
        return told + [Observation(path, total) for path, total in self.state.counters.items()]


def standing(account: str, lived_s: float, counts: Mapping[str, int]) -> Changes:
    """What every commit keeps."""
    return {ACCOUNT: account, LIVED_S: repr(lived_s), **counted(**counts)}


def counted(**counts: int) -> Changes:
    """Keep counts of the driver's own."""
    return {f"{_COUNT}/{name}": str(count) for name, count in counts.items()}


def message_taken(keys: Iterable[str], lived_s: float, surplus: Iterable[str]) -> Changes:
    """Keep a message under its keys, forget those that gave way to it."""
    return {
        **{f"{_MESSAGE}/{key}": repr(lived_s) for key in keys},
        **{f"{_MESSAGE}/{old}": None for old in surplus},
    }


def state_changed(before: PanelState, after: PanelState, observations: Iterable[Observation]) -> Changes:
    """Keep what an event changed, and the words it told."""
    changes: Changes = {f"{_AREA}/{area}": "" for area in after.areas - before.areas}
    changes |= {_condition_key(ended): None for ended in before.holding - after.holding}
    changes |= {_condition_key(begun): begun.word for begun in after.holding - before.holding}
    changes |= {f"{_SCHEDULE}/{area}": word for area, word in after.schedule.items()}
    changes |= {
        f"{_COUNTER}/{path}": str(total) for path, total in after.counters.items() if before.counters.get(path) != total
    }
    changes |= {f"{_WORD}/{path}": word for path, word in words_of(observations).items()}
    return changes


def words_of(observations: Iterable[Observation]) -> dict[str, str]:
    """Words of state signals among observations, by path."""
    words = {}
    for seen in observations:
        if seen.path == _BYPASSED:
            words[seen.path] = ""
        signal = ALARM_PANEL.signal(seen.path)
        if signal is not None and signal.sort is Sort.STATE and isinstance(seen.value, str):
            words[seen.path] = seen.value
    return words


def _condition_key(condition: Condition) -> str:
    return f"{_CONDITION}/{condition.code}/{condition.number}/{condition.path}"


def read(kept: Mapping[str, str], areas: Iterable[int]) -> Past:
    """Read what was kept; ``areas`` are the configured ones. What cannot be read is left out and logged."""
    return Past(
        state=PanelState(
            areas=frozenset([*areas, *_read(kept, _AREA, lambda area, _: int(area))]),
            holding=frozenset(_read(kept, _CONDITION, _condition)),
            schedule=dict(_read(kept, _SCHEDULE, lambda area, word: (int(area), word))),
            counters=dict(_COUNTED_FROM_0) | dict(_read(kept, _COUNTER, lambda path, total: (path, int(total)))),
        ),
        words=dict(_read(kept, _WORD, lambda path, word: (path, word))),
        counts=dict(_read(kept, _COUNT, lambda name, count: (name, int(count)))),
        messages=dict(_read(kept, _MESSAGE, lambda key, taken_s: (key, float(taken_s)))),
        lived_s=max(_read(kept, LIVED_S, lambda _, lived_s: float(lived_s)), default=0.0),
    )


def _read(kept: Mapping[str, str], sort: str, parse: Callable[[str, str], _T]) -> Iterator[_T]:
    for key, text in kept.items():
        head, _, rest = key.partition("/")
        if head != sort:
            continue
        try:
            yield parse(rest, text)
        except ValueError as error:
            _log.warning("something kept of the panel cannot be read", key=key, text=text[:100], error=str(error))


def _condition(rest: str, word: str) -> Condition:
    code, number, path = rest.split("/", 2)
    return Condition(path, code, int(number), word)
