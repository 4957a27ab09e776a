"""The camera driver against the simulated camera, each written from the protocols' description alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from contracts.devices import CAMERA
from contracts.errors import DeviceUnreachable
from gateway.driver import Driver
from gateway.drivers.onvif import Settings, create
from runtime.clock import SystemClock
from simulators.camera import CameraSimulator, Quirks
from simulators.world import CHINA, World
from tests.conftest import free_port
from tests.gateway.sia_dc09.recording_sink import RecordingSink


class Corner:
    """A camera and its driver over real connections, at noon."""

    def __init__(self, quirks: Quirks | None = None, **camera: Any) -> None:
        world = World(seed=11, begin_at=datetime(2026, 11, 23, 12, 0, tzinfo=CHINA))
        self.port, self.rtsp_port = free_port(), free_port()
        self.camera = CameraSimulator(
            "cam-01", world, self.port, self.rtsp_port, quirks=quirks or Quirks(), boot_s=1.0, **camera
        )
        self.sink = RecordingSink(CAMERA)
        self.driver = self.driver_with()

    def driver_with(self, **chosen: object) -> Driver:
        quick = {
            "poll_s": 0.2, "probe_s": 0.3, "play_s": 0.3, "watch_s": 0.3, "resubscribe_s": 0.3, "recording_s": 0.3,
            "pull_s": 1, "timeout_s": 10, "failures_to_unreachable": 1, "auth_retry_s": 0.5,
        }  # fmt: skip
        account = {"username": "admin", "password": self.camera.password}
        given = {"host": "127.0.0.1", "port": self.port, **account, **quick, **chosen}
        return create(Settings.model_validate(given), CAMERA, SystemClock())

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        await self.camera.start()
        task = asyncio.create_task(self.camera.run())
        try:
            yield
        finally:
            assert not task.done(), task
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.camera.stop()

    @asynccontextmanager
    async def driving(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.driver.run(self.sink))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, DeviceUnreachable):
                await task

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Read again and again, as the gateway does."""

        async def keep() -> None:
            while True:
                with suppress(DeviceUnreachable):
                    await self.driver.run(self.sink)
                await asyncio.sleep(0.1)

        task = asyncio.create_task(keep())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[asyncio.Task[None]]:
        """Living and read, with all that is well well."""
        async with self.living(), self.driving() as task:
            await self.until_said("link/state", "up")
            await self.until_said("link/subscription", "active")
            await self.until_said("rtsp/state", "ok")
            await self.until_said("video/signal_loss", "false")
            yield task

    async def until(self, true: Callable[[], bool], wait_s: float = 40) -> None:
        async with asyncio.timeout(wait_s):
            while not true():
                await asyncio.sleep(0.02)

    async def until_said(self, path: str, value: float | str) -> None:
        try:
            await self.until(lambda: self.sink.last(path) == value)
        except TimeoutError:
            pytest.fail(f"{path}: {self.sink.last(path)!r}, expected {value!r}")

    def number(self, path: str) -> float:
        return float(self.sink.last(path) or 0)


async def test_a_sound_camera_is_read_whole() -> None:
    corner = Corner()
    async with corner.watched():
        await corner.until_said("recording/state", "Active")
        await corner.until(lambda: corner.sink.last("recording/retention") is not None)
        await corner.until(lambda: corner.sink.last("rtsp/bitrate") is not None)
        await corner.until(lambda: corner.sink.last("hardware/temperature") is not None)
    sink, who = corner.sink, corner.camera.identity
    assert sink.identities[0].serial == who.serial
    assert (sink.identities[0].maker, sink.identities[0].model) == (who.manufacturer, who.model)
    assert sink.last("link/auth") == "authorized"
    assert abs(corner.number("clock/skew")) < 60
    assert 0 <= corner.number("hardware/cpu") <= 1
    assert sink.last("rtsp/packet_loss") == 0
    assert corner.number("rtsp/bitrate") > 10_000
    assert sink.last("device/reboots") == 0
    assert sink.refused == []
    assert corner.camera.subscriptions == 0  # given back


@pytest.mark.parametrize(
    "quirk",
    [
        "zero_date",
        "trailing_topic",
        "capital_booleans",
        "processor_percent",
        "http_digest_only",
        "closes_on_empty_pull",
        "without_recording",
        "short_subscriptions",
        "relative_addresses_wrong",
    ],
)
async def test_a_quirk_is_lived_with(quirk: str) -> None:
    corner = Corner(replace(Quirks(short_subscription_s=4.0), **{quirk: True}))
    async with corner.watched():
        for failure, path in (("signal_loss", "video/signal_loss"), ("fan_failure", "hardware/fan_failure")):
            await corner.camera.inject(failure)
            await corner.until_said(path, "true")
            await corner.camera.repair(failure)
            await corner.until_said(path, "false")
        if quirk == "short_subscriptions":  # it ends while it is watched, unless it is renewed
            lived_s = asyncio.get_running_loop().time() + 5
            await corner.until(lambda: asyncio.get_running_loop().time() > lived_s)
        await corner.until_said("link/subscription", "active")
        assert corner.camera.subscriptions == 1
    assert "lost" not in corner.sink.all("link/subscription")
    assert 0 <= corner.number("hardware/cpu") <= 1
    assert corner.sink.refused == []
    assert corner.sink.last("device/reboots") == 0
    assert (corner.sink.last("recording/state") is None) is (quirk == "without_recording")


@pytest.mark.parametrize(
    ("failure", "path", "bad"),
    [
        ("signal_loss", "video/signal_loss", "true"),
        ("sprayed", "video/tamper", "true"),
        ("sprayed", "video/too_dark", "true"),
        ("moved", "video/scene_change", "true"),
        ("blurred", "video/too_blurry", "true"),
        ("blinded", "video/too_bright", "true"),
        ("disk_dying", "hardware/storage_failure", "true"),
        ("disk_dying", "recording/state", "Error"),
        ("recording_stopped", "recording/state", "Idle"),
        ("fan_failure", "hardware/fan_failure", "true"),
        ("power_supply_failure", "hardware/power_supply_failure", "true"),
        ("encoder_hang", "rtsp/state", "noPackets"),
        ("event_service_hang", "link/subscription", "lost"),
    ],
)
async def test_a_failure_shows_and_its_repair_too(failure: str, path: str, bad: str) -> None:
    corner = Corner()
    if failure == "event_service_hang":
        corner.driver = corner.driver_with(timeout_s=1)
    async with corner.watched() as task:
        await corner.until(lambda: corner.sink.last(path) is not None)
        good = corner.sink.last(path)
        assert good is not None
        await corner.camera.inject(failure)
        await corner.until_said(path, bad)
        await corner.camera.repair(failure)
        await corner.until_said(path, good)
        assert not task.done()


async def test_a_stream_with_gaps_shows_its_loss() -> None:
    corner = Corner(stream_scale=1.0)
    async with corner.watched():
        await corner.until(lambda: corner.sink.last("rtsp/packet_loss") == 0)
        await corner.camera.inject("stream_lossy")
        await corner.until(lambda: corner.number("rtsp/packet_loss") > 0.005)
        assert corner.sink.last("rtsp/state") == "ok"


async def test_a_wrong_clock_shows_as_skew_and_locks_nobody_out() -> None:
    corner = Corner()
    async with corner.watched() as task:
        await corner.camera.inject("clock_wrong")
        await corner.until(lambda: abs(corner.number("clock/skew")) > 600)
        await corner.camera.inject("fan_failure")
        await corner.until_said("hardware/fan_failure", "true")
        await corner.until_said("link/state", "up")
        assert not task.done()
    assert "notAuthorized" not in corner.sink.all("link/auth")


async def test_a_changed_password_is_told_and_the_right_one_lets_in_again() -> None:
    corner = Corner()
    async with corner.watched():
        await corner.camera.inject("password_changed")
        await corner.until_said("link/auth", "notAuthorized")
        await corner.until_said("rtsp/state", "unauthorized")
        await corner.until_said("link/state", "degraded")
        await corner.camera.repair("password_changed")
        await corner.until_said("link/auth", "authorized")
        await corner.until_said("rtsp/state", "ok")
        await corner.until_said("link/state", "up")


async def test_failed_logins_of_others_are_counted() -> None:
    corner = Corner()
    async with corner.watched():
        await corner.camera.inject("brute_force")
        await corner.until(lambda: corner.number("device/auth_failures") >= 2)


async def test_a_restart_is_counted_and_lived_through() -> None:
    corner = Corner()
    async with corner.living(), corner.kept():
        await corner.until_said("video/signal_loss", "false")
        await corner.until(lambda: "last_reboot_at" in corner.sink.memory.get("camera", ""))
        await corner.camera.inject("reboot")
        await corner.until_said("device/reboots", 1)
        await corner.until_said("link/reconnects", 1)
        await corner.until_said("link/state", "up")
    assert corner.camera.reboots == 1


async def test_a_forgotten_subscription_is_made_anew() -> None:
    corner = Corner()
    async with corner.watched():
        await corner.camera.inject("pull_point_lost")
        await corner.until(lambda: "lost" in corner.sink.all("link/subscription"))
        await corner.until_said("link/subscription", "active")
        await corner.camera.inject("blurred")
        await corner.until_said("video/too_blurry", "true")


async def test_a_camera_out_of_reach_is_down_and_comes_back() -> None:
    corner = Corner()
    async with corner.living(), corner.kept():
        await corner.until_said("rtsp/state", "ok")
        await corner.until_said("link/state", "up")
        await corner.camera.inject("unreachable")
        await corner.until(lambda: "down" in corner.sink.all("link/state"))
        await corner.camera.repair("unreachable")
        await corner.until_said("link/reconnects", 1)
        await corner.until_said("link/state", "up")
        await corner.until_said("link/subscription", "active")


async def test_a_camera_read_by_its_stream_alone() -> None:
    corner = Corner()
    path = corner.camera.stream_paths[0]
    corner.driver = corner.driver_with(onvif=False, rtsp_url=f"rtsp://127.0.0.1:{corner.rtsp_port}{path}")
    async with corner.living(), corner.driving():
        await corner.until_said("link/state", "up")
        await corner.until_said("rtsp/state", "ok")
        await corner.camera.inject("encoder_hang")
        await corner.until_said("rtsp/state", "noPackets")
    assert corner.sink.last("link/auth") == "authorized"
