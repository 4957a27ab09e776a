"""The camera's services, asked by onvif-zeep-async and zeep, which are not ours."""

import asyncio
import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]
from zeep.exceptions import Fault

from simulators.camera.credentials import NONCES, WINDOW_MS, Token, TokenGuard
from simulators.camera.onvif_server import LARGEST_REQUEST_BYTES
from simulators.camera.soap import SoapFault, read
from simulators.camera.subscriptions import QUEUE, SLOTS
from simulators.footfall.credentials import Verdict
from tests.simulators.camera.bench import MORNING, PASSWORD, Bench, bench, living

NOW_MS = int(MORNING.timestamp() * 1000)


def subcodes(fault: pytest.ExceptionInfo[Fault]) -> list[str]:
    return [etree.QName(code).localname for code in fault.value.subcodes]


async def test_the_services_are_found_and_the_camera_says_who_it_is() -> None:
    async with bench() as one:
        client = await one.client()
        assert {address.rpartition("/")[2] for address in client.xaddrs.values()} == {
            "device_service",
            "media_service",
            "event_service",
            "search_service",
        }
        who = await (await client.create_devicemgmt_service()).GetDeviceInformation()
        assert who.SerialNumber == one.camera.identity.serial
        assert who.Manufacturer == "Branch Optics"
        assert who.FirmwareVersion.startswith("V5.")


async def test_capabilities_name_the_same_addresses_as_services() -> None:
    async with bench() as one:
        client = await one.client()
        capabilities = await client.get_capabilities()
        assert capabilities is not None
        assert capabilities["Events"]["XAddr"] == client.xaddrs["http://www.onvif.org/ver10/events/wsdl"]
        assert capabilities["Events"]["WSPullPointSupport"] is True
        assert capabilities["Media"]["StreamingCapabilities"]["RTP_RTSP_TCP"] is True


async def test_the_time_is_told_without_credentials_and_is_the_camera_s_own() -> None:
    async with bench() as one:
        device = await (await one.client(password="wrong")).create_devicemgmt_service()
        one.camera.model.clock.wrong_by_ms = 7_200_000
        answer = await device.authless_GetSystemDateAndTime()
        told = answer.UTCDateTime
        at = datetime(told.Date.Year, told.Date.Month, told.Date.Day, told.Time.Hour, told.Time.Minute, tzinfo=UTC)
        assert abs(at - (MORNING + timedelta(hours=2))) < timedelta(minutes=2)


async def test_two_profiles_with_their_stream_addresses() -> None:
    async with bench(stream_scale=0.5) as one:
        media = await (await one.client()).create_media_service()
        main, sub = await media.GetProfiles()
        assert main.VideoEncoderConfiguration.Resolution.Width == 1280
        assert main.VideoEncoderConfiguration.RateControl.BitrateLimit == 2000
        assert sub.VideoEncoderConfiguration.Encoding == "H264"
        setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
        uri = (await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": main.token})).Uri
        assert uri == f"rtsp://127.0.0.1:{one.camera.rtsp_port}/stream/main"
        with pytest.raises(Fault) as fault:
            await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": "Third"})
        assert subcodes(fault) == ["InvalidArgVal", "NoProfile"]


async def test_recordings_reach_from_the_retention_back_until_now() -> None:
    async with bench() as one, bench(cameras_added=10) as crowded:
        spans = []
        for camera in (one, crowded):
            search = await (await camera.client()).create_search_service()
            summary = await search.GetRecordingSummary()
            assert abs(summary.DataUntil - MORNING) < timedelta(minutes=10)
            spans.append(summary.DataUntil - summary.DataFrom)
        assert spans[0] == timedelta(days=30)
        assert spans[1] == pytest.approx(timedelta(days=30 * 0.99**10), abs=timedelta(seconds=2))


async def test_a_new_subscriber_is_told_everything_and_a_synchronisation_tells_it_again() -> None:
    async with bench() as one:
        granted = await one.subscribe()
        assert granted.TerminationTime - granted.CurrentTime == timedelta(seconds=600)
        first = await one.pull()
        assert {event.operation for event in first} == {"Initialized"}
        assert len(first) == 20
        assert all(event.at is not None and abs(event.at - MORNING) < timedelta(minutes=10) for event in first)
        assert await one.pull() == []
        await one.pull_service.SetSynchronizationPoint()
        assert {event.topic for event in await one.pull()} == {event.topic for event in first}


async def test_a_waiting_pull_is_answered_as_soon_as_something_happens() -> None:
    async with bench() as one:
        await one.subscribe()
        await one.told()
        waiting = asyncio.create_task(one.pull(timeout_s=50))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await one.camera.inject("signal_loss")
        (event,) = await waiting
        assert (event.topic, event.operation, dict(event.data)) == (
            "VideoSource/SignalLoss",
            "Changed",
            {"State": "true"},
        )
        assert dict(event.source) == {"Source": "VideoSource_1"}


async def test_a_pull_takes_no_more_than_it_asked_for_and_the_rest_waits() -> None:
    async with bench() as one:
        await one.subscribe()
        sizes = [len(await one.pull(limit=8)) for _ in range(4)]
        assert sizes == [8, 8, 4, 0]


async def test_only_the_topics_asked_for_come() -> None:
    async with bench() as one:
        await one.subscribe(topics="tns1:VideoSource//.|tns1:RecordingConfig/JobState")
        topics = {event.topic for event in await one.pull()}
        assert "RecordingConfig/JobState" in topics
        assert len(topics) == 8
        assert all(topic.startswith(("VideoSource/", "RecordingConfig/")) for topic in topics)


async def test_a_slow_subscriber_loses_the_oldest_and_memory_stays_bounded() -> None:
    async with bench() as one:
        await one.subscribe()
        for _ in range(QUEUE):
            await one.camera.inject("moved")
            await one.camera.repair("moved")
        events: list[Any] = []
        while more := await one.pull():
            events += more
        assert len(events) == QUEUE
        assert {event.topic for event in events[-10:]} == {"VideoSource/GlobalSceneChange/ImagingService"}


async def test_there_are_five_slots_and_unsubscribing_frees_one() -> None:
    async with bench() as one:
        for _ in range(SLOTS):
            await one.subscribe()
        with pytest.raises(Fault) as fault:
            await one.subscribe()
        assert subcodes(fault) == ["SubscribeCreationFailedFault"]
        await one.subscription.Unsubscribe()
        assert one.camera.subscriptions == SLOTS - 1
        with pytest.raises(Fault) as gone:
            await one.pull()
        assert subcodes(gone) == ["ResourceUnknownFault"]
        await one.subscribe()


async def test_a_subscription_ends_at_its_time_unless_it_is_renewed() -> None:
    async with bench() as one:
        await one.subscribe("PT60S")
        one.clock.advance(50_000)
        renewed = await one.subscription.Renew({"TerminationTime": "PT60S"})
        assert renewed.TerminationTime - renewed.CurrentTime == timedelta(seconds=60)
        one.clock.advance(50_000)
        assert await one.pull()
        one.clock.advance(11_000)
        with pytest.raises(Fault) as fault:
            await one.pull()
        assert subcodes(fault) == ["ResourceUnknownFault"]
        assert one.camera.subscriptions == 0


async def test_a_termination_time_may_be_a_time_of_day_by_the_camera_s_clock() -> None:
    async with bench() as one:
        until = MORNING.astimezone(UTC) + timedelta(minutes=30)
        granted = await one.subscribe(until.strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert abs(granted.TerminationTime - until) <= timedelta(seconds=1)
        with pytest.raises(Fault) as fault:
            await one.subscribe("2020-01-01T00:00:00Z")
        assert subcodes(fault) == ["UnacceptableInitialTerminationTimeFault"]


async def test_the_topics_on_offer_can_be_asked_for() -> None:
    async with bench() as one:
        events = await (await one.client()).create_events_service()
        answer = await events.GetEventProperties()
        roots = {element.tag.rpartition("}")[2]: element for element in answer.TopicSet._value_1}
        assert set(roots) == {"Device", "Monitoring", "RecordingConfig", "RuleEngine", "VideoSource"}
        names = {element.tag for element in roots["VideoSource"].iter()}
        assert {"SignalLoss", "GlobalSceneChange", "ImagingService"} <= names


async def test_the_library_s_own_manager_of_pull_points_works_with_it() -> None:
    async with bench() as one:
        client = await one.client()
        manager = await client.create_pullpoint_manager(timedelta(minutes=10), lambda: None)
        await manager.set_synchronization_point()
        answer = await manager.get_service().PullMessages({"MessageLimit": 100, "Timeout": timedelta(seconds=1)})
        assert len(answer.NotificationMessage) == 40
        await manager.shutdown()
        assert one.camera.subscriptions == 0


async def test_a_wrong_password_is_refused_counted_and_told_to_those_who_listen() -> None:
    async with bench() as one:
        await one.subscribe()
        await one.told()
        wrong = await (await one.client(password="guess")).create_devicemgmt_service()
        with pytest.raises(Fault) as fault:
            await wrong.GetDeviceInformation()
        assert subcodes(fault) == ["NotAuthorized"]
        (event,) = await one.pull()
        assert (event.topic, event.operation) == ("Device/SecurityPolicy/AuthFailed", None)
        assert dict(event.data) == {"SourceIPv4": "127.0.0.1"}
        assert one.camera.auth_failures == 1


async def test_an_operation_it_does_not_have_is_a_fault() -> None:
    async with bench() as one:
        device = await (await one.client()).create_devicemgmt_service()
        with pytest.raises(Fault) as fault:
            await device.GetUsers()
        assert subcodes(fault) == ["ActionNotSupported"]


# -- tokens ------------------------------------------------------------------------------------------------------------


def token(nonce: bytes = b"0123456789abcdef", at: datetime = MORNING, password: str = PASSWORD) -> Token:
    created = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(nonce + created.encode() + password.encode()).digest()
    return Token("admin", base64.b64encode(digest).decode(), True, base64.b64encode(nonce).decode(), created)


def test_a_token_lets_in_once() -> None:
    guard = TokenGuard("admin", PASSWORD)
    assert guard.judge(token(), NOW_MS) is Verdict.WELCOME
    assert guard.judge(token(), NOW_MS) is Verdict.WRONG
    assert guard.judge(token(b"another"), NOW_MS) is Verdict.WELCOME


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_token_far_from_the_camera_s_clock_is_stale(minutes: int) -> None:
    guard = TokenGuard("admin", PASSWORD)
    assert guard.judge(token(at=MORNING + timedelta(minutes=minutes)), NOW_MS) is Verdict.STALE


def test_tokens_without_digest_zone_nonce_or_with_another_name_are_wrong() -> None:
    guard, good = TokenGuard("admin", PASSWORD), token()
    for bad in (
        Token("root", good.password, True, good.nonce, good.created),
        Token("admin", PASSWORD, False, good.nonce, good.created),
        Token("admin", good.password, True, "", good.created),
        Token("admin", good.password, True, "%%", good.created),
        Token("admin", good.password, True, good.nonce, good.created.rstrip("Z")),
        Token("admin", good.password, True, good.nonce, "yesterday"),
        Token("admin", "ключ", True, good.nonce, good.created),
    ):
        assert guard.judge(bad, NOW_MS) is Verdict.WRONG
    assert guard.judge(None, NOW_MS) is Verdict.MISSING


def test_nonces_are_forgotten_when_they_are_too_old_to_be_used_again() -> None:
    guard = TokenGuard("admin", PASSWORD)
    for index in range(2 * NONCES):
        guard.judge(token(index.to_bytes(8, "big")), NOW_MS)
    assert len(guard._seen) == NONCES
    later = MORNING + timedelta(milliseconds=3 * WINDOW_MS)
    guard.judge(token(b"later", later), NOW_MS + 3 * WINDOW_MS)
    assert len(guard._seen) == 1


# -- what else may come ------------------------------------------------------------------------------------------------


async def post(one: Bench, content: bytes, path: str = "/onvif/device_service") -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{one.camera.http_port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=content) as response:
        return response.status, await response.read()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", b"not XML"),
        (b"<a/>", b"expected a SOAP 1.2 envelope"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"no document type declaration"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', b"not XML"),
        (b" " * (LARGEST_REQUEST_BYTES + 1), b"at most 65536 bytes"),
    ],
)
async def test_what_is_no_request_is_answered_with_a_fault(content: bytes, words: bytes) -> None:
    async with bench() as one:
        status, body = await post(one, content)
        assert status == 400
        assert words in body
        assert b"WellFormed" in body


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400))
def test_random_bytes_are_no_request_and_raise_nothing_else(content: bytes) -> None:
    with pytest.raises(SoapFault):
        read(content)


async def test_ports_are_closed_when_it_stops_though_somebody_still_pulls() -> None:
    async with bench() as one:
        await one.subscribe()
        await one.told()
        waiting = asyncio.create_task(one.pull(timeout_s=50))
        await asyncio.sleep(0.05)
        port = one.camera.http_port
        await one.camera.stop()
        with pytest.raises((Fault, aiohttp.ClientError)):
            await waiting
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", one.camera.rtsp_port)


async def test_it_lives_by_itself_and_motion_is_told_while_it_does() -> None:
    async with bench(pace=3600) as one:
        await one.subscribe(topics="tns1:VideoSource/MotionAlarm")
        await one.told()
        async with living(one.camera):
            one.clock.advance(5000)  # five hours of the world
            (event,) = await one.pull(timeout_s=15)
            assert dict(event.data) == {"State": "true"}
