"""Gateways after an outage, in a process of their own: ``python -m bench.outage PORT DIRECTORY``; :mod:`bench.recovery` drives it.

Each branch has cash machines whose driver says all signals at the start and some of them again and again. The gateways meet
their server once, stop, and find in their outboxes at the next start what a long outage would have left there, the line
being cut. A line on standard input leads to the next part, and a JSON line on standard output tells that a part is done.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from prometheus_client import CollectorRegistry

from bench.branches import BenchDevice, BenchSeries, branch_ids, series_of
from contracts.reading import Reading
from contracts.signals import DeviceKind, Sort
from gateway.app import GatewayApp
from gateway.driver import Driver, Observation, Sink
from gateway.drivers.registry import DRIVERS, DriverType
from gateway.metrics import GatewayMetrics
from gateway.outbox import OutboxFile, statistics
from gateway.settings import DeviceSettings, GatewaySettings
from runtime.clock import Clock, SystemClock
from runtime.logs import configure_logs
from runtime.settings import BrokerSettings, LogSettings
from simulators.line import Line

MACHINES: Final = 5
"""Cash machines of a branch; each has about 80 signals."""

HAND_OVER: Final = 10
"""Readings a driver hands over at once, as an XFS driver does."""

_FILL_PACK: Final = 200


@dataclass(frozen=True, slots=True)
class Outage:
    """What there is to recover from.

    Attributes:
        branches: gateways that were cut off.
        readings: what each has in its outbox.
        hours: how long the cut lasted.
        live_per_s: readings that go on beside it, of each branch.
    """

    branches: int
    readings: int
    hours: float
    live_per_s: float


def machines(branch_id: str) -> list[BenchDevice]:
    """Devices of a branch."""
    return [BenchDevice(f"{branch_id}/atm-{number:02d}", "atm") for number in range(1, MACHINES + 1)]


def fill(path: Path, branch_id: str, count: int, first_ms: int, last_ms: int) -> None:
    """Put readings of an outage into an outbox that no gateway has open: all series in turn, in order of time."""
    outbox = OutboxFile(path, branch_id, first_ms)
    try:
        series = itertools.cycle([found for machine in machines(branch_id) for found in series_of(machine)])
        step_ms = (last_ms - first_ms) / max(count, 1)
        for start in range(0, count, HAND_OVER):
            readings = [
                _reading(next(series), place, round(first_ms + place * step_ms))
                for place in range(start, min(start + HAND_OVER, count))
            ]
            outbox.store(readings, readings[-1].observed_at_ms, _FILL_PACK, durable=False)
            if start % 10_000 == 0:
                outbox.cut(_FILL_PACK, everything=False)
    finally:
        outbox.close()


def _reading(series: BenchSeries, step: int, at_ms: int) -> Reading:
    signal = series.signal
    return Reading(series.device_id, series.path, series.word_or_value(step), at_ms, signal.unit, signal.heartbeat_s)


class Machine:
    """A driver that says every signal of one device, and then one gauge after the other at a given pace."""

    protocol = "xfs"

    def __init__(self, device: BenchDevice, per_s: float) -> None:
        self._series = list(series_of(device))
        self._per_s = per_s

    async def run(self, sink: Sink) -> None:
        await sink.observe([Observation(found.path, found.word_or_value(0)) for found in self._series])
        gauges = [found for found in self._series if found.signal.sort is Sort.GAUGE]
        for step in itertools.count(1):
            for found in gauges:
                await asyncio.sleep(1 / self._per_s)
                await sink.observe([Observation(found.path, 1e6 * (step % 2) + step)])


class Gateways:
    """All gateways of the benchmark behind one line."""

    def __init__(self, outage: Outage, broker_port: int, directory: Path) -> None:
        self._outage = outage
        self._directory = directory
        self._clock: Clock = SystemClock()
        self._line = Line(0, ("127.0.0.1", broker_port))
        self.branch_ids: Sequence[str] = list(itertools.islice(branch_ids(), outage.branches))

    async def run(self, steps: Iterator[None]) -> None:
        """Go from part to part as ``steps`` allows it, telling what was done."""
        await self._line.start()
        try:
            async with self._running():
                _tell(met=self.branch_ids)
                await asyncio.to_thread(next, steps)
            await self._line.cut()
            await asyncio.to_thread(self._fill_all)
            async with self._running() as apps:
                _tell(last_seq={branch_id: self._figures(branch_id).last_seq for branch_id in self.branch_ids})
                await asyncio.to_thread(next, steps)
                connected: dict[str, int] = {}
                self._note_connections(apps, connected)
                restored_ms = self._clock.now_ms()
                await self._line.restore()
                while len(connected) < len(apps):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                _tell(restored_ms=restored_ms, connected_ms=connected)
                await asyncio.to_thread(next, steps)
            _tell(produced={branch_id: self._figures(branch_id).produced for branch_id in self.branch_ids})
        finally:
            await self._line.stop()

    def _running(self) -> "_Running":
        return _Running(
            [GatewayApp(self._settings(item), self._clock, _metrics(), self._drivers()) for item in self.branch_ids]
        )

    def _note_connections(self, apps: Sequence[GatewayApp], found: dict[str, int]) -> None:
        """Write down when each gateway reaches the broker, before it begins to send."""
        for app in apps:
            client = app._composed.uplink._client  # noqa: SLF001  (nothing public says it to the millisecond)
            if client is None:
                raise RuntimeError(f"{app.name}: not trying to connect")
            client.on_connection(partial(self._note_connection, app.settings.branch_id, found))

    def _note_connection(self, branch_id: str, found: dict[str, int], connected: bool) -> None:
        if connected:
            found.setdefault(branch_id, self._clock.now_ms())

    def _fill_all(self) -> None:
        now_ms = self._clock.now_ms()
        for branch_id in self.branch_ids:
            path = self._settings(branch_id).outbox_path
            fill(path, branch_id, self._outage.readings, now_ms - round(self._outage.hours * 3_600_000), now_ms)

    def _figures(self, branch_id: str) -> Any:
        return statistics(self._settings(branch_id).outbox_path)

    def _settings(self, branch_id: str) -> GatewaySettings:
        devices = [
            {
                "id": device.device_id.partition("/")[2],
                "kind": "atm",
                "connection": {"driver": "xfs", "host": "127.0.0.1"},
            }
            for device in machines(branch_id)
        ]
        return GatewaySettings(
            branch_id=branch_id,
            data_dir=self._directory,
            broker=BrokerSettings(port=self._line.port),
            devices=tuple(DeviceSettings.model_validate(device) for device in devices),
            watch_host=False,
        )

    def _drivers(self) -> dict[str, DriverType]:
        numbers = itertools.count()

        def create(_settings: object, _kind: DeviceKind, _clock: Clock) -> Driver:
            device = machines("BR")[next(numbers) % MACHINES]
            return Machine(device, self._outage.live_per_s / MACHINES)

        return {"xfs": DriverType(DRIVERS["xfs"].settings, create, frozenset({"atm"}))}


def _metrics() -> GatewayMetrics:
    return GatewayMetrics(CollectorRegistry())


class _Running:
    """Gateways from their start to their orderly stop."""

    def __init__(self, apps: Sequence[GatewayApp]) -> None:
        self._apps = apps
        self._stop = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Sequence[GatewayApp]:
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        started = [asyncio.Event() for _ in self._apps]
        for app, event in zip(self._apps, started, strict=True):
            group.create_task(app.run_until(self._stop, event.set))
        for event in started:
            await event.wait()
        return self._apps

    async def __aexit__(self, *error: object) -> None:
        self._stop.set()
        await self._stack.aclose()


def _tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def _lines() -> Iterator[None]:
    for _ in sys.stdin:
        yield None


@click.command()
@click.argument("port", type=int)
@click.argument("directory", type=Path)
@click.option("--branches", default=1)
@click.option("--readings", default=300_000)
@click.option("--hours", default=13.0)
@click.option("--live-per-s", default=10.0)
def main(port: int, directory: Path, branches: int, readings: int, hours: float, live_per_s: float) -> None:
    """Run the gateways."""
    configure_logs(LogSettings(level="error"))
    asyncio.run(Gateways(Outage(branches, readings, hours, live_per_s), port, directory).run(_lines()))


if __name__ == "__main__":
    main()
