"""Numbers for things that have names: ``disk1`` stays the same disk. Pure.

Agents number rows as they like and anew at each start; names stay. A name keeps its number for good, whatever else comes
or goes.
"""

from collections.abc import Iterable


class Numbering:
    """Numbers from 1 in the order in which names were first seen.

    Args:
        names: names already numbered, in order.
        most: how many numbers there are; names beyond get none.
    """

    def __init__(self, names: Iterable[str], most: int) -> None:
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(names), 1) if number <= most}
        self._most = most

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of their numbers."""
        return tuple(self._numbers)

    def number(self, name: str) -> int | None:
        """Number of a name, a new one where it is new; ``None`` where there are no more."""
        if name not in self._numbers and len(self._numbers) < self._most:
            self._numbers[name] = len(self._numbers) + 1
        return self._numbers.get(name)
