"""What reads one agent: the part that the computer, the printer and the power supply have in common."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Protocol

from contracts.errors import DeviceMisbehaved
from gateway.driver import Observation
from gateway.drivers.snmp.agent import Agent
from gateway.drivers.snmp.values import Answers

_REMEMBERED_MOST: Final = 1000
"""OIDs with a wrong value that are remembered, so that each is complained about once and not at each look."""


class Reader(Protocol):
    """Reads one agent into observations. One call at a time."""

    name: str
    """``host``, ``printer`` or ``ups``."""

    agent: Agent

    def recall(self, kept: Mapping[str, str]) -> None:
        """Go on with what is on disk, at the beginning of a run."""
        ...

    async def refresh(self) -> list[Observation]:
        """Read what changes slowly, and find out which rows there are for :meth:`look`.

        Raises:
            DeviceUnreachable: no answer.
            DeviceRefused: credentials are wrong.
        """
        ...

    async def look(self) -> list[Observation]:
        """Read what changes quickly; raises as :meth:`refresh`, and DeviceMisbehaved where the answers are none."""
        ...

    def to_keep(self) -> dict[str, str]:
        """What must outlive the process, with whatever was returned so far."""
        ...


class Complaints:
    """Passes on what an agent does wrong, each thing once until it is right again.

    Args:
        where: the agent.
        refuse: takes a complaint as text, with the error it is.
    """

    def __init__(self, where: str, refuse: Callable[[str, DeviceMisbehaved], None]) -> None:
        self._where = where
        self._refuse = refuse
        self._known: dict[str, frozenset[str]] = {}

    def about(self, error: DeviceMisbehaved) -> None:
        """Pass an error on."""
        self._refuse(str(error), error)

    def look_at(self, part: str, answers: Answers) -> None:
        """Pass on what is newly wrong with the values of a part."""
        before = self._known.get(part, frozenset())
        wrong = {complaint.oid: complaint.reason for complaint in answers.complaints[:_REMEMBERED_MOST]}
        self._known[part] = frozenset(wrong)
        for oid in sorted(wrong.keys() - before):
            self.about(DeviceMisbehaved(f"{self._where}: {oid}: {wrong[oid]}; look at the agent"))


async def each(
    parts: Iterable[Callable[[], Awaitable[list[Observation]]]], complaints: Complaints
) -> list[Observation]:
    """Read several parts; one that is beyond reading does not keep the others from being read."""
    seen: list[Observation] = []
    for read in parts:
        try:
            seen.extend(await read())
        except DeviceMisbehaved as error:
            complaints.about(error)
    return seen
