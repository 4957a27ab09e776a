"""A collector in a process of its own, which is killed from outside or made to die at a step of its work.

Started once, it imports what a collector needs and then lives a life for each order that comes on its standard input: a
fork, so that a life begins at once. It tells of each in lines of JSON: its ``pid``, that it has ``started``, how many packs
of each gateway are ``committed``, and the code with which it ``ended``.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from collector.app import Collector
from collector.settings import CollectorSettings
from collector.store import TimeSeriesStore
from runtime.clock import SystemClock
from runtime.database import Database, sqlite_url
from runtime.event_log import EventLog
from runtime.logs import configure_logs
from runtime.migration import upgrade
from runtime.process import die_with_parent
from runtime.settings import OpsDatabaseSettings, ProcessSettings, load_settings
from runtime.supervisor import Supervisor

_TELL_EVERY_S = 0.1


class Step(StrEnum):
    """Where a collector can be when it dies."""

    OPENING = "opening"  # the store, or loading what it holds
    APPENDING = "appending"  # the store was given a batch
    APPENDED = "appended"  # the store has it, the broker was not told
    MAINTAINING = "maintaining"  # the store puts its files in order


class CollectorProcessSettings(ProcessSettings):
    """Settings of such a process; a YAML or JSON file."""

    ops_database: OpsDatabaseSettings = OpsDatabaseSettings()
    collector: CollectorSettings = CollectorSettings()
    upkeep_s: float = 0.1


class Order(BaseModel):
    """One life.

    Attributes:
        settings: file of the settings.
        step: where it dies; ``None`` where somebody else sees to that.
        calls: which call of the step it is.
        after_s: how long after the call has begun; for ``appended`` after it has returned.
    """

    settings: Path
    step: Step | None = None
    calls: int = 1
    after_s: float = 0.0


def open_database(settings: CollectorProcessSettings) -> Database:
    """The ops database of such a process."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return Database(settings.ops_database.url or sqlite_url(settings.data_dir / "ops.db"))


def tell(**news: Any) -> None:
    os.write(
        sys.stdout.fileno(), json.dumps(news).encode() + b"\n"
    )  # at once and in one piece, even if this is the end


class Death:
    """Ends this process the n-th time it is called."""

    def __init__(self, calls: int, after_s: float) -> None:
        self._left = calls
        self._after_s = after_s

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            if self._after_s > 0:
                asyncio.get_running_loop().call_later(self._after_s, _die)
            else:
                _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_METHODS = {Step.OPENING: "open", Step.APPENDING: "append", Step.APPENDED: "append", Step.MAINTAINING: "maintain"}


def die_at(order: Order, store: TimeSeriesStore) -> Any:
    """A patch of the store that makes the process die at a step."""
    assert order.step is not None
    death, step, method = Death(order.calls, order.after_s), order.step, _METHODS[order.step]
    real: Callable[..., Awaitable[Any]] = getattr(store, method)

    async def call(*args: Any) -> Any:
        if step is not Step.APPENDED:
            death()
        result = await real(*args)
        if step is Step.APPENDED:
            death()
        return result

    return patch.object(store, method, call)


class Teller:
    """Tells how far the collector has come, as a :class:`runtime.supervisor.Service`."""

    name = "teller"

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def start(self) -> None:
        """Nothing to make ready."""

    async def run(self) -> None:
        while True:
            found = self._collector.intake_status()
            tell(
                committed={gateway.branch_id: gateway.committed_packs for gateway in found},
                given_up=sum(gateway.gap_packs for gateway in found),
                waits=self._collector.unavailable(),
            )
            await asyncio.sleep(_TELL_EVERY_S)

    async def stop(self) -> None:
        """Nothing to let go of."""


async def live(settings: CollectorProcessSettings, order: Order) -> None:
    """Run a collector until a signal."""
    database, clock = open_database(settings), SystemClock()
    try:
        await upgrade(database)
        collector = Collector(
            settings.collector, settings.broker, database, EventLog(database, clock), clock, CollectorRegistry(),
            settings.data_dir,
        )  # fmt: skip
        collector._upkeep._every_s = settings.upkeep_s
        supervisor = Supervisor()
        supervisor.stop_on_signals()
        for service in (*collector.services(), Teller(collector)):
            supervisor.add(service)
        with ExitStack() as patches:
            if order.step is not None:
                patches.enter_context(die_at(order, collector.store))
            await supervisor.run(lambda: tell(started=True))
    finally:
        await database.close()


def main() -> None:
    """Live as often as somebody orders."""
    for line in sys.stdin:
        order = Order.model_validate_json(line)
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            settings = load_settings(CollectorProcessSettings, order.settings)
            configure_logs(settings.log)
            asyncio.run(live(settings, order))
            return
        tell(pid=pid)
        _, status = os.waitpid(pid, 0)
        tell(ended=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
