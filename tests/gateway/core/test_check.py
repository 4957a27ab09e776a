"""Trying a gateway's settings: each thing that can be wrong is said, with what to do, and the rest is tried all the same."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from contracts.errors import DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from contracts.signals import DeviceKind
from gateway.check import Finding, check
from gateway.driver import Driver, Identity, Observation, Sink
from gateway.drivers.registry import DRIVERS, DriverType
from gateway.outbox.lock import OutboxLock
from gateway.settings import DeviceSettings, GatewaySettings, OutboxSettings
from runtime.clock import Clock, SystemClock
from runtime.settings import BrokerSettings
from tests.conftest import free_port

Step = Callable[[Sink], Awaitable[None]]


class OneStep:
    protocol = "xfs"

    def __init__(self, step: Step) -> None:
        self._step = step

    async def run(self, sink: Sink) -> None:
        await self._step(sink)
        await asyncio.get_running_loop().create_future()


async def well(sink: Sink) -> None:
    await sink.identify(Identity("ACME", "R9", "77", "1.2"))
    await sink.observe([Observation("link/state", "up"), Observation("cdm/dispenser", "ok")])


async def silent(_sink: Sink) -> None:
    return


async def half(sink: Sink) -> None:
    sink.refuse(b"<html>", DeviceMisbehaved("expected JSON, got '<html>'"))
    await sink.observe([Observation("link/state", "degraded"), Observation("link/services_missing", 2)])


def raising(error: Exception) -> Step:
    async def step(_sink: Sink) -> None:
        raise error

    return step


def settings(tmp_path: Path, broker: BrokerSettings, *ids: str) -> GatewaySettings:
    return GatewaySettings(
        branch_id="BR0421",
        data_dir=tmp_path,
        broker=broker,
        outbox=OutboxSettings(max_bytes=1_000_000),
        devices=tuple(
            DeviceSettings.model_validate(
                {"id": local_id, "kind": "atm", "connection": {"driver": "xfs", "host": "127.0.0.1"}}
            )
            for local_id in ids
        ),
    )


async def tried(made: GatewaySettings, *steps: Step, wait_s: float = 4) -> list[Finding]:
    waiting = iter(steps)

    def create(_settings: object, _kind: DeviceKind, _clock: Clock) -> Driver:
        return OneStep(next(waiting))

    return await check(
        made, SystemClock(), wait_s, {"xfs": DriverType(DRIVERS["xfs"].settings, create, frozenset({"atm"}))}
    )


async def test_each_device_is_tried_and_each_fault_is_said_with_what_to_do(
    broker: BrokerSettings, tmp_path: Path
) -> None:
    ids = ["atm-01", "atm-02", "atm-03", "atm-04", "atm-05", "atm-06"]
    found = await tried(
        settings(tmp_path, broker, *ids),
        well,
        silent,
        half,
        raising(DeviceUnreachable("127.0.0.1: none of the ports 80, 443 answers")),
        raising(DeviceRefused("401: wrong password")),
        raising(DeviceMisbehaved("no XFS4IoT on this port")),
    )
    assert [(item.subject, item.ok) for item in found] == [
        ("outbox", True),
        ("broker", True),
        ("atm-01 xfs", True),
        *((f"{local_id} xfs", False) for local_id in ids[1:]),
    ]
    _, _, good, nothing, degraded, unreachable, refused, misbehaved = found
    assert good.detail.startswith("up, 2 signals; ACME R9 serial 77; not said yet: ")
    assert "nothing usable was heard within 4 s" in nothing.detail
    assert "link degraded, 2 services do not answer" in degraded.detail
    assert "<html>" in degraded.detail
    assert "none of the ports 80, 443" in unreachable.line()
    assert "check power, cable, address and port  请检查电源" in unreachable.line()
    assert "password" in refused.advice[0]
    assert "protocol" in misbehaved.advice[0]


async def test_a_broker_that_is_not_there_and_a_full_disk_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.check.BROKER_WAIT_S", 1)
    made = settings(tmp_path, BrokerSettings(host="127.0.0.1", port=free_port()))
    made = made.model_copy(update={"outbox": OutboxSettings(max_bytes=10**18)})
    outbox, unreachable = await tried(made)
    assert not outbox.ok
    assert "MB free in" in outbox.detail
    assert not unreachable.ok
    assert "no connection within 1 s" in unreachable.detail


async def test_an_outbox_that_cannot_be_made_is_said(broker: BrokerSettings, tmp_path: Path) -> None:
    (tmp_path / "gateway").write_text("a file where a directory should be")
    outbox, _ = await tried(settings(tmp_path, broker))
    assert (outbox.ok, "cannot be written" in outbox.detail) == (False, True)


async def test_a_port_that_is_taken_is_said_of_a_panel(broker: BrokerSettings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        connection = {"driver": "dc09", "listen_host": "127.0.0.1", "listen_port": port, "account": "1234"}
        panel = DeviceSettings.model_validate({"id": "alm-01", "kind": "alarm_panel", "connection": connection})
        made = settings(tmp_path, broker).model_copy(update={"devices": (panel,)})
        found = await check(made, SystemClock(), 4)
    assert not found[2].ok
    assert str(port) in found[2].detail


async def test_an_alarm_that_comes_during_a_check_is_not_acknowledged_so_that_the_panel_keeps_it(
    broker: BrokerSettings, tmp_path: Path
) -> None:
    port = free_port()
    connection = {"driver": "dc09", "listen_host": "127.0.0.1", "listen_port": port, "account": "1234"}
    panel = DeviceSettings.model_validate({"id": "alm-01", "kind": "alarm_panel", "connection": connection})
    made = settings(tmp_path, broker).model_copy(update={"devices": (panel,)})
    answer = b"nothing was read"

    async def call() -> None:
        nonlocal answer
        async with asyncio.timeout(20):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
            writer.write(b'\n70B80027"ADM-CID"0007L0#1234[#1234|1130 01 015]\r')
            try:
                async with asyncio.timeout(3):
                    answer = await reader.read(100)
            except TimeoutError:
                answer = b""
            writer.close()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(call())
        found = await check(made, SystemClock(), 15)
    assert (found[2].ok, answer) == (True, b""), found[2].detail


async def test_a_gateway_that_runs_is_named(broker: BrokerSettings, tmp_path: Path) -> None:
    made = settings(tmp_path, broker)
    lock = OutboxLock(made.outbox_path)
    try:
        outbox, _ = await tried(made)
    finally:
        lock.release()
    assert not outbox.ok
    assert f"process {os.getpid()} has it open" in outbox.detail


async def test_a_password_that_is_not_taken_is_said(broker: BrokerSettings, tmp_path: Path) -> None:
    async def locked(sink: Sink) -> None:
        await sink.observe([Observation("link/state", "degraded"), Observation("link/auth", "notAuthorized")])

    _, _, found = await tried(settings(tmp_path, broker, "atm-01"), locked)
    assert not found.ok
    assert "user name and password" in found.detail
    assert "密码" in found.line()


async def test_an_agent_that_is_silent_may_have_been_given_a_wrong_community(
    broker: BrokerSettings, tmp_path: Path
) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as silent_agent:
        silent_agent.bind(("127.0.0.1", 0))
        agent = {"address": "127.0.0.1", "port": silent_agent.getsockname()[1], "community": "hunter2"}
        connection = {"driver": "snmp", "host": agent, "timeout_s": 0.2}
        terminal = DeviceSettings.model_validate({"id": "sst-01", "kind": "atm", "connection": connection})
        made = settings(tmp_path, broker).model_copy(update={"devices": (terminal,)})
        _, _, found = await check(made, SystemClock(), 10)
    assert not found.ok
    assert "an agent says nothing to a wrong community: check the community first" in found.detail
    assert "check the community first" in found.advice[0]
    assert "请先检查团体名" in found.line()
    assert "hunter2" not in found.line()


async def test_a_fault_of_ours_is_not_taken_for_the_devices(broker: BrokerSettings, tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await tried(settings(tmp_path, broker, "atm-01"), raising(ZeroDivisionError()))
    assert caught.group_contains(ZeroDivisionError)
