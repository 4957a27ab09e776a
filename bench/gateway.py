"""Benchmark of a gateway process: ``python -m bench.gateway --seconds 180 --json``.

One gateway reads twenty simulated devices of all kinds on their own protocols, at the intervals that the settings have by
default, and sends to a real broker. Processor time and memory are the gateway process's own, as the kernel tells them; the
devices, the line and the broker are other processes or this one.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import yaml

from branchwatch.child import Child
from branchwatch.simulation import gateway_document, make_branches
from gateway.outbox import statistics
from gateway.settings import GatewaySettings
from runtime.broker import EmbeddedBroker
from runtime.logs import configure_logs
from runtime.settings import LogSettings
from runtime.supervisor import Service, Supervisor
from simulators.branch import SimulatedBranch
from simulators.ports import free_ports
from simulators.scenario import load_scenario

POLL_S: Final = 30
"""Seconds between two readings of a device that is asked: the default of the drivers."""

SETTLE_S: Final = POLL_S * 1.5
"""After it every device was asked at least once, and every library is loaded."""

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        devices: devices behind the gateway.
        drivers: how many of them each protocol reads.
        core_percent: processor time of the gateway in percent of one core.
        rss_mb: its memory at the end, megabytes.
        peak_rss_mb: the most it ever had.
        readings_per_s: readings it stored in its outbox.
        seconds: how long it was measured.
    """

    devices: int
    drivers: dict[str, int]
    core_percent: float
    rss_mb: float
    peak_rss_mb: float
    readings_per_s: float
    seconds: float


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _memory_mb(pid: int, what: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


def _document(branches: Sequence[SimulatedBranch], broker_port: int, data_dir: Path) -> dict[str, Any]:
    """Settings of one gateway for the devices of several simulated branches."""
    scenario = load_scenario("steady").model_copy(update={"poll_s": POLL_S, "drivers": {}})
    documents = [gateway_document(branch, scenario, data_dir) for branch in branches]
    devices = [
        {**device, "id": f"{device['id']}-{number}"}
        for number, document in enumerate(documents, 1)
        for device in document["devices"]
    ]
    broker = {"host": "127.0.0.1", "port": broker_port}
    return {"branch_id": "BR0001", "data_dir": str(data_dir), "broker": broker, "devices": devices}


class _Measurement:
    """Waits until the gateway has settled, and measures it."""

    name = "measurement"

    def __init__(
        self, gateway: Child, settings: GatewaySettings, settle_s: float, seconds: float, supervisor: Supervisor
    ) -> None:
        self._settle_s = settle_s
        self._gateway = gateway
        self._settings = settings
        self._seconds = seconds
        self._supervisor = supervisor
        self.result: Result | None = None

    async def start(self) -> None:
        """Nothing to prepare."""

    async def run(self) -> None:
        """Measure once, then ask for the stop."""
        await asyncio.sleep(self._settle_s)
        pid, outbox, loop = self._gateway.pid, self._settings.outbox_path, asyncio.get_running_loop()
        began_s, cpu_s, produced = loop.time(), _cpu_s(pid), statistics(outbox).produced
        await asyncio.sleep(self._seconds)
        elapsed_s = loop.time() - began_s
        drivers: dict[str, int] = {}
        for device in self._settings.devices:
            for name in device.driver.split("+"):
                drivers[name] = drivers.get(name, 0) + 1
        self.result = Result(
            devices=len(self._settings.devices),
            drivers=drivers,
            core_percent=round((_cpu_s(pid) - cpu_s) / elapsed_s * 100, 2),
            rss_mb=round(_memory_mb(pid, "VmRSS"), 1),
            peak_rss_mb=round(_memory_mb(pid, "VmHWM"), 1),
            readings_per_s=round((statistics(outbox).produced - produced) / elapsed_s, 1),
            seconds=round(elapsed_s, 1),
        )
        self._supervisor.request_stop()

    async def stop(self) -> None:
        """Nothing to let go."""


async def measure(seconds: float, directory: Path, settle_s: float = SETTLE_S) -> Result:
    """Run everything, let it settle for ``settle_s``, and measure for so many seconds.

    Raises:
        BaseExceptionGroup: a part failed.
    """
    (port,) = free_ports(1)
    scenario = load_scenario("steady").model_copy(update={"pace": 1.0})
    branches = make_branches(2, scenario, ("127.0.0.1", port), seed=1)
    path = directory / "gateway.yaml"
    document = _document(branches, port, directory / "data")
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    supervisor = Supervisor()
    gateway = Child("gateway", ["gateway", str(path)], directory / "gateway.log")
    measurement = _Measurement(gateway, GatewaySettings.model_validate(document), settle_s, seconds, supervisor)
    devices: list[Service] = [service for branch in branches for service in branch.services()]
    for service in (EmbeddedBroker(directory / "broker", port=port), *devices, gateway, measurement):
        supervisor.add(service)
    await supervisor.run()
    if measurement.result is None:
        raise RuntimeError(f"stopped before the end; see {directory / 'gateway.log'}")
    return measurement.result


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), default=180, show_default=True, help="How long to measure.")
@click.option("--settle", type=click.FloatRange(min=0), default=SETTLE_S, show_default=True, help="Seconds before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(seconds: float, settle: float, as_json: bool) -> None:
    """Measure a gateway of twenty devices."""
    configure_logs(LogSettings(level="error"))
    with tempfile.TemporaryDirectory() as directory:
        result = asyncio.run(measure(seconds, Path(directory), settle))
    if as_json:
        click.echo(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            click.echo(f"{name:<16} {value}")


if __name__ == "__main__":
    main()
