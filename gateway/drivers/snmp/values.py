"""Values an agent gave, by OID, and reading them with care: what is missing, mistyped or absurd is absent. Pure.

OIDs are dotted numbers. A value is a number, octets, or an OID; an agent's "no such object", "no such instance" and "end of
MIB" are no values.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Value = int | bytes | str
"""A number, octets, or an OID as text."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A value that cannot be what its MIB says."""

    oid: str
    reason: str


@dataclass(slots=True)
class Answers:
    """Values by OID.

    Attributes:
        values: what the agent gave.
        complaints: what was asked for by type and range and did not fit, in the order it was read.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    def number(self, oid: str, least: int, most: int) -> int | None:
        """A number within bounds, ``None`` where there is none."""
        value = self.values.get(oid)
        if value is None:
            return None
        if not isinstance(value, int):
            self._complain(oid, f"expected a number, got {_shown(value)}")
            return None
        if not least <= value <= most:
            self._complain(oid, f"expected {least} to {most}, got {value}")
            return None
        return value

    def octets(self, oid: str, least: int, most: int) -> bytes | None:
        """Octets of a length within bounds, ``None`` where there are none."""
        value = self.values.get(oid)
        if value is None:
            return None
        if not isinstance(value, bytes):
            self._complain(oid, f"expected octets, got {_shown(value)}")
            return None
        if not least <= len(value) <= most:
            self._complain(oid, f"expected {least} to {most} octets, got {len(value)}")
            return None
        return value

    def text(self, oid: str, most: int = 512) -> str:
        """Text without padding, empty where there is none."""
        value = self.octets(oid, 0, most)
        return "" if value is None else read_text(value)

    def oid(self, oid: str) -> str:
        """An OID, empty where there is none."""
        value = self.values.get(oid)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._complain(oid, f"expected an OID, got {_shown(value)}")
            return ""
        return value

    def rows(self, column: str) -> Iterator[str]:
        """Indexes of the rows that have a value in a column, in the agent's order."""
        prefix = f"{column}."
        for oid in self.values:
            if oid.startswith(prefix):
                yield oid.removeprefix(prefix)

    def _complain(self, oid: str, reason: str) -> None:
        self.complaints.append(Complaint(oid, reason))


def merged(parts: Iterable[Mapping[str, Value]]) -> Answers:
    """Several answers as one."""
    values: dict[str, Value] = {}
    for part in parts:
        values.update(part)
    return Answers(values)


def read_text(octets: bytes) -> str:
    """Text of octets in UTF-8, or else in Latin-1; trailing zeros and blanks are padding."""
    bare = octets.rstrip(b"\0 ")
    try:
        text = bare.decode("utf-8")
    except UnicodeDecodeError:
        text = bare.decode("latin-1")
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _shown(value: Value) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} octets {value[:16].hex()}"
    return f"OID {value[:64]}" if isinstance(value, str) else f"number {value}"
