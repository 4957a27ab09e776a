"""Signal paths in rules: ``*`` stands for one whole or partial segment and gives one fault for each match."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.signals import DeviceKind, Signal

_ALLOWED = re.compile(r"[A-Za-z0-9_*-]+(/[A-Za-z0-9_*-]+){1,2}")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path such as ``cdm/unit*/count``.

    Raises:
        ValueError: the text cannot be a path.
    """

    text: str
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _part_segments: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if _ALLOWED.fullmatch(self.text) is None:
            raise ValueError(
                "expected component/signal or component/part/signal, where * stands for (part of) a segment"
            )
        source = "[^/]+".join(re.escape(piece) for piece in self.text.split("*"))
        object.__setattr__(self, "_compiled", re.compile(source))
        segments = self.text.split("/")
        starred = [index + 1 for index, segment in enumerate(segments) if "*" in segment]
        object.__setattr__(self, "_part_segments", max(starred, default=0))

    @property
    def is_repeated(self) -> bool:
        """Whether the pattern has a ``*``."""
        return self._part_segments > 0

    def part_of(self, path: str) -> str | None:
        """Part that a concrete path belongs to: ``cdm/unit2`` for ``cdm/unit2/count``.

        Returns:
            The path up to the last segment with a ``*``, empty where the pattern has none, ``None`` where it does not match.
        """
        if self._compiled.fullmatch(path) is None:
            return None
        return "/".join(path.split("/")[: self._part_segments])

    def signals(self, kind: DeviceKind) -> Iterator[Signal]:
        """Rows of a device kind that the pattern can match."""
        if not self.is_repeated:
            row = kind.signal(self.text)
            if row is not None:
                yield row
            return
        for row in kind.signals:
            sample = _PLACEHOLDER.sub(lambda found: "1" if found[1] == "n" else "x", row.path)
            if self._compiled.fullmatch(sample):
                yield row
