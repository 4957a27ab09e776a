"""How the connections to the agents stand, as one. Pure."""

from collections.abc import Iterable
from typing import Final

from gateway.driver import Observation
from gateway.drivers.snmp.memory import LinkMemory

_ROUND_TRIP_MOST_S: Final = 60.0


class Link:
    """Kept across runs: counters outlive a reconnect.

    Args:
        agents: names of the agents.
    """

    def __init__(self, agents: Iterable[str]) -> None:
        self._agents = frozenset(agents)
        self._tried: set[str] = set()
        self._answering: set[str] = set()
        self._answered_this_run: set[str] = set()
        self._round_trips_s: dict[str, float] = {}
        self._was_up = False
        self._reconnects = 0
        self._protocol_errors = 0

    def begin(self, memory: LinkMemory) -> None:
        """Begin a run with what is kept of the lives before."""
        self._tried.clear()
        self._answering.clear()
        self._answered_this_run.clear()
        self._round_trips_s.clear()
        self._reconnects = max(self._reconnects, memory.reconnects)
        self._protocol_errors = max(self._protocol_errors, memory.protocol_errors)

    def answered(self, agent: str, round_trip_s: float) -> None:
        """An agent answers."""
        if agent not in self._answering and (
            agent in self._answered_this_run or (self._was_up and not self._answering)
        ):
            self._reconnects += 1  # all that come back together are one reconnection
        self._was_up = True
        self._tried.add(agent)
        self._answering.add(agent)
        self._answered_this_run.add(agent)
        self._round_trips_s[agent] = min(round_trip_s, _ROUND_TRIP_MOST_S)

    def lost(self, agent: str) -> None:
        """An agent does not answer."""
        self._tried.add(agent)
        self._answering.discard(agent)
        self._round_trips_s.pop(agent, None)

    def erred(self) -> None:
        """Something came that the protocol does not allow."""
        self._protocol_errors += 1

    @property
    def is_gone(self) -> bool:
        """Whether every agent was tried and none answers."""
        return self._tried == self._agents and not self._answering

    def memory(self) -> LinkMemory:
        """What to keep."""
        return LinkMemory(reconnects=self._reconnects, protocol_errors=self._protocol_errors)

    def observations(self) -> list[Observation]:
        """Signals of the link; its state only once every agent was tried."""
        seen = [
            Observation("link/reconnects", self._reconnects),
            Observation("link/protocol_errors", self._protocol_errors),
        ]
        if self._tried == self._agents:
            state = "down" if self.is_gone else "up" if self._answering == self._agents else "degraded"
            seen.append(Observation("link/state", state))
        if self._round_trips_s:
            seen.append(Observation("link/round_trip", round(max(self._round_trips_s.values()), 4)))
        return seen
