"""The gateway of a loss test in a process of its own, which can be made to die at a step of a reading's way.

It prints each number of the witness that is taken. ``--die step:n`` ends it with SIGKILL the n-th time it comes to the step;
``--panel port:account`` adds an alarm panel, read by the real driver.
"""

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

from prometheus_client import CollectorRegistry

from contracts.reading import Reading
from contracts.topics import Channel
from gateway.app import GatewayApp
from gateway.drivers.registry import DRIVERS
from gateway.flights import Flights
from gateway.metrics import GatewayMetrics
from gateway.outbox import OutboxFile, StoredPack
from gateway.settings import DeviceSettings, GatewaySettings, UplinkSettings
from runtime.clock import SystemClock
from runtime.logs import configure_logs
from runtime.mqtt import MqttClient
from runtime.settings import BrokerSettings, LogSettings
from tests.loss.witness import EVENT, PROTOCOL, driver_type


class Step(StrEnum):
    """Where a gateway can be when it dies."""

    HANDED_OVER = "handed_over"  # by the driver; not in the outbox yet
    COMMITTED = "committed"  # to the outbox; the driver was not told
    CUT = "cut"  # to a pack with a number
    PUBLISHED = "published"  # the bytes have left; no acknowledgement is taken notice of
    ACKNOWLEDGED = "acknowledged"  # by the broker; not noted in the outbox
    NOTED = "noted"


class Death:
    """Ends this process the n-th time it is called."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def die_at(step: Step, death: Death) -> Any:
    """A patch that makes the process die at a step."""
    return {
        Step.HANDED_OVER: _around_store,
        Step.COMMITTED: _around_store,
        Step.CUT: _after_cut,
        Step.PUBLISHED: _after_publish,
        Step.ACKNOWLEDGED: _around_note,
        Step.NOTED: _around_note,
    }[step](step, death)


def _around_store(step: Step, death: Death) -> Any:
    real = OutboxFile.store

    def store(file: OutboxFile, readings: Sequence[Reading], *args: Any, **kwargs: Any) -> int:
        of_the_witness = any(reading.path == EVENT for reading in readings)
        if of_the_witness and step is Step.HANDED_OVER:
            death()
        stored = real(file, readings, *args, **kwargs)
        if of_the_witness and step is Step.COMMITTED:
            death()
        return stored

    return patch.object(OutboxFile, "store", store)


def _after_cut(_step: Step, death: Death) -> Any:
    real = OutboxFile.cut

    def cut(file: OutboxFile, most: int, *, everything: bool) -> list[StoredPack]:
        packs = real(file, most, everything=everything)
        if packs:
            death()
        return packs

    return patch.object(OutboxFile, "cut", cut)


def _after_publish(_step: Step, death: Death) -> Any:
    real = Flights.send

    async def send(flights: Flights, client: MqttClient, channel: Channel, pack: StoredPack) -> None:
        await real(flights, client, channel, pack)
        while client._client.want_write():
            time.sleep(0.001)  # noqa: ASYNC251  (the loop stands still, so nobody notes an acknowledgement)
        death()

    return patch.object(Flights, "send", send)


def _around_note(step: Step, death: Death) -> Any:
    real = OutboxFile.mark_acknowledged

    def mark_acknowledged(file: OutboxFile, seqs: Iterable[int], now_ms: int) -> None:
        if step is Step.ACKNOWLEDGED:
            death()
        real(file, seqs, now_ms)
        if step is Step.NOTED:
            death()

    return patch.object(OutboxFile, "mark_acknowledged", mark_acknowledged)


def settings_of(branch_id: str, broker_port: int, data_dir: Path, panel: str | None) -> GatewaySettings:
    devices: list[dict[str, Any]] = [
        {"id": "atm-01", "kind": "atm", "connection": {"driver": PROTOCOL, "host": "127.0.0.1"}}
    ]
    if panel is not None:
        port, _, account = panel.partition(":")
        connection = {"driver": "dc09", "listen_port": int(port), "account": account}
        devices.append({"id": "alarm-01", "kind": "alarm_panel", "connection": connection})
    return GatewaySettings(
        branch_id=branch_id,
        data_dir=data_dir,
        broker=BrokerSettings(port=broker_port),
        devices=tuple(DeviceSettings.model_validate(device) for device in devices),
        uplink=UplinkSettings(flush_s=0.05, stop_s=12),  # what a slow machine does not send by then, nobody sends
        health_s=0.5,
        watch_host=False,
    )


def tell(number: int) -> None:
    print(number, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("branch_id")
    parser.add_argument("broker_port", type=int)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--pause", type=float, default=0.01)
    parser.add_argument("--panel")
    parser.add_argument("--die", default="")
    given = parser.parse_args()
    configure_logs(LogSettings(level="error"))
    drivers = {PROTOCOL: driver_type(tell, given.pause), "dc09": DRIVERS["dc09"]}
    settings = settings_of(given.branch_id, given.broker_port, given.data_dir, given.panel)

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await GatewayApp(settings, SystemClock(), GatewayMetrics(CollectorRegistry()), drivers).run_until(stop)

    with ExitStack() as patches:
        if given.die:
            step, _, calls = given.die.partition(":")
            patches.enter_context(die_at(Step(step), Death(int(calls))))
        asyncio.run(run())


if __name__ == "__main__":
    main()
