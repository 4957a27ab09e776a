"""What a panel or somebody who plays one does that people should look at, as lines of the log."""

from typing import Final

from gateway.drivers.sia_dc09.contact_id import ContactEvent
from gateway.drivers.sia_dc09.gate import Flaw, TurnedAway
from gateway.drivers.sia_dc09.settings import Settings
from runtime.logs import get_logger

_log = get_logger(__name__)

_MINUTE_S: Final = 60.0


class Warnings:
    """Says each thing as seldom as helps.

    Args:
        settings: which panel.
    """

    def __init__(self, settings: Settings) -> None:
        self._account = settings.account.upper()
        self._zones = settings.zones
        self._foreign_zones: set[int] = set()
        self._said_s: dict[Flaw, float] = {}

    def stranger(self, turned_away: TurnedAway, now_s: float) -> None:
        """Say what may be somebody who plays the panel, at most once a minute for each reason."""
        if turned_away.is_security_relevant and now_s - self._said_s.get(turned_away.flaw, -_MINUTE_S) >= _MINUTE_S:
            self._said_s[turned_away.flaw] = now_s
            _log.warning(
                "message not let in", account=self._account, flaw=turned_away.flaw, reason=str(turned_away.error)
            )

    def foreign_zone(self, event: ContactEvent) -> None:
        """Say once that an alarm is of a zone that the settings do not list."""
        zones = self._zones
        if zones and event.code < "200" and event.number not in {0, *zones} and event.number not in self._foreign_zones:
            self._foreign_zones.add(event.number)
            _log.warning(
                "alarm of a zone that the settings do not list", account=self._account, zone=event.number,
                listed=len(zones),
            )  # fmt: skip
