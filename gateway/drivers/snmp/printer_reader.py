"""Reads the printer."""

from collections.abc import Mapping

from contracts.errors import DeviceMisbehaved
from gateway.driver import Observation
from gateway.drivers.snmp import printer
from gateway.drivers.snmp.agent import Agent
from gateway.drivers.snmp.identities import Identities
from gateway.drivers.snmp.reader import Complaints, each
from gateway.drivers.snmp.settings import PrinterSettings
from gateway.drivers.snmp.values import Answers


class PrinterReader:
    """States, levels, pages and serial number of one printer.

    Args:
        settings: which printer.
        agent: its agent.
        complaints: take what the agent does wrong.
        identities: take its serial number.
    """

    name = "printer"

    def __init__(self, settings: PrinterSettings, agent: Agent, complaints: Complaints, identities: Identities) -> None:
        self.agent = agent
        self._settings = settings
        self._complaints = complaints
        self._identities = identities
        self._index = ""

    def recall(self, kept: Mapping[str, str]) -> None:  # noqa: ARG002  (the port gives it to every reader)
        """Find the printer anew."""
        self._index = ""

    def to_keep(self) -> dict[str, str]:
        """Nothing of its own."""
        return {}

    async def refresh(self) -> list[Observation]:
        """Find the printer, read levels, pages and serial number."""
        return await each((self._find, self._read_levels), self._complaints)

    async def look(self) -> list[Observation]:
        """Read the states."""
        if not self._index:
            raise DeviceMisbehaved(
                f"{self.agent.where}: the agent lists no printer; set device_index or remove printer"
            )
        answers = Answers(await self.agent.get(printer.status_oids(self._index)))
        seen = printer.read_status(answers, self._index)
        self._complaints.look_at("look", answers)
        return seen

    async def _find(self) -> list[Observation]:
        if self._settings.device_index is not None:
            self._index = str(self._settings.device_index)
            return []
        columns = (printer.DEVICE_TYPE, printer.PRINTER_STATUS, printer.SERIAL)
        answers = Answers(await self.agent.table(columns, printer.ROWS_MOST))
        self._index = printer.find_printer(answers)
        self._complaints.look_at("devices", answers)
        return []

    async def _read_levels(self) -> list[Observation]:
        index = self._index
        if not index:
            return []
        values = await self.agent.table([f"{column}.{index}" for column in printer.LEVEL_COLUMNS], printer.ROWS_MOST)
        serial = f"{printer.SERIAL}.{index}"
        values.update(await self.agent.get([serial]))
        answers = Answers(values)
        seen = printer.read_levels(answers, index)
        seen += self._identities.said("printer serial", answers.text(serial))
        self._complaints.look_at("levels", answers)
        return seen
