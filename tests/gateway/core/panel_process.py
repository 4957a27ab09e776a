"""A gateway of one alarm panel in a process of its own, which can die between the commit of an event and the reply.

The last argument says when: ``after_commit`` ends the process with SIGKILL when the first event is in the outbox, ``never``
leaves that to the test.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from contracts.errors import DeviceError
from contracts.signals import DeviceKind
from gateway.app import GatewayApp
from gateway.driver import Driver, Identity, Observation, Sink
from gateway.drivers.registry import DRIVERS, DriverType
from gateway.metrics import GatewayMetrics
from gateway.settings import DeviceSettings, GatewaySettings
from runtime.clock import Clock, SystemClock
from runtime.logs import configure_logs
from runtime.settings import BrokerSettings, LogSettings
from tests.gateway.core.wire import BRANCH


class FatalSink:
    """The gateway's own sink; the process dies when an event has been committed."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        await self._sink.observe(observations, keep)
        if any(seen.path == "panel/event" for seen in observations):
            os.kill(os.getpid(), signal.SIGKILL)

    async def recall(self) -> Mapping[str, str]:
        return await self._sink.recall()

    async def identify(self, identity: Identity) -> None:
        await self._sink.identify(identity)

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:
        self._sink.refuse(raw, error)


class FatalDriver:
    """The real driver, before such a sink."""

    protocol = "dc09"

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def run(self, sink: Sink) -> None:
        await self._driver.run(FatalSink(sink))


async def main(broker_port: int, panel_port: int, data_dir: Path, death: str) -> None:
    real = DRIVERS["dc09"]

    def create(settings: object, kind: DeviceKind, clock: Clock) -> Driver:
        driver = real.create(settings, kind, clock)
        return FatalDriver(driver) if death == "after_commit" else driver

    connection = {"driver": "dc09", "listen_port": panel_port, "account": "1234"}
    device = {"id": "alm-01", "kind": "alarm_panel", "connection": connection}
    settings = GatewaySettings(
        branch_id=BRANCH,
        data_dir=data_dir,
        broker=BrokerSettings(port=broker_port),
        devices=(DeviceSettings.model_validate(device),),
    )
    drivers = {"dc09": DriverType(real.settings, create, real.kinds)}
    await GatewayApp(settings, SystemClock(), GatewayMetrics(CollectorRegistry()), drivers).run_until(asyncio.Event())


if __name__ == "__main__":
    configure_logs(LogSettings(level="warning"))
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
