"""The whole driver against scripted services and a scripted stream."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.devices import ATM, CAMERA
from contracts.errors import ConfigurationError, DependencyUnavailable, DeviceUnreachable
from gateway.driver import Driver
from gateway.drivers.onvif import Settings, create
from runtime.clock import SystemClock
from tests.conftest import free_port
from tests.gateway.onvif.scripted_camera import ScriptedCamera, message, serving
from tests.gateway.onvif.scripted_stream import ScriptedStream, streaming
from tests.gateway.sia_dc09.recording_sink import RecordingSink

LOSS = "tns1:VideoSource/SignalLoss"


class Bench:
    """A camera of two scripted halves, and its driver."""

    def __init__(self, **chosen: object) -> None:
        self.camera = ScriptedCamera()
        self.stream = ScriptedStream()
        self.stream.password = "secret"
        self.port, self.rtsp_port = free_port(), free_port()
        self.camera.stream_url = f"rtsp://192.0.2.9:{self.rtsp_port}/stream1"
        self.sink = RecordingSink(CAMERA)
        self.driver = self.driver_with(**chosen)

    def driver_with(self, **chosen: object) -> Driver:
        quick = {
            "poll_s": 0.1, "probe_s": 0.2, "watch_s": 0.1, "resubscribe_s": 0.2, "recording_s": 0.2,
            "timeout_s": 10, "failures_to_unreachable": 1, "pull_s": 1,
        }  # fmt: skip
        account = {"username": "viewer", "password": "secret"}
        given_ = {"host": "127.0.0.1", "port": self.port, **account, **quick, **chosen}
        return create(Settings.model_validate(given_), CAMERA, SystemClock())

    @asynccontextmanager
    async def driving(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.driver.run(self.sink))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, DeviceUnreachable, DependencyUnavailable):
                await task

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        async with serving(self.camera, self.port), streaming(self.stream, self.rtsp_port):
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        async with self.living(), self.driving() as task:
            yield task

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not true():
                await asyncio.sleep(0.01)

    async def until_said(self, path: str, value: float | str) -> None:
        await self.until(lambda: self.sink.last(path) == value)


async def test_a_camera_is_identified_and_read_whole() -> None:
    bench = Bench()
    bench.camera.clock_offset = timedelta(seconds=90)
    bench.camera.recorded = (
        datetime.now(UTC) + timedelta(seconds=90) - timedelta(days=30),
        datetime.now(UTC) + timedelta(seconds=90) - timedelta(seconds=7),
    )
    bench.camera.at_start = [message(LOSS, {"State": "false"}, {"Source": "v1"}, "Initialized")]
    async with bench.running():
        await bench.until_said("rtsp/state", "ok")
        await bench.until_said("video/signal_loss", "false")
        await bench.until(lambda: bench.sink.last("recording/lag") is not None)
        await bench.until_said("link/state", "up")
        bench.camera.waiting.append(message(LOSS, {"State": "true"}, {"Source": "v1"}))
        await bench.until_said("video/signal_loss", "true")
    sink = bench.sink
    assert (sink.identities[0].maker, sink.identities[0].model) == ("Acme", "Dome 4")
    assert (sink.identities[0].serial, sink.identities[0].firmware) == ("CAM-0001", "1.2")
    assert sink.last("link/auth") == "authorized"
    assert sink.last("link/subscription") == "active"
    assert sink.last("clock/skew") == pytest.approx(90, abs=2)
    assert sink.last("recording/retention") == pytest.approx(30 * 86400, abs=60)
    assert sink.last("recording/lag") == pytest.approx(7, abs=40)
    assert sink.last("device/reboots") == 0
    assert sink.refused == []
    assert bench.camera.refused == 0
    assert "rtsp://127.0.0.1" in sink.memory["camera"]
    assert "secret" not in str(sink.memory)


async def test_the_subscription_is_given_back_at_the_end() -> None:
    bench = Bench()
    async with bench.living():
        async with bench.driving():
            await bench.until_said("link/subscription", "active")
            await bench.until(lambda: "PullMessages" in bench.camera.asked)
            assert len(bench.camera.subscriptions) == 1
        assert bench.camera.subscriptions == set()


async def test_a_subscription_is_renewed_before_it_ends() -> None:
    bench = Bench()
    bench.camera.lifetime_s = 3
    async with bench.running():
        await bench.until(lambda: bench.camera.asked.count("Renew") >= 2)
        assert bench.camera.asked.count("CreatePullPointSubscription") == 1
        assert bench.sink.last("link/subscription") == "active"


async def test_a_lost_subscription_is_told_and_made_anew() -> None:
    bench = Bench()
    async with bench.running():
        await bench.until_said("link/subscription", "active")
        bench.camera.subscriptions.clear()
        await bench.until(lambda: "lost" in bench.sink.all("link/subscription"))
        await bench.until(lambda: len(bench.camera.subscriptions) == 1)
        await bench.until_said("link/state", "up")
    assert "degraded" in bench.sink.all("link/state")


async def test_no_room_for_a_subscription_is_degraded_until_there_is() -> None:
    bench = Bench()
    bench.camera.slots = 0
    async with bench.running():
        await bench.until_said("link/subscription", "lost")
        await bench.until_said("link/state", "degraded")
        bench.camera.slots = 1
        await bench.until_said("link/subscription", "active")


async def test_a_connection_closed_on_an_empty_pull_is_no_loss() -> None:
    bench = Bench()

    pulls = 0

    def guard(request: web.Request) -> web.Response | None:
        nonlocal pulls
        if bench.camera.asked[-1] == "PullMessages":
            pulls += 1
            if pulls % 2 == 0 and request.transport is not None:
                request.transport.close()
        return None

    bench.camera.guard = guard
    async with bench.running():
        await bench.until(lambda: pulls > 4)
    assert set(bench.sink.all("link/subscription")) <= {"unknown", "active"}


async def test_a_wrong_password_is_told_and_not_tried_again_soon() -> None:
    bench = Bench(password="wrong", rtsp_url="rtsp://127.0.0.1:1/s")
    async with bench.living():
        bench.driver = bench.driver_with(password="wrong", rtsp_url=f"rtsp://127.0.0.1:{bench.rtsp_port}/s")
        async with bench.driving() as task:
            await bench.until_said("link/auth", "notAuthorized")
            await bench.until_said("rtsp/state", "unauthorized")
            clocks, looks = bench.camera.asked.count("GetSystemDateAndTime"), bench.stream.count("DESCRIBE")
            await bench.until(lambda: bench.camera.asked.count("GetSystemDateAndTime") >= clocks + 5)
            await bench.until(lambda: bench.stream.count("DESCRIBE") >= looks + 3)
            assert not task.done()
    assert bench.camera.refused == 1
    assert bench.stream.wrong_logins == 1
    assert bench.sink.last("link/state") == "degraded"


@pytest.mark.parametrize("jump", [timedelta(hours=8), -timedelta(days=3), timedelta(seconds=45)])
async def test_a_clock_that_is_set_locks_nobody_out(jump: timedelta) -> None:
    bench = Bench(poll_s=900, recording_s=0.2)  # the clock is not looked at by itself again
    async with bench.running():
        await bench.until_said("link/state", "up")
        bench.camera.clock_offset = jump
        summaries = bench.camera.asked.count("GetRecordingSummary")
        await bench.until(lambda: bench.camera.asked.count("GetRecordingSummary") >= summaries + 3)
        bench.camera.waiting.append(message(LOSS, {"State": "true"}, {"Source": "v1"}))
        await bench.until_said("video/signal_loss", "true")
    assert 1 <= bench.camera.refused <= 4  # each of the calls that were under way, once
    assert "notAuthorized" not in bench.sink.all("link/auth")
    assert "lost" not in bench.sink.all("link/subscription")


async def test_a_wrong_password_of_a_camera_whose_clock_was_set_is_tried_once_more_only() -> None:
    bench = Bench(poll_s=900, recording_s=0.2)
    async with bench.running():
        await bench.until_said("link/state", "up")
        bench.camera.clock_offset = timedelta(hours=1)
        bench.camera.password = "other"
        await bench.until_said("link/auth", "notAuthorized")
        refused = bench.camera.refused
        clocks = bench.camera.asked.count("GetSystemDateAndTime")
        assert 2 <= refused <= 6  # two at most for each of pulling, asking for the recordings and logging in
        assert clocks <= 5


async def test_a_password_that_becomes_right_is_let_in() -> None:
    bench = Bench(auth_retry_s=0.2)
    bench.camera.password = bench.stream.password = "other"
    async with bench.running():
        await bench.until_said("link/auth", "notAuthorized")
        bench.camera.password = bench.stream.password = "secret"
        await bench.until_said("link/auth", "authorized")
        await bench.until_said("rtsp/state", "ok")
        await bench.until_said("link/state", "up")


def http_digest(request: web.Request) -> web.Response | None:
    given_ = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("Authorization", "")))
    if given_.get("nonce") == "n1":
        ha1 = hashlib.md5(b"viewer:cam:secret").hexdigest()
        ha2 = hashlib.md5(f"POST:{request.path}".encode()).hexdigest()
        expected = hashlib.md5(f"{ha1}:n1:{given_['nc']}:{given_['cnonce']}:auth:{ha2}".encode()).hexdigest()
        if given_["response"] == expected:
            return None
    return web.Response(status=401, headers={"WWW-Authenticate": 'Digest realm="cam", nonce="n1", qop="auth"'})


async def test_a_camera_that_knows_only_http_digest_is_read_too() -> None:
    bench = Bench()
    bench.camera.token_needed = False
    bench.camera.guard = http_digest
    async with bench.running():
        await bench.until_said("link/subscription", "active")
        await bench.until_said("link/state", "up")


async def test_addresses_of_another_network_are_put_right() -> None:
    bench = Bench()
    bench.camera.advertised = "192.168.1.64"
    async with bench.running():
        await bench.until_said("link/subscription", "active")
        await bench.until_said("rtsp/state", "ok")
        await bench.until(lambda: bench.camera.asked.count("PullMessages") > 1)


async def test_a_camera_without_get_services_is_read_by_its_capabilities() -> None:
    bench = Bench()
    bench.camera.override["GetServices"] = lambda: bench.camera.fault("ter:ActionNotSupported", "no")
    bench.camera.override["GetCapabilities"] = lambda: bench.camera.envelope(
        "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Events>"
        f"<tt:XAddr>http://127.0.0.1:{bench.port}/onvif/events</tt:XAddr>"
        "<tt:WSSubscriptionPolicySupport>true</tt:WSSubscriptionPolicySupport><tt:WSPullPointSupport>true</tt:WSPullPointSupport>"
        "<tt:WSPausableSubscriptionManagerInterfaceSupport>false</tt:WSPausableSubscriptionManagerInterfaceSupport></tt:Events>"
        f"<tt:Media><tt:XAddr>http://127.0.0.1:{bench.port}/onvif/media</tt:XAddr><tt:StreamingCapabilities/></tt:Media>"
        "</tds:Capabilities></tds:GetCapabilitiesResponse>"
    )
    async with bench.running():
        await bench.until_said("link/subscription", "active")
        await bench.until_said("rtsp/state", "ok")


async def test_the_chosen_profile_is_looked_at() -> None:
    bench = Bench(profile="Sub")
    async with bench.running():
        await bench.until_said("rtsp/state", "ok")
    assert "p=sub" in bench.sink.memory["camera"]


async def test_neither_services_nor_stream_is_unreachable_and_both_come_back() -> None:
    bench = Bench()
    with pytest.raises(DeviceUnreachable, match="check address and network"):
        await bench.driver.run(bench.sink)
    async with bench.living(), bench.driving():
        await bench.until_said("link/state", "up")
        await bench.until_said("rtsp/state", "ok")
    async with asyncio.timeout(30):
        with pytest.raises(DeviceUnreachable):
            await bench.driver.run(bench.sink)
    assert bench.sink.last("link/state") == "down"
    async with bench.running():
        await bench.until_said("link/reconnects", 1)


async def test_a_stream_that_answers_alone_is_a_degraded_camera() -> None:
    bench = Bench()
    async with streaming(bench.stream, bench.rtsp_port):
        async with serving(bench.camera, bench.port), bench.driving() as first:
            await bench.until_said("rtsp/state", "ok")
            assert not first.done()
        async with bench.driving() as task:
            await bench.until_said("link/state", "degraded")
            assert not task.done()


async def test_an_outage_that_is_over_brings_the_subscription_back() -> None:
    bench = Bench(failures_to_unreachable=50)
    async with streaming(bench.stream, bench.rtsp_port), serving(bench.camera, bench.port), bench.driving():
        await bench.until_said("link/subscription", "active")
        bench.camera.guard = lambda _: web.Response(status=503, text="busy")
        bench.camera.subscriptions.clear()
        await bench.until_said("link/subscription", "lost")
        bench.camera.guard = lambda _: None
        bench.camera.serial = "CAM-0002"
        await bench.until_said("link/subscription", "active")
        await bench.until(lambda: bench.sink.identities[-1].serial == "CAM-0002")
    assert float(bench.sink.last("link/protocol_errors") or 0) >= 1


async def test_a_restart_is_counted_over_the_life_of_the_gateway() -> None:
    bench = Bench()
    topic = "tns1:Monitoring/OperatingTime/LastReboot"
    bench.camera.at_start = [message(topic, {"Status": "2026-11-01T00:00:00Z"}, operation="Initialized")]
    async with bench.running():
        await bench.until(lambda: "last_reboot_at" in bench.sink.memory.get("camera", ""))
    bench.camera.at_start = [message(topic, {"Status": "2026-11-20T00:00:00Z"}, operation="Initialized")]
    bench.driver = bench.driver_with()
    async with bench.running():
        await bench.until_said("device/reboots", 1)


async def test_the_loss_of_the_picture_makes_a_look_for_packets_due() -> None:
    bench = Bench(play_s=3600, probe_s=0.2)
    async with bench.running():
        await bench.until_said("rtsp/state", "ok")
        described = bench.stream.count("DESCRIBE")
        await bench.until(lambda: bench.stream.count("DESCRIBE") > described + 2)
        played = bench.stream.count("PLAY")
        bench.camera.waiting.append(message(LOSS, {"State": "true"}))
        await bench.until(lambda: bench.stream.count("PLAY") > played)


async def test_a_stream_that_fails_is_looked_at_whole_until_it_is_well() -> None:
    bench = Bench(play_s=3600)
    bench.stream.numbers = []
    async with bench.running():
        await bench.until_said("rtsp/state", "noPackets")
        played = bench.stream.count("PLAY")
        await bench.until(lambda: bench.stream.count("PLAY") > played + 1)
        bench.stream.numbers = list(range(50))
        await bench.until_said("rtsp/state", "ok")


async def test_a_camera_without_onvif_is_its_stream() -> None:
    bench = Bench()
    bench.driver = bench.driver_with(onvif=False, rtsp_url=f"rtsp://127.0.0.1:{bench.rtsp_port}/s")
    async with streaming(bench.stream, bench.rtsp_port), bench.driving():
        await bench.until_said("link/state", "up")
        await bench.until_said("rtsp/state", "ok")
        assert bench.sink.last("link/auth") == "authorized"
        bench.stream.password = "other"
        await bench.until_said("link/auth", "notAuthorized")
        await bench.until_said("link/state", "degraded")
    async with asyncio.timeout(30):
        with pytest.raises(DeviceUnreachable, match="stream"):
            await bench.driver.run(bench.sink)


async def test_what_the_outbox_does_not_take_ends_the_run_and_the_event_is_told_later() -> None:
    bench = Bench(poll_s=900, probe_s=900, recording_s=3600)  # so that the event is what meets the full outbox
    async with bench.living():
        async with bench.driving() as task:
            await bench.until_said("rtsp/state", "ok")
            await bench.until(lambda: bench.sink.last("recording/lag") is not None)
            await bench.until_said("video/signal_loss", "unknown")
            bench.sink.is_full = True
            bench.camera.waiting.append(message("tns1:Device/OperationMode/ShutdownInitiated", {"Why": "update"}))
            with pytest.raises(DependencyUnavailable):
                await task
        bench.sink.is_full = False
        async with bench.driving():
            await bench.until_said("device/event", "Device/OperationMode/ShutdownInitiated Why=update")


UNREADABLE = (
    b"<html>sorry</html>",
    b"",
    b"<" * 2_000_000,
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><x/></s:Body></s:Envelope>',
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>',
    b'<!DOCTYPE a [<!ENTITY b "c">]><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>&b;</s:Body></s:Envelope>',
)


@pytest.mark.parametrize(
    "operation",
    [
        "GetSystemDateAndTime",
        "GetDeviceInformation",
        "CreatePullPointSubscription",
        "PullMessages",
        "GetRecordingSummary",
    ],
)
async def test_unreadable_answers_are_refused_and_the_camera_read_on(operation: str) -> None:
    bench = Bench(resubscribe_s=0.05)
    left = list(UNREADABLE)

    def answer() -> web.StreamResponse:
        return web.Response(body=left.pop() if len(left) > 1 else left[0], content_type="application/soap+xml")

    bench.camera.override[operation] = answer
    async with bench.running() as task:
        await bench.until(lambda: len(bench.sink.refused) > len(UNREADABLE))
        assert not task.done()
        del bench.camera.override[operation]
        await bench.until_said("link/subscription", "active")
        await bench.until_said("link/state", "up")
    assert all(len(raw) <= 4096 for raw, _ in bench.sink.refused)
    assert bench.sink.last("link/protocol_errors") == len(bench.sink.refused)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.text(st.characters(codec="utf-8"), max_size=60).map(
                lambda text: message(LOSS, {"State": text.replace("\x00", "")}).encode()
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
async def test_after_any_pulls_the_next_good_one_counts(pulls: list[bytes]) -> None:
    bench = Bench(resubscribe_s=0.01)
    left = list(pulls)

    def next_pull() -> web.StreamResponse:
        if left:
            return bench.camera.envelope_of(left.pop())
        del bench.camera.override["PullMessages"]
        return bench.camera.envelope_of(b"")

    bench.camera.override["PullMessages"] = next_pull
    async with bench.running() as task:
        await bench.until(lambda: "PullMessages" not in bench.camera.override)
        bench.camera.at_start = [message(LOSS, {"State": "true"}), message(LOSS, {"State": "false"})]
        bench.camera.waiting = [message("tns1:VideoSource/ImageTooDark/X", {"State": "true"}) for _ in range(2)]
        await bench.until_said("video/too_dark", "true")
        assert not task.done()


def test_the_driver_is_for_cameras() -> None:
    with pytest.raises(ConfigurationError, match="camera, not atm"):
        create(Settings(host="127.0.0.1"), ATM, SystemClock())


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"password": "hunter2"}, "belong together"),
        ({"onvif": False}, "needs rtsp_url"),
        ({"rtsp_url": "rtsp://a:hunter2@h/s"}, "under their own keys"),
        ({"rtsp_url": "http://h/s"}, "expected rtsp://"),
        ({"host": "a/b"}, "name or an address alone"),
    ],
)
def test_settings_that_do_not_fit_are_refused_without_showing_them(chosen: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        Settings.model_validate({"host": "127.0.0.1", **chosen})
    assert "hunter2" not in str(refused.value)


def test_a_certificate_file_that_cannot_be_read_refuses_the_start() -> None:
    with pytest.raises(ConfigurationError, match="tls_ca"):
        create(Settings.model_validate({"host": "h", "tls": True, "tls_ca": "nowhere.pem"}), CAMERA, SystemClock())
