"""What an agent can be asked for: encoded values by object identifier, in lexicographic order."""

from bisect import bisect_right

from simulators.terminal import ber
from simulators.terminal.ber import Oid


class MibView:
    """Values at one moment; filled once, then asked."""

    def __init__(self) -> None:
        self._values: dict[Oid, bytes] = {}
        self._objects: set[Oid] = set()
        self._order: list[Oid] | None = None

    def __len__(self) -> int:
        return len(self._values)

    def scalar(self, oid: Oid, value: bytes) -> None:
        """Add a value that there is once."""
        self._objects.add(oid)
        self._values[*oid, 0] = value
        self._order = None

    def column(self, oid: Oid, values: dict[Oid, bytes]) -> None:
        """Add a column of a table by index; a table may be empty."""
        self._objects.add(oid)
        for index, value in values.items():
            self._values[oid + index] = value
        self._order = None

    def get(self, oid: Oid) -> bytes:
        """Value of an instance; where there is none, the exception that says which part of the name is unknown."""
        value = self._values.get(oid)
        if value is not None:
            return value
        known = any(oid[:length] in self._objects for length in range(len(oid), 0, -1))
        return ber.NO_SUCH_INSTANCE if known else ber.NO_SUCH_OBJECT

    def next(self, oid: Oid) -> tuple[Oid, bytes]:
        """The instance after a name; the name itself and the end's exception where there is none."""
        if self._order is None:
            self._order = sorted(self._values)
        place = bisect_right(self._order, oid)
        if place == len(self._order):
            return oid, ber.END_OF_MIB_VIEW
        found = self._order[place]
        return found, self._values[found]
