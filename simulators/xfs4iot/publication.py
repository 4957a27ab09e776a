"""Turns what happened in the machine into unsolicited messages, one list a service, in the order they are sent."""

from collections.abc import Mapping
from typing import Any

from simulators.modules.happenings import Module
from simulators.xfs4iot.announcements import Announcement, told
from simulators.xfs4iot.message_format import Json
from simulators.xfs4iot.service import ServedMachine


class Publication:
    """Remembers what each service said last, and says what is new.

    Args:
        machine: the machine.
        major: message format.
    """

    def __init__(self, machine: ServedMachine, major: int) -> None:
        self._machine = machine
        self._major = major
        self._modules = [service.module for service in machine.services]
        self._boxed = [service.module for service in machine.services if service.storage]
        self._status = {module: machine.status(module, major) for module in self._modules}
        self._storage = {module: machine.storage(module, major) for module in self._boxed}

    def news(self) -> list[Announcement]:
        """Announce what happened and what changed since the last call: events first, then states, then counts."""
        announcements = [
            announcement for happening in self._machine.drain() for announcement in told(happening, self._major)
        ]
        machine, major = self._machine, self._major
        for module in self._modules:
            status = machine.status(module, major)
            before, self._status[module] = self._status[module], status
            if status != before:
                announcements += self._states(module, changes(before, status))
        for module in self._boxed:
            storage = machine.storage(module, major)
            stored, self._storage[module] = self._storage[module], storage
            if storage != stored:
                announcements += _boxes(module, changes(stored, storage))
        return announcements

    def _states(self, module: Module, changed: Json) -> list[Announcement]:
        if self._major > 1:
            return [Announcement(module, "Common.StatusChangedEvent", changed)]
        # Format 1 tells the common states only, without the interface's name; the rest has to be asked for.
        parts = (("common", "Common.StatusChangedEvent"), ("auxiliaries", "Auxiliaries.AuxiliaryStatusEvent"))
        return [Announcement(module, name, changed[part]) for part, name in parts if part in changed]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """What differs in ``after``, nested the same way; a list counts as one value."""
    changed: Json = {}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = changes(old, value)
            if inner:
                changed[key] = inner
        elif value != old:
            changed[key] = value
    return changed


def _boxes(module: Module, changed: Json) -> list[Announcement]:
    """Split a change of storage units into the events that the standard has for its parts."""
    moved: Json = {}
    levels: Json = {}
    counts: Json = {}
    for unit, difference in changed.items():
        own = {key: value for key, value in difference.items() if key not in {"cash", "card", "printer"}}
        if own:
            moved[unit] = own
        for sort in ("cash", "card", "printer"):
            state = dict(difference.get(sort, {}).get("status", {}))
            level = state.pop("replenishmentStatus", None)
            if state:
                counts[unit] = {sort: {"status": state}}
            if level is not None:
                levels[unit] = {sort: {"status": {"replenishmentStatus": level}}}
    events = (("StorageChangedEvent", moved), ("CountsChangedEvent", counts), ("StorageThresholdEvent", levels))
    return [Announcement(module, f"Storage.{name}", payload) for name, payload in events if payload]
