"""How the connection to the machine as a whole stands, from the connections to its services."""

from typing import Final

from gateway.driver import Observation
from gateway.drivers.xfs4iot.counters import Counters

RECONNECTS: Final = "link/reconnects"
PROTOCOL_ERRORS: Final = "link/protocol_errors"


class Link:
    """What is known of the connections to one machine; kept across runs.

    A service that was once listed stays known: that it vanished is what ``link/services_missing`` tells.

    Args:
        counters: the machine's counters, which count reconnections and protocol errors, too.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._known: set[str] = set()
        self._listed: set[str] = set()
        self._tried: set[str] = set()
        self._connected: set[str] = set()
        self._ever: set[str] = set()
        self._round_trips_s: dict[str, float] = {}
        self._was_up = False

    def begin(self, services: set[str]) -> None:
        """Begin a run with the services now listed."""
        self._connected.clear()
        self._tried.clear()
        self._ever.clear()
        self._round_trips_s.clear()
        self._known |= services

    def know(self, service: str) -> None:
        """A service was found while running."""
        self._known.add(service)

    def lists(self, services: set[str]) -> None:
        """These services, and no others, are what the publishers now list."""
        self._listed = set(services)

    def has_left(self, service: str) -> bool:
        """Whether the machine neither lists a service nor answers on it."""
        return service not in self._listed and service not in self._connected

    def connected(self, service: str) -> None:
        """A service answers."""
        if service in self._ever or (self._was_up and not self._connected):
            self._counters.add(RECONNECTS)  # a machine that comes back whole is one reconnection
        self._was_up = True
        self._ever.add(service)
        self._tried.add(service)
        self._connected.add(service)

    def lost(self, service: str) -> None:
        """A service does not answer, or no longer."""
        self._tried.add(service)
        self._connected.discard(service)
        self._round_trips_s.pop(service, None)

    def round_trip(self, service: str, seconds: float) -> None:
        """A status was read."""
        self._round_trips_s[service] = seconds

    def refused(self) -> None:
        """A message broke the protocol."""
        self._counters.add(PROTOCOL_ERRORS)

    def is_connected(self, service: str) -> bool:
        """Whether a service answers."""
        return service in self._connected

    @property
    def settled(self) -> bool:
        """Whether every known service was tried."""
        return self._tried >= self._known

    @property
    def is_gone(self) -> bool:
        """Whether every known service was tried and none answers."""
        return self.settled and not self._connected

    @property
    def missing(self) -> list[str]:
        """Known services that do not answer."""
        return sorted(self._known - self._connected)

    def observations(self, at_ms: int) -> list[Observation]:
        """Signals of the link; state and missing services only once every service was tried."""
        seen = [
            Observation(RECONNECTS, self._counters.total(RECONNECTS), at_ms),
            Observation(PROTOCOL_ERRORS, self._counters.total(PROTOCOL_ERRORS), at_ms),
        ]
        if self.settled:
            state = "down" if not self._connected else "degraded" if self.missing else "up"
            seen.append(Observation("link/state", state, at_ms))
            seen.append(Observation("link/services_missing", len(self.missing), at_ms))
        if self._round_trips_s:
            seen.append(Observation("link/round_trip", max(self._round_trips_s.values()), at_ms))
        return seen
