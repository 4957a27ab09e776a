"""Numbers for what packs say in words: paths, units, states. They let a batch be checked against the catalogue at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.devices import KINDS
from contracts.readings import Int32s
from contracts.signals import Signal, Sort

ABSENT: Final = 0
"""Number of a unit or a word that is not there."""

NO_STATE: Final = 0
"""Row of :attr:`Tables.ordinals` for signals that are numbers."""

_EVENT: Final = 1

WRONG: Final = -1
"""Stands in tables for what does not exist."""

MOST_SLOTS: Final = 4096
"""Paths of one kind that are looked up by table. A device keeps 4 bytes for each up to the highest it has."""


def _numbered(words: set[str]) -> dict[str | None, int]:
    return {word: number for number, word in enumerate(sorted(words), ABSENT + 1)}


UNITS: Final[Mapping[str | None, int]] = {
    "": ABSENT,
    **_numbered({signal.unit for kind in KINDS.values() for signal in kind.signals if signal.unit is not None}),
}
"""Units of the catalogue."""

WORDS: Final[Mapping[str | None, int]] = {
    None: ABSENT,
    **_numbered({state.word for kind in KINDS.values() for signal in kind.signals for state in signal.states}),
}
"""Words of the catalogue's states."""


@dataclass(frozen=True, slots=True)
class Row:
    """A concrete path of a kind; every device of the kind that has it shares the row."""

    kind: str
    path: str
    signal: Signal


@dataclass(frozen=True, slots=True)
class Tables:
    """What a batch is checked against.

    Attributes:
        row: row of each kind and path, :data:`WRONG` where there is none, shape (kinds, paths).
        slot: place of each row among those of its kind, :data:`WRONG` where it has none, shape (rows,).
        unit: unit of each row, shape (rows,).
        state: which row of ``ordinals`` each row goes by, shape (rows,).
        ordinals: number of each word, :data:`WRONG` where it must not stand, shape (states, words).
    """

    row: Int32s
    slot: Int32s
    unit: npt.NDArray[np.uint8]
    state: Int32s
    ordinals: npt.NDArray[np.int16]


class Vocabulary:
    """Grows as paths are met, and forgets none: the catalogue bounds them. The intake is the only writer.

    Attributes:
        kinds: number of each kind.
        paths: number of each path, over all kinds.
        rows: by number.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {name: number for number, name in enumerate(KINDS)}
        self.paths: dict[str, int] = {}
        self.rows: list[Row] = []
        self.slots: list[int] = []
        self._by_kind: dict[str, dict[str, int]] = {name: {} for name in KINDS}
        self._next_slot = dict.fromkeys(KINDS, 0)
        self._ordinals: list[list[int]] = [[WRONG] * len(WORDS), [WRONG] * len(WORDS)]
        self._ordinals[NO_STATE][ABSENT] = 0
        self._states: dict[tuple[str, str], int] = {}
        self._tables: Tables | None = None

    def find(self, kind: str, path: str) -> int | None:
        """Row of a path; ``None`` where it was never met."""
        return self._by_kind.get(kind, {}).get(path)

    def add(self, kind: str, path: str, signal: Signal, *, in_packs: bool) -> int:
        """A row for a path that has none.

        Args:
            kind: kind of its devices.
            path: concrete path.
            signal: its row of the catalogue.
            in_packs: whether it comes in packs; otherwise it has no slot, and a pack that holds it is not plain.
        """
        number = len(self.rows)
        self.kinds.setdefault(kind, len(self.kinds))
        self.paths.setdefault(path, len(self.paths))
        self._by_kind.setdefault(kind, {})[path] = number
        self.rows.append(Row(kind, path, signal))
        slot = self._next_slot.get(kind, 0)
        if in_packs and slot < MOST_SLOTS:
            self._next_slot[kind] = slot + 1
        else:
            slot = WRONG
        self.slots.append(slot)
        self._tables = None
        return number

    def tables(self) -> Tables:
        """As of now."""
        if self._tables is None:
            rows = np.full((len(self.kinds), len(self.paths)), WRONG, np.int32)
            kinds = [self.kinds[row.kind] for row in self.rows]
            rows[kinds, [self.paths[row.path] for row in self.rows]] = np.arange(len(self.rows))
            states = [self._state(row) for row in self.rows]
            self._tables = Tables(
                rows,
                np.array(self.slots, np.int32),
                np.array([UNITS.get(row.signal.unit or "", ABSENT) for row in self.rows], np.uint8),
                np.array(states, np.int32),
                np.array(self._ordinals, np.int16),
            )
        return self._tables

    def _state(self, row: Row) -> int:
        signal = row.signal
        if signal.sort is Sort.EVENT:
            return _EVENT
        if signal.sort is not Sort.STATE:
            return NO_STATE
        number = self._states.setdefault((row.kind, signal.path), len(self._ordinals))
        if number == len(self._ordinals):
            ordinals = [WRONG] * len(WORDS)
            for ordinal, state in enumerate(signal.states):
                ordinals[WORDS[state.word]] = ordinal
            self._ordinals.append(ordinals)
        return number
