"""What the messages of a camera say about it as a whole. Pure.

Several sources of one topic make one signal: a fan that failed is not mended because another one runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.driver import Observation
from gateway.drivers.onvif.event_texts import EventTexts
from gateway.drivers.onvif.memory import Memory
from gateway.drivers.onvif.notification import DELETED, INITIALIZED, Notification, read_number, read_time
from gateway.drivers.onvif.topics import JOB_WORDS, Meaning, Topic, find, flag, job_word

SOURCES_MOST: Final = 64
"""Sources of one signal; further ones are left out."""

_REBOOT_APART: Final = timedelta(seconds=60)
"""Cameras that reckon their last start from the time they run move it by seconds."""

_ALWAYS: Final = "video/signal_loss"
_UNKNOWN: Final = "unknown"

_FLAG_WORDS: Final = {True: "true", False: "false", None: _UNKNOWN}
_RELAY_WORDS: Final = {True: "active", False: "inactive", None: _UNKNOWN}

SUSPICIOUS: Final = frozenset(
    {("video/signal_loss", "true"), ("hardware/storage_failure", "true"), ("recording/state", "Error")}
)
"""What makes a look at the stream due at once."""


@dataclass(frozen=True, slots=True)
class _Said:
    value: bool | float | str | None
    round: int


class CameraState:
    """The camera as its messages tell it; kept across runs.

    Args:
        memory: what outlives the process.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._sources: dict[str, dict[str, _Said]] = {}
        self._texts = EventTexts()
        self._round = 0
        self._synchronised_at: datetime | None = None

    def begin_round(self) -> None:
        """A new subscription: the state of every property is about to be sent."""
        self._round += 1

    def end_round(self) -> list[Observation]:
        """Everything was sent: sources that were not heard of again are gone."""
        changed = []
        for path, sources in self._sources.items():
            if not any(said.round == self._round for said in sources.values()):
                continue
            gone = [key for key, said in sources.items() if said.round != self._round]
            for key in gone:
                del sources[key]
            if gone:
                changed.append(path)
        seen = [self._observe(path) for path in changed]
        if _ALWAYS not in self._sources:
            seen.append(Observation(_ALWAYS, _UNKNOWN))  # a camera without that topic cannot tell
        return seen

    def take(self, notifications: Iterable[Notification], now_s: float) -> list[Observation]:
        """Take the messages of one answer.

        Args:
            notifications: in the order of the answer.
            now_s: seconds on a steady clock, for the bound of event texts.
        """
        changed: dict[str, None] = {}
        seen: list[Observation] = []
        for notification in notifications:
            row = find(notification.topic)
            if row is None:
                seen += self._event(notification, now_s)
            elif row.meaning is Meaning.LOGIN_FAILED:
                if notification.operation != INITIALIZED:
                    self._memory.auth_failures = (self._memory.auth_failures or 0) + 1
            elif row.meaning in {Meaning.REBOOT, Meaning.CLOCK_SET}:
                self._time(row, notification)
            else:
                path = self._source(row, notification, now_s, seen)
                if path is not None:
                    changed[path] = None
        seen += [self._observe(path) for path in changed if self._sources.get(path)]
        return seen + self.counters()

    def counters(self) -> list[Observation]:
        """The camera's counters as they stand."""
        seen = [Observation("device/reboots", self._memory.reboots)]
        if self._memory.auth_failures is not None:
            seen.append(Observation("device/auth_failures", self._memory.auth_failures))
        return seen

    def sync_age(self, device_now_at: datetime) -> list[Observation]:
        """How long ago the camera's clock was synchronised, where it told when.

        Args:
            device_now_at: now by the camera's clock.
        """
        if self._synchronised_at is None:
            return []
        age_s = max(0.0, (device_now_at - self._synchronised_at).total_seconds())
        return [Observation("clock/sync_age", round(age_s))]

    # -- one message -------------------------------------------------------------------------------------------------

    def _event(self, notification: Notification, now_s: float) -> list[Observation]:
        if notification.operation == INITIALIZED:  # how things stood when we came is no event
            return []
        text = self._texts.offer(notification.topic, notification.text(), now_s)
        return [] if text is None else [Observation("device/event", text)]

    def _source(self, row: Topic, notification: Notification, now_s: float, seen: list[Observation]) -> str | None:
        path = self._path(row, notification)
        if path is None:
            return None
        sources = self._sources.setdefault(path, {})
        key = f"{notification.topic}|{notification.source_key}"
        if notification.operation == DELETED:
            sources.pop(key, None)
            return path
        said = notification.item(row.items)
        if said is None or (key not in sources and len(sources) >= SOURCES_MOST):
            return None
        value = _value(row.meaning, said)
        if value is None:
            seen += self._event(notification, now_s)  # the words it used, beside the state that is unknown
            if row.meaning in {Meaning.GAUGE, Meaning.LOAD}:
                return None
        if row.meaning is Meaning.LOAD and isinstance(value, float) and value > 1:
            self._memory.load_in_percent = True
        sources[key] = _Said(value, self._round)
        return path

    def _path(self, row: Topic, notification: Notification) -> str | None:
        if row.meaning is Meaning.INPUT:
            number = self._memory.number_of_input(notification.source_key)
        elif row.meaning is Meaning.RELAY:
            number = self._memory.number_of_relay(notification.source_key)
        else:
            return row.path
        return None if number is None else f"{row.path}{number}/state"

    def _time(self, row: Topic, notification: Notification) -> None:
        at = read_time(notification.item(row.items) or "")
        if at is None:  # never, or a date such as 0000-00-00
            return
        if row.meaning is Meaning.CLOCK_SET:
            self._synchronised_at = at
            return
        last_at = self._memory.last_reboot_at
        if last_at is None:
            self._memory.last_reboot_at = at
        elif at - last_at > _REBOOT_APART:
            self._memory.last_reboot_at = at
            self._memory.reboots += 1

    # -- many sources, one signal ------------------------------------------------------------------------------------

    def _observe(self, path: str) -> Observation:
        values = [said.value for said in self._sources[path].values()]
        numbers = [value for value in values if isinstance(value, float)]
        if path == "hardware/cpu":
            load = max(numbers, default=0.0)
            return Observation(path, min(1.0, max(0.0, load / 100 if self._memory.load_in_percent else load)))
        if path == "hardware/temperature":
            return Observation(path, max(numbers, default=0.0))
        if path == "recording/state":
            words = [value for value in values if isinstance(value, str)]
            return Observation(path, max(words, key=JOB_WORDS.index) if words else _UNKNOWN)
        words_of = _RELAY_WORDS if path.startswith("io/relay") else _FLAG_WORDS
        is_known = [value for value in values if isinstance(value, bool)]
        return Observation(path, words_of[any(is_known) if any(is_known) or len(is_known) == len(values) else None])


def _value(meaning: Meaning, said: str) -> bool | float | str | None:
    if meaning in {Meaning.GAUGE, Meaning.LOAD}:
        return read_number(said)
    if meaning is Meaning.JOB:
        return job_word(said)
    return flag(said)
