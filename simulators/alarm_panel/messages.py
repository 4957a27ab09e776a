"""How a panel puts its events into frames: its protocol, key, clock and habits."""

import random
from dataclasses import dataclass

from simulators.alarm_panel import sia_dcs
from simulators.alarm_panel.contact_id import Report
from simulators.alarm_panel.frames import Reply, message, parse_reply
from simulators.alarm_panel.panel_clock import PanelClock
from simulators.alarm_panel.quirks import NOISE, Protocol, Quirks

_LATE_MS = 2000
"""An event this old when it is first sent carries its time of occurrence."""


@dataclass(frozen=True, slots=True)
class Event:
    """A report with the time at which it happened, milliseconds since 1970 UTC by the true clock."""

    report: Report
    happened_at_ms: int


@dataclass(slots=True)
class Outgoing:
    """A message that waits for its reply; sent again byte for byte. ``event`` is ``None`` for a supervision message."""

    sequence: int
    event: Event | None
    frame: bytes
    sent: bool = False


class Writer:
    """Writes one panel's messages and reads the replies to them.

    Args:
        account: 3 to 16 hexadecimal digits, upper case.
        clock: the panel's clock.
        chance: source of the padding.
        protocol: how events are written.
        key: 16, 24 or 32 bytes where everything is encrypted.
        quirks: peculiarities.
    """

    def __init__(
        self,
        account: str,
        clock: PanelClock,
        chance: random.Random,
        *,
        protocol: Protocol = "ADM-CID",
        key: bytes | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        self.account = account
        self._clock = clock
        self._chance = chance
        self._protocol = protocol
        self._key = key
        self._quirks = quirks or Quirks()

    @property
    def encrypts(self) -> bool:
        """Whether replies have to be encrypted as well."""
        return self._key is not None

    def write(self, sequence: int, event: Event | None) -> Outgoing:
        """Write an event, or a supervision message, with the time of now."""
        written_as, block, happened_ms = "NULL", "", None
        now_ms = self._clock.now_ms()
        if event is not None:
            written_as = self._protocol
            block = event.report.block() if self._protocol == "ADM-CID" else sia_dcs.block(event.report)
            happened_ms = event.happened_at_ms + self._clock.offset_ms
        late = happened_ms is not None and now_ms - happened_ms >= _LATE_MS
        quirks = self._quirks
        frame = message(
            written_as,
            sequence,
            self.account,
            block,
            receiver=None if quirks.without_receiver_field else "1",
            at_ms=None if quirks.without_timestamp and self._key is None else now_ms,
            occurred_at_ms=happened_ms if late else None,
            seal_with=None if self._key is None else (self._key, self._chance),
            lower_case_hex=quirks.lower_case_hex,
        )
        return Outgoing(sequence, event, (NOISE if quirks.noise_before_frames else b"") + frame)

    def read(self, raw: bytes) -> Reply:
        """Read a reply, see :func:`~simulators.alarm_panel.frames.parse_reply`."""
        return parse_reply(raw, self._key)
