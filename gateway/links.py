"""The link signals of a device that several drivers read: one device, one ``link/state``, whoever sees it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.driver import Observation

LINK_STATE: Final = "link/state"
LINK_DOWN: Final = "down"

_SUMMED: Final = frozenset({"link/reconnects", "link/protocol_errors"})
_ONE_VALUE: Final = ("link/round_trip", "clock/skew", "ups/")
"""Beginnings of paths that two drivers of one device can both see; a power supply is on XFS4IoT and on SNMP."""


class Links:
    """What each of a device's drivers last said of its link.

    A device read by one driver has the link that driver sees. With several, all up is ``up``, none is ``down``, and
    anything between is ``degraded``; counters are summed; what can only have one value is told by the driver that told it
    first.
    """

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._counts: dict[str, dict[str, float]] = {path: {} for path in _SUMMED}
        self._first: dict[str, str] = {}
        self._told_by: dict[str, str] = {}

    def state(self, driver: str) -> str | None:
        """What a driver last said, ``None`` before it said anything."""
        return self._states.get(driver)

    def merged(self, driver: str, observations: Sequence[Observation]) -> list[Observation]:
        """A driver's observations as the device's."""
        merged = []
        for item in observations:
            if item.path == LINK_STATE and isinstance(item.value, str):
                self._states[driver] = item.value
                merged.append(replace(item, value=self._state()))
            elif item.path in _SUMMED and isinstance(item.value, (int, float)):
                self._counts[item.path][driver] = item.value
                merged.append(replace(item, value=sum(self._counts[item.path].values())))
            elif not item.path.startswith(_ONE_VALUE) or self._speaks(driver, item.path):
                self._told_by[item.path] = driver
                merged.append(item)
        return merged

    def told_by(self, path: str) -> str | None:
        """The driver that told a signal last; ``None`` for what is the device's own, not one driver's."""
        return self._told_by.get(path)

    def _speaks(self, driver: str, path: str) -> bool:
        """Whether a driver speaks for a signal that several can see: the first, or the next once that one is down."""
        if self._states.get(self._first.get(path, driver)) == LINK_DOWN:
            self._first[path] = driver
        return self._first.setdefault(path, driver) == driver

    def _state(self) -> str:
        words = set(self._states.values())
        return words.pop() if len(words) == 1 else "degraded"
