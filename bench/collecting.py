"""The collector of ``bench.ingest`` as it ships, in a process of its own: ``python -m bench.collecting PORT DIRECTORY``.

It says a line when it has started, tells a board of each commit, and stops in order on SIGTERM. What the board costs, a few
nanoseconds a reading, is in its figures.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import numpy as np
from prometheus_client import CollectorRegistry

from bench.commit_board import CommitBoard
from collector.app import Collector
from collector.fleet import Device
from collector.listener import BatchListener, History, NobodyListens
from collector.settings import CollectorSettings
from contracts.readings import ReadingBatch, SeriesInfo
from rules.app import Rules
from rules.settings import RulesSettings
from runtime.clock import Clock, SystemClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.logs import configure_logs
from runtime.migration import upgrade
from runtime.settings import BrokerSettings, LogSettings
from runtime.supervisor import Supervisor

BOARD_FILE: Final = "board"


class TellsTheBoard:
    """A listener that notes each commit once another has taken it."""

    def __init__(self, then: BatchListener, board: CommitBoard, registry: CollectorRegistry, clock: Clock) -> None:
        self._then = then
        self._board = board
        self._registry = registry
        self._clock = clock

    async def restore(self, history: History) -> None:
        await self._then.restore(history)

    async def devices_changed(self, devices: Sequence[Device]) -> None:
        await self._then.devices_changed(devices)
        self._board.note_devices(len(devices))

    async def take(self, batch: ReadingBatch, series: Sequence[SeriesInfo], position: int) -> None:
        await self._then.take(batch, series, position)
        packs = self._registry.get_sample_value("branchwatch_packs_committed_total")
        lags_ms = self._clock.now_ms() - batch.observed_at_ms[batch.live]
        self._board.note(round(packs or 0), len(batch), np.asarray(lags_ms, dtype=np.int64))


async def collect(
    port: int, directory: Path, board: CommitBoard, settings: CollectorSettings, *, with_rules: bool
) -> None:
    """Run until told to stop."""
    clock, registry = SystemClock(), CollectorRegistry()
    database = Database(sqlite_url(directory / "ops.db"))
    try:
        await upgrade(database)
        event_log = EventLog(database, clock)
        rules = Rules(RulesSettings(), database, event_log, clock, registry) if with_rules else None
        collector = Collector(
            settings, BrokerSettings(port=port), database, event_log, clock, registry, directory,
            TellsTheBoard(rules or NobodyListens(), board, registry, clock),
        )  # fmt: skip
        supervisor = Supervisor()
        supervisor.stop_on_signals()
        for service in (*([] if rules is None else [rules]), *collector.services()):
            supervisor.add(service)
        await supervisor.run(lambda: print("started", flush=True))
    finally:
        await database.close()


@click.command()
@click.argument("port", type=int)
@click.argument("directory", type=Path)
@click.option("--settings", default="{}", help="Section collector of the settings as JSON, what is not as it ships.")
@click.option("--rules", default="off", type=click.Choice(["off", "default"]))
def main(port: int, directory: Path, settings: str, rules: str) -> None:
    """Be the collector."""
    configure_logs(LogSettings(level="warning"))
    board = CommitBoard.open(directory / BOARD_FILE)
    section = CollectorSettings.model_validate_json(settings)
    asyncio.run(collect(port, directory, board, section, with_rules=rules == "default"))


if __name__ == "__main__":
    main()
