"""What is known of a sensor as it is kept between lives of the gateway, and how it is read back. Pure.

The counts are one text; each interval that came is a key of its own, so that a push writes only what it adds.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import TypeAdapter, ValidationError

from gateway.drivers.milesight.counting import Counts
from runtime.logs import get_logger

_log = get_logger(__name__)

COUNTS: Final = "counts"
NETWORK: Final = "network"
RECONNECTS: Final = "reconnects"
PROTOCOL_ERRORS: Final = "protocol_errors"
_INTERVAL: Final = "interval"

MOST_INTERVALS: Final = 4096
"""Four lines pushed every minute for 17 h."""

_COUNTS: Final = TypeAdapter(Counts)


def key_of(serial: str, line_uuid: str, moment: str) -> str:
    """Identity of a line's interval."""
    return hashlib.sha256(f"{serial}|{line_uuid}|{moment}".encode(errors="replace")).hexdigest()[:24]


def write_counts(counts: Counts) -> str:
    """Write what is known."""
    return _COUNTS.dump_json(counts).decode()


def read_counts(kept: Mapping[str, str]) -> Counts:
    """Read what was known; nothing where it cannot be read."""
    text = kept.get(COUNTS)
    if text is None:
        return Counts()
    try:
        return _COUNTS.validate_json(text)
    except ValidationError as error:
        _log.warning("the sensor's kept counts cannot be read; counters begin anew", error=str(error)[:200])
        return Counts()


def read_count(kept: Mapping[str, str], key: str) -> int:
    """Read one of the driver's own counts."""
    text = kept.get(key, "")
    return int(text) if text.isdecimal() else 0


class RecentIntervals:
    """Intervals that came, the newest so many: a line's interval that is known came before."""

    def __init__(self, kept: Mapping[str, str] = {}) -> None:
        known = [
            (int(text), key.removeprefix(f"{_INTERVAL}/"))
            for key, text in kept.items()
            if key.startswith(f"{_INTERVAL}/") and text.isdecimal()
        ]
        self._known = OrderedDict((key, place) for place, key in sorted(known))
        self._place = max(self._known.values(), default=0)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def changes(self, keys: Iterable[str]) -> dict[str, str | None]:
        """What to keep where these came now, and what to forget for it."""
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        surplus = max(0, len(self._known) + len(new) - MOST_INTERVALS)
        gone = list(self._known)[:surplus]
        return {
            **{f"{_INTERVAL}/{key}": str(self._place + place) for place, key in enumerate(new, start=1)},
            **{f"{_INTERVAL}/{key}": None for key in gone},
        }

    def remember(self, keys: Iterable[str]) -> None:
        """Note that these came."""
        for key, text in self.changes(keys).items():
            name = key.removeprefix(f"{_INTERVAL}/")
            if text is None:
                del self._known[name]
            else:
                self._known[name] = int(text)
                self._place = int(text)
