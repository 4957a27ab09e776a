"""The SNMP driver against the simulated terminal's agent, each written from the protocols' descriptions alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import pytest

from contracts.devices import SELF_SERVICE_TERMINAL
from contracts.errors import DeviceError, DeviceUnreachable
from gateway.driver import Driver
from gateway.drivers.snmp import Settings, create
from runtime.clock import SystemClock
from simulators.terminal import SnmpQuirks, TerminalSimulator
from simulators.world import CHINA, World
from tests.gateway.sia_dc09.recording_sink import RecordingSink


class Booth:
    """A terminal and its driver over a real connection, mid-morning, at a pace the test chooses."""

    def __init__(self, pace: float = 60, application: str = "", **terminal: object) -> None:
        self.sink = RecordingSink(SELF_SERVICE_TERMINAL)
        self.application = application
        world = World(seed=5, pace=pace, begin_at=datetime(2026, 11, 23, 9, 30, tzinfo=CHINA))
        self.terminal = TerminalSimulator("sst-01", world, 0, 0, snmp_silent_share=0.0, **terminal)  # type: ignore[arg-type]

    def driver_with(self, **settings: object) -> Driver:
        agent = {"address": "127.0.0.1", "port": self.terminal.snmp_port, "community": "public"}
        chosen = {"host": {**agent, "application": self.application}, "printer": agent, "ups": agent}
        quick = {"poll_s": 0.1, "tables_s": 0.3, "timeout_s": 3, **chosen, **settings}
        return create(Settings.model_validate(quick), SELF_SERVICE_TERMINAL, SystemClock())

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        await self.terminal.start()
        task = asyncio.create_task(self.terminal.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.terminal.stop()

    @asynccontextmanager
    async def driving(self, driver: Driver) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(driver.run(self.sink))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, DeviceError):
                await task

    async def until(self, true: Callable[[], bool], task: "asyncio.Task[None] | None" = None) -> None:
        async with asyncio.timeout(40):
            while not true():
                if task is not None and task.done():
                    task.result()
                await asyncio.sleep(0.02)


async def test_everything_the_terminals_agent_gives_is_read() -> None:
    booth = Booth()
    async with booth.living(), booth.driving(booth.driver_with()) as task:
        await booth.until(lambda: booth.sink.last("host/net1/in_rate") is not None, task)
        await booth.until(
            lambda: booth.sink.last("prs/pages") is not None and booth.sink.last("ups/charge") is not None
        )
        seen = {observation.path for observation in booth.sink.taken}
    wanted = {
        "link/state", "clock/skew", "host/uptime", "host/reboots", "host/cpu", "host/memory_used", "host/disk1/used",
        "host/net1/oper_status", "prs/status", "prs/device", "prs/paper", "prs/toner", "prs/path", "prs/service",
        "prs/toner_level", "prs/paper_level", "ups/source", "ups/battery", "ups/runtime", "ups/battery_voltage",
        "ups/battery_temperature", "ups/input_voltage", "ups/input_frequency", "ups/line_bads", "ups/load",
        "ups/battery_bad", "ups/overload", "ups/charger_failed", "ups/fan_failure", "ups/seconds_on_battery",
    }  # fmt: skip
    assert wanted <= seen
    assert booth.sink.refused == []
    assert booth.sink.last("link/state") == "up"
    assert (booth.sink.last("ups/source"), booth.sink.last("ups/battery")) == ("normal", "normal")
    assert booth.sink.last("host/reboots") == 0


@pytest.mark.parametrize(
    ("failure", "path", "words"),
    [
        ("toner_low", "prs/toner", {"lowToner"}),
        ("toner_out", "prs/toner", {"noToner"}),
        ("paper_jam_a4", "prs/path", {"jammed"}),
        ("tray_empty", "prs/paper", {"noPaper", "inputTrayEmpty"}),
        ("ups_battery_bad", "ups/battery_bad", {"true"}),
        ("net_port_down", "host/net2/oper_status", {"down", "lowerLayerDown"}),
        ("mains_failure", "ups/source", {"battery"}),
    ],
)
async def test_a_failure_of_the_terminal_is_seen(failure: str, path: str, words: set[str]) -> None:
    booth = Booth()
    async with booth.living(), booth.driving(booth.driver_with()) as task:
        await booth.until(lambda: booth.sink.last(path) is not None, task)
        assert booth.sink.last(path) not in words
        await booth.terminal.inject(failure)
        await booth.until(lambda: booth.sink.last(path) in words, task)
    assert booth.sink.refused == []


async def test_a_crash_of_the_watched_application_is_a_restart_once_it_runs_again() -> None:
    booth = Booth(application="kiosk.exe")
    async with booth.living(), booth.driving(booth.driver_with()) as task:
        await booth.until(lambda: booth.sink.last("host/app/state") == "running", task)
        assert booth.sink.last("host/app/restarts") == 0
        await booth.terminal.inject("app_crash")
        await booth.until(lambda: booth.sink.last("host/app/state") != "running", task)
        await booth.terminal.repair("app_crash")
        await booth.until(lambda: booth.sink.last("host/app/state") == "running", task)
        await booth.until(lambda: booth.sink.last("host/app/restarts") == 1, task)
    assert "missing" in booth.sink.all("host/app/state")
    assert booth.sink.last("host/reboots") == 0


async def test_a_silent_agent_is_unreachable_and_comes_back() -> None:
    booth = Booth()
    async with booth.living():
        driver = booth.driver_with(timeout_s=0.5, retries=0, failures_to_lost=1)
        async with booth.driving(driver) as task:
            await booth.until(lambda: booth.sink.last("link/state") == "up", task)
            await booth.terminal.inject("snmp_silent")
            with pytest.raises(DeviceUnreachable, match="no answer within"):
                await task
        await booth.terminal.repair("snmp_silent")
        async with booth.driving(booth.driver_with()):
            await booth.until(lambda: booth.sink.last("link/state") == "up")


async def test_the_agents_quirks_lose_no_more_than_they_must() -> None:
    quirks = SnmpQuirks(short_error_bits=True, no_levels=True, date_without_zone=True, counters_32_only=True)
    booth = Booth(snmp_quirks=quirks)
    async with booth.living(), booth.driving(booth.driver_with(zone="+08:00")) as task:
        await booth.until(lambda: booth.sink.last("host/net1/in_rate") is not None, task)
        await booth.until(
            lambda: booth.sink.last("prs/pages") is not None and booth.sink.last("clock/skew") is not None
        )
        assert booth.sink.last("prs/toner") == "ok"
        await booth.terminal.inject("paper_jam_a4")
        await booth.until(lambda: booth.sink.last("prs/path") == "jammed", task)
    assert booth.sink.last("prs/toner_level") is None
    assert booth.sink.last("prs/paper_level") is None
    assert booth.sink.refused == []
