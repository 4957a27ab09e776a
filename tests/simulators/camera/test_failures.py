"""Everything that can happen to a camera, seen from outside as a gateway sees it."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import aiohttp
import pytest
from zeep.exceptions import Fault

from simulators.camera import CameraSimulator
from simulators.camera.attack import ATTACKER
from simulators.device import SimulatedDevice
from simulators.world import World
from tests.conftest import free_port
from tests.simulators.camera.bench import MORNING, WAIT_S, bench, living, rtsp

TOLD = {
    "signal_loss": {"VideoSource/SignalLoss": ("false", "true")},
    "sprayed": {
        "RuleEngine/TamperDetector/Tamper": ("false", "true"),
        "VideoSource/ImageTooDark/ImagingService": ("false", "true"),
    },
    "moved": {"VideoSource/GlobalSceneChange/ImagingService": ("false", "true")},
    "blurred": {"VideoSource/ImageTooBlurry/ImagingService": ("false", "true")},
    "blinded": {"VideoSource/ImageTooBright/ImagingService": ("false", "true")},
    "disk_dying": {
        "Device/HardwareFailure/StorageFailure": ("false", "true"),
        "RecordingConfig/JobState": ("Active", "Error"),
    },
    "recording_stopped": {"RecordingConfig/JobState": ("Active", "Idle")},
    "fan_failure": {"Device/HardwareFailure/FanFailure": ("false", "true")},
    "power_supply_failure": {"Device/HardwareFailure/PowerSupplyFailure": ("false", "true")},
    "overheated": {"Device/HardwareFailure/TemperatureCritical": ("false", "true")},
    "cover_opened": {"Device/Trigger/DigitalInput": ("false", "true")},
}


@pytest.mark.parametrize("failure", TOLD)
async def test_a_failure_is_told_and_its_repair_as_well(failure: str) -> None:
    async with bench() as one:
        await one.subscribe()
        before = await one.told()
        await one.camera.inject(failure)
        during = await one.told()
        await one.camera.inject(failure)  # already there
        again = await one.told()
        await one.camera.repair(failure)
        after = await one.told()
        for topic, (sound, broken) in TOLD[failure].items():
            assert (before[topic], during[topic], after[topic]) == (sound, broken, sound)
            assert topic not in again


def test_every_failure_of_the_picture_and_the_parts_is_listed_here() -> None:
    camera = CameraSimulator("cam-01", World(), 0, 0)
    seen_elsewhere = {
        "clock_wrong",
        "unreachable",
        "encoder_hang",
        "stream_lossy",
        "password_changed",
        "brute_force",
        "event_service_hang",
        "pull_point_lost",
        "reboot",
    }
    assert set(camera.failures) == set(TOLD) | seen_elsewhere
    device: SimulatedDevice = camera
    assert device.kind == "camera"


async def test_an_unknown_failure_is_refused_with_those_there_are() -> None:
    async with bench() as one:
        with pytest.raises(ValueError, match="cam-01: no failure 'rain'; a camera has signal_loss, sprayed"):
            await one.camera.inject("rain")


async def test_a_dying_disk_stops_the_recordings_and_their_lag_grows_until_it_is_replaced() -> None:
    async with bench() as one:
        await one.camera.inject("disk_dying")
        one.clock.advance(7_200_000)
        search = await (await one.client()).create_search_service()
        summary = await search.GetRecordingSummary()
        assert abs(summary.DataUntil - MORNING) < timedelta(minutes=10)
        await one.camera.repair("disk_dying")
        summary = await search.GetRecordingSummary()
        assert summary.DataUntil - MORNING > timedelta(hours=1, minutes=50)
        assert one.camera.model.recorder is not None
        assert one.camera.model.recorder.disk_age_years == 0


async def test_a_wrong_clock_is_shown_and_refuses_those_who_do_not_follow_it() -> None:
    async with bench() as one:
        client = await one.client()
        device = await client.create_devicemgmt_service()
        await device.GetDeviceInformation()
        await one.camera.inject("clock_wrong")
        with pytest.raises(Fault):
            await device.GetDeviceInformation()
        ahead = (await device.authless_GetSystemDateAndTime()).UTCDateTime.Time.Hour
        await client.update_xaddrs()
        device = await client.create_devicemgmt_service()
        await device.GetDeviceInformation()
        await one.camera.repair("clock_wrong")
        right = (await device.authless_GetSystemDateAndTime()).UTCDateTime.Time.Hour
        assert (ahead - right) % 24 == 1


async def test_an_unreachable_camera_has_closed_both_ports_and_comes_back_at_the_same_ones() -> None:
    async with bench() as one:
        await one.subscribe()
        ports = one.camera.http_port, one.camera.rtsp_port
        await one.camera.inject("unreachable")
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
        await one.camera.repair("unreachable")
        assert (one.camera.http_port, one.camera.rtsp_port) == ports
        assert await one.pull()  # a cable changes nothing about its subscriptions


async def test_a_hung_encoder_says_yes_and_sends_nothing() -> None:
    async with bench() as one, rtsp(one.camera) as client:
        await one.camera.inject("encoder_hang")
        assert (await client.play(one.url())).status == 200
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await client.reader.readexactly(1)
        await one.camera.repair("encoder_hang")
        assert len(await client.listen(10)) >= 10


async def test_a_lossy_stream_has_gaps_in_its_numbers() -> None:
    async with bench() as one, rtsp(one.camera) as client:
        await one.camera.inject("stream_lossy")
        await client.play(one.url())
        packets = await client.listen(100)
        numbers = [int.from_bytes(packet[2:4], "big") for packet in packets]
        steps = [(later - earlier) % 65536 for earlier, later in pairwise(numbers)]
        assert max(steps) > 1
        assert sum(steps) - len(steps) < 40


async def test_a_changed_password_shuts_out_everywhere_until_it_is_set_back() -> None:
    async with bench() as one:
        device = await (await one.client()).create_devicemgmt_service()
        await one.camera.inject("password_changed")
        with pytest.raises(Fault):
            await device.GetDeviceInformation()
        async with rtsp(one.camera) as client:
            assert (await client.say("DESCRIBE", one.url())).status == 401
            assert (await client.say("DESCRIBE", one.url())).status == 401
        changed = await (await one.client(password=one.camera.password)).create_devicemgmt_service()
        await changed.GetDeviceInformation()
        await one.camera.repair("password_changed")
        await device.GetDeviceInformation()


async def test_somebody_tries_twenty_passwords_a_minute_for_ten_minutes() -> None:
    async with bench() as one:
        await one.subscribe(topics="tns1:Device/SecurityPolicy/AuthFailed")
        await one.camera.inject("brute_force")
        one.clock.advance(59_000)
        first_minute = await one.pull()
        assert len(first_minute) == 20
        assert {event.data["SourceIPv4"] for event in first_minute} == {ATTACKER}
        one.clock.advance(900_000)
        await one.camera.inject("moved")
        assert one.camera.auth_failures == 200
        await one.camera.inject("brute_force")
        await one.camera.repair("brute_force")
        one.clock.advance(30_000)
        await one.camera.repair("moved")
        assert one.camera.auth_failures == 201


async def test_a_hung_event_service_answers_nobody_and_forgets_its_subscribers_when_it_comes_back() -> None:
    async with bench() as one:
        await one.subscribe()
        await one.told()
        await one.camera.inject("event_service_hang")
        waiting = asyncio.create_task(one.pull())
        done, _ = await asyncio.wait({waiting}, timeout=0.5)
        assert not done
        device = await (await one.client()).create_devicemgmt_service()
        await device.GetDeviceInformation()  # the rest of it is well
        await one.camera.repair("event_service_hang")
        for pull in (waiting, one.pull()):
            with pytest.raises(Fault, match="no subscription 1"):
                await pull
        assert one.camera.subscriptions == 0


async def test_a_lost_pull_point_is_unknown_to_the_camera() -> None:
    async with bench() as one:
        await one.subscribe()
        await one.told()
        await one.camera.inject("pull_point_lost")
        await one.camera.repair("pull_point_lost")
        with pytest.raises(Fault, match="no subscription 1"):
            await one.pull()


async def test_a_restart_says_so_goes_away_and_comes_back_with_another_time_of_start() -> None:
    async with bench(boot_s=30) as one:
        await one.subscribe()
        before = await one.told()
        waiting = asyncio.create_task(one.pull(timeout_s=50))
        await asyncio.sleep(0.1)
        one.clock.advance(60_000)
        await one.camera.inject("reboot")
        assert "Device/OperationMode/ShutdownInitiated" in {event.topic for event in await waiting}
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", one.camera.http_port)
        one.clock.advance(30_000)
        async with living(one.camera), asyncio.timeout(WAIT_S):
            while True:
                try:
                    await one.subscribe()
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        after = await one.told()
        topic = "Monitoring/OperatingTime/LastReboot"
        assert after[topic] > before[topic]
        assert one.camera.reboots == 1


@pytest.mark.parametrize("taken", ["http", "rtsp"])
async def test_a_taken_port_is_an_error_at_the_start_and_leaves_nothing_open(taken: str) -> None:
    async with bench() as one:
        free = free_port()
        ports = (one.camera.http_port, free) if taken == "http" else (free, one.camera.rtsp_port)
        other = CameraSimulator("cam-02", World(), *ports)
        with pytest.raises(OSError, match="address already in use"):
            await other.start()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", free)


async def test_a_port_taken_meanwhile_is_had_again_when_it_is_free() -> None:
    async with bench() as one:
        await one.camera.inject("unreachable")
        thief = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", one.camera.http_port)
        with pytest.raises(OSError, match="address already in use"):
            await one.camera.repair("unreachable")
        async with living(one.camera), asyncio.timeout(WAIT_S):
            thief.close()
            await thief.wait_closed()
            while True:
                try:
                    await one.subscribe()
                    break
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.05)
        assert one.camera.subscriptions == 1


async def test_over_the_years_things_break_by_themselves_where_that_is_wanted() -> None:
    async with bench(pace=1e6, mishaps=True) as one, bench(pace=1e6) as spared:
        broken = []
        for camera in (one, spared):
            for _ in range(20):
                camera.clock.advance(10_000)  # 20 times four months
                life = asyncio.create_task(camera.camera.run())
                await asyncio.sleep(0)
                life.cancel()
                await asyncio.gather(life, return_exceptions=True)
            model = camera.camera.model
            broken.append([model.moved, model.signal_lost, model.housing.fan_failed])
        assert any(broken[0])
        assert not any(broken[1])
