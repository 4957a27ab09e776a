"""What cameras get wrong, seen on the wire."""

import asyncio
import random
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import DigestAuthMiddleware
from zeep.exceptions import Fault

from simulators.camera import Quirks
from simulators.camera.device_service import ELSEWHERE
from simulators.camera.notifications import ZERO_DATE
from tests.simulators.camera.bench import PASSWORD, Bench, bench

SECURITY = (
    '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><env:Body>{}</env:Body></env:Envelope>'
)
INFORMATION = SECURITY.format("<tds:GetDeviceInformation/>")


async def raw_pull(one: Bench, timeout_s: int = 0) -> bytes:
    """What a pull brings, as it is on the wire, by HTTP Digest."""
    address = await one.subscribe()
    number = address.SubscriptionReference.Address._value_1.rpartition("=")[2]
    body = (
        '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Body>'
        '<PullMessages xmlns="http://www.onvif.org/ver10/events/wsdl">'
        f"<Timeout>PT{timeout_s}S</Timeout><MessageLimit>100</MessageLimit></PullMessages></env:Body></env:Envelope>"
    )
    url = f"http://127.0.0.1:{one.camera.http_port}/onvif/subscription?Idx={number}"
    digest = DigestAuthMiddleware("admin", PASSWORD)
    async with aiohttp.ClientSession(middlewares=(digest,)) as session, session.post(url, data=body) as response:
        assert response.status == 200
        return await response.read()


async def test_a_camera_without_quirks_has_none_of_them() -> None:
    async with bench() as one:
        content = (await raw_pull(one)).decode()
        assert ZERO_DATE not in content
        assert "//." not in content
        assert 'Name="State" Value="false"' in content
        assert f"127.0.0.1:{one.camera.http_port}" in str(await (await one.client()).get_capabilities())


async def test_zero_date() -> None:
    async with bench(quirks=Quirks(zero_date=True)) as one:
        content = (await raw_pull(one)).decode()
        assert content.count(f'UtcTime="{ZERO_DATE}"') == content.count("UtcTime=") == 20


async def test_trailing_topic() -> None:
    async with bench(quirks=Quirks(trailing_topic=True)) as one:
        await one.subscribe()
        topics = {event.topic for event in await one.pull()}
        assert "VideoSource/MotionAlarm//." in topics
        assert "RuleEngine/CellMotionDetector/Motion//." in topics
        assert "VideoSource/SignalLoss/" in topics


async def test_capital_booleans() -> None:
    async with bench(quirks=Quirks(capital_booleans=True)) as one:
        await one.subscribe()
        for failure in ("signal_loss", "fan_failure", "sprayed"):
            await one.camera.inject(failure)
        told = await one.told()
        assert told["VideoSource/SignalLoss"] == "True"
        assert told["VideoSource/MotionAlarm"] == "False"
        assert told["Device/HardwareFailure/FanFailure"] == "1"
        assert told["Device/HardwareFailure/PowerSupplyFailure"] == "0"
        assert told["RuleEngine/TamperDetector/Tamper"] == "active"


async def test_processor_percent() -> None:
    async with bench() as plain, bench(quirks=Quirks(processor_percent=True)) as percent:
        loads = []
        for one in (plain, percent):
            await one.subscribe()
            loads.append(float((await one.told())["Monitoring/ProcessorUsage"]))
        assert loads[1] == pytest.approx(100 * loads[0], abs=0.1)
        assert 0.1 < loads[0] < 1


async def test_http_digest_only() -> None:
    async with bench(quirks=Quirks(http_digest_only=True)) as one:
        device = await (await one.client()).create_devicemgmt_service()
        with pytest.raises(Fault):
            await device.GetDeviceInformation()
        url = f"http://127.0.0.1:{one.camera.http_port}/onvif/device_service"
        async with aiohttp.ClientSession() as session, session.post(url, data=INFORMATION) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Digest ")
        digest = DigestAuthMiddleware("admin", PASSWORD)
        async with (
            aiohttp.ClientSession(middlewares=(digest,)) as session,
            session.post(url, data=INFORMATION) as response,
        ):
            assert response.status == 200
            assert one.camera.identity.serial in await response.text()
        assert one.camera.auth_failures == 0
        wrong = DigestAuthMiddleware("admin", "guess")
        async with (
            aiohttp.ClientSession(middlewares=(wrong,)) as session,
            session.post(url, data=INFORMATION) as response,
        ):
            assert response.status == 401
        assert one.camera.auth_failures > 0


async def test_closes_on_empty_pull() -> None:
    async with bench(quirks=Quirks(closes_on_empty_pull=True)) as one:
        await one.subscribe()
        assert await one.pull()
        with pytest.raises(aiohttp.ClientError):
            await one.pull()
        await one.camera.inject("moved")
        assert await one.pull()


async def test_without_recording() -> None:
    async with bench(quirks=Quirks(without_recording=True)) as one:
        client = await one.client()
        assert "http://www.onvif.org/ver10/search/wsdl" not in client.xaddrs
        await one.subscribe()
        topics = {event.topic for event in await one.pull()}
        assert "RecordingConfig/JobState" not in topics
        assert "Device/HardwareFailure/StorageFailure" not in topics
        assert not {"disk_dying", "recording_stopped"} & set(one.camera.failures)
        client.xaddrs["http://www.onvif.org/ver10/search/wsdl"] = client.xaddrs[
            "http://www.onvif.org/ver10/device/wsdl"
        ]
        with pytest.raises(Fault, match="GetRecordingSummary is not supported"):
            await (await client.create_search_service()).GetRecordingSummary()


async def test_short_subscriptions() -> None:
    async with bench(quirks=Quirks(short_subscriptions=True, short_subscription_s=7)) as one:
        granted = await one.subscribe("PT600S")
        assert granted.TerminationTime - granted.CurrentTime == timedelta(seconds=7)
        renewed = await one.subscription.Renew({"TerminationTime": "PT600S"})
        assert renewed.TerminationTime - renewed.CurrentTime == timedelta(seconds=7)
        one.clock.advance(7001)
        with pytest.raises(Fault):
            await one.pull()


async def test_relative_addresses_wrong() -> None:
    async with bench(quirks=Quirks(relative_addresses_wrong=True)) as one:
        granted = await one.subscribe()
        assert granted.SubscriptionReference.Address._value_1.startswith(f"http://{ELSEWHERE}:")
        media = await (await one.client()).create_media_service()
        setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
        uri = (await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": "Main"})).Uri
        assert uri.startswith(f"rtsp://{ELSEWHERE}:")
        assert await one.pull()  # reached at its real address all the same


def test_three_cameras_in_a_hundred_have_each_drawn_quirk() -> None:
    chance = random.Random(5)
    drawn = [Quirks.drawn(chance) for _ in range(3000)]
    for count in (
        sum(one.zero_date for one in drawn),
        sum(one.trailing_topic for one in drawn),
        sum(one.processor_percent for one in drawn),
    ):
        assert 50 < count < 140


async def test_all_quirks_together_still_leave_a_camera_that_can_be_pulled() -> None:
    everything = Quirks(
        zero_date=True,
        trailing_topic=True,
        capital_booleans=True,
        processor_percent=True,
        closes_on_empty_pull=True,
        short_subscriptions=True,
        relative_addresses_wrong=True,
    )
    async with bench(quirks=everything) as one:
        content = await raw_pull(one)
        assert content.count(b"<wsnt:NotificationMessage>") == 20
        waiting = asyncio.create_task(raw_pull(one, timeout_s=1))
        assert b"PullMessagesResponse" in await waiting
