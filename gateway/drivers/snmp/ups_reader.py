"""Reads the power supply."""

from collections.abc import Mapping

from gateway.driver import Observation
from gateway.drivers.snmp import ups
from gateway.drivers.snmp.agent import Agent
from gateway.drivers.snmp.identities import Identities
from gateway.drivers.snmp.reader import Complaints, each
from gateway.drivers.snmp.values import Answers


class UpsReader:
    """States, figures and alarms of one power supply. Its traps are not needed: it is asked often enough.

    Args:
        agent: its agent.
        complaints: take what the agent does wrong.
        identities: take its make, model and firmware.
    """

    name = "ups"

    def __init__(self, agent: Agent, complaints: Complaints, identities: Identities) -> None:
        self.agent = agent
        self._complaints = complaints
        self._identities = identities
        self._lines: tuple[str, ...] = ()

    def recall(self, kept: Mapping[str, str]) -> None:  # noqa: ARG002  (the port gives it to every reader)
        """List the lines anew."""
        self._lines = ()

    def to_keep(self) -> dict[str, str]:
        """Nothing of its own."""
        return {}

    async def refresh(self) -> list[Observation]:
        """List the lines and read what the supply is."""
        return await each((self._list_lines, self._identify), self._complaints)

    async def look(self) -> list[Observation]:
        """Read states, figures, lines and alarms."""
        values = await self.agent.get([*ups.STATUS_OIDS, *self._lines])
        if values.get(ups.ALARMS_PRESENT) != 0:  # none present: the table need not be read
            values.update(await self.agent.column(ups.ALARM, ups.ALARMS_MOST))
        answers = Answers(values)
        seen = [*ups.read_status(answers), *ups.read_lines(answers), *ups.read_alarms(answers)]
        self._complaints.look_at("look", answers)
        return seen

    async def _list_lines(self) -> list[Observation]:
        self._lines = ups.line_oids(Answers(await self.agent.table(ups.LINE_COLUMNS, ups.LINES_MOST)))
        return []

    async def _identify(self) -> list[Observation]:
        answers = Answers(await self.agent.get(list(ups.IDENTITY.values())))
        seen = []
        for what, oid in ups.IDENTITY.items():
            seen += self._identities.said(f"ups {what}", answers.text(oid))
        self._complaints.look_at("identity", answers)
        return seen
