"""A gateway in a process of its own whose device reports numbered errors until it is killed.

It prints each number once the hand-over returned: from then on the reading must not be lost.
"""

import asyncio
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from contracts.signals import DeviceKind
from gateway.app import GatewayApp
from gateway.driver import Driver, Observation, Sink
from gateway.drivers.registry import DRIVERS, DriverType
from gateway.metrics import GatewayMetrics
from gateway.settings import DeviceSettings, GatewaySettings, UplinkSettings
from runtime.clock import Clock, SystemClock
from runtime.logs import configure_logs
from runtime.settings import BrokerSettings, LogSettings
from tests.gateway.core.wire import BRANCH


class NumberedErrors:
    """Hands over one error event after another."""

    protocol = "xfs"

    def __init__(self, first: int) -> None:
        self._number = first

    async def run(self, sink: Sink) -> None:
        await sink.observe([Observation("link/state", "up")])
        while True:
            await sink.observe([Observation("cdm/error", str(self._number))])
            print(self._number, flush=True)
            self._number += 1
            await asyncio.sleep(0.002)


async def main(port: int, data_dir: Path, first: int) -> None:
    def create(_settings: object, _kind: DeviceKind, _clock: Clock) -> Driver:
        return NumberedErrors(first)

    device = {"id": "atm-01", "kind": "atm", "connection": {"driver": "xfs", "host": "127.0.0.1"}}
    settings = GatewaySettings(
        branch_id=BRANCH,
        data_dir=data_dir,
        broker=BrokerSettings(port=port),
        devices=(DeviceSettings.model_validate(device),),
        uplink=UplinkSettings(flush_s=0.05),
    )
    drivers = {"xfs": DriverType(DRIVERS["xfs"].settings, create, frozenset({"atm"}))}
    metrics = GatewayMetrics(CollectorRegistry())
    await GatewayApp(settings, SystemClock(), metrics, drivers).run_until(asyncio.Event())


if __name__ == "__main__":
    configure_logs(LogSettings(level="warning"))
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
