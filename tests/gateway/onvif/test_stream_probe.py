"""The ladder: each rung, and that a session set up is given back."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.drivers.onvif.rtsp_conversation import Credentials
from gateway.drivers.onvif.stream_probe import Probe, StreamState, probe_stream
from tests.conftest import free_port
from tests.gateway.onvif.scripted_stream import ScriptedStream, streaming

VIEWER = Credentials("viewer", "secret")


async def look(
    stream: ScriptedStream, *, credentials: Credentials | None = VIEWER, play: bool = True, timeout_s: float = 10
) -> Probe:
    port = free_port()
    async with streaming(stream, port):
        return await probe_stream(
            f"rtsp://127.0.0.1:{port}/s", credentials, play=play, timeout_s=timeout_s, watch_s=0.3
        )


async def test_a_stream_that_is_there_is_measured_and_its_session_given_back() -> None:
    stream = ScriptedStream()
    stream.numbers.remove(65_540)
    probe = await look(stream)
    assert probe.state is StreamState.OK
    assert probe.packet_loss == pytest.approx(0.01)
    assert probe.bitrate_bps is not None
    assert 0 < probe.bitrate_bps <= 99 * 112 * 8 / 0.3 * 1.01
    assert stream.asked == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
    assert stream.open_sessions == 0


async def test_without_play_nothing_is_set_up() -> None:
    stream = ScriptedStream()
    probe = await look(stream, play=False)
    assert (probe.state, probe.played, probe.bitrate_bps) == (StreamState.OK, False, None)
    assert stream.asked == ["OPTIONS", "DESCRIBE"]


@pytest.mark.parametrize(
    ("method", "status", "state"),
    [
        ("OPTIONS", 501, StreamState.OK),
        ("OPTIONS", 401, StreamState.UNAUTHORIZED),
        ("DESCRIBE", 404, StreamState.NOT_FOUND),
        ("DESCRIBE", 302, StreamState.NOT_FOUND),
        ("DESCRIBE", 403, StreamState.UNAUTHORIZED),
        ("DESCRIBE", 503, StreamState.REFUSED),
        ("SETUP", 461, StreamState.REFUSED),
        ("PLAY", 454, StreamState.NOT_FOUND),
    ],
)
async def test_each_refusal_has_its_word(method: str, status: int, state: StreamState) -> None:
    stream = ScriptedStream()
    stream.status[method] = status
    assert (await look(stream)).state is state
    assert stream.open_sessions == 0


async def test_no_video_and_no_packets_are_told_apart() -> None:
    stream = ScriptedStream()
    stream.description = b"v=0\r\nm=audio 0 RTP/AVP 0\r\n"
    assert (await look(stream)).state is StreamState.NO_VIDEO
    stream = ScriptedStream()
    stream.numbers = []
    probe = await look(stream)
    assert (probe.state, probe.played) == (StreamState.NO_PACKETS, True)
    assert stream.open_sessions == 0


async def test_a_closed_port_a_silent_server_and_one_that_hangs_up_are_told_apart() -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/s"
    refused = await probe_stream(url, None, play=False, timeout_s=5, watch_s=1)
    assert (refused.state, refused.is_answered) == (StreamState.REFUSED, False)
    stream = ScriptedStream()
    stream.is_silent = True
    assert (await look(stream, timeout_s=0.2)).state is StreamState.TIMEOUT
    stream = ScriptedStream()
    stream.closes_after = "OPTIONS"
    assert (await look(stream)).state is StreamState.REFUSED


async def test_a_stream_that_ends_while_it_is_watched_still_counts() -> None:
    stream = ScriptedStream()
    stream.closes_after = "PLAY"
    assert (await look(stream)).state is StreamState.OK


async def test_what_is_no_rtsp_is_told_with_a_sample() -> None:
    stream = ScriptedStream()
    stream.instead = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    probe = await look(stream)
    assert probe.state is StreamState.UNKNOWN
    assert probe.error is not None
    assert probe.sample == stream.instead


async def test_garbage_among_the_packets_ends_the_look_and_gives_the_session_back() -> None:
    stream = ScriptedStream()
    stream.extra = b"\x00\x01garbage"
    probe = await look(stream)
    assert probe.state is StreamState.UNKNOWN
    assert "TEARDOWN" in stream.asked


async def test_a_challenge_is_answered_and_a_wrong_password_is_given_once() -> None:
    stream = ScriptedStream()
    stream.password = "secret"
    assert (await look(stream)).state is StreamState.OK
    assert stream.wrong_logins == 0
    assert (await look(stream, credentials=Credentials("viewer", "wrong"))).state is StreamState.UNAUTHORIZED
    assert stream.wrong_logins == 1
    assert (await look(stream, credentials=None)).state is StreamState.UNAUTHORIZED
    assert stream.wrong_logins == 1


async def test_a_server_with_a_new_nonce_for_every_request_is_followed() -> None:
    stream = ScriptedStream()
    stream.password = "secret"
    stream.new_nonce_each_time = True
    assert (await look(stream)).state is StreamState.OK
    assert stream.wrong_logins == 0
    assert stream.open_sessions == 0


async def test_a_look_that_is_called_off_gives_the_session_back() -> None:
    stream, port = ScriptedStream(), free_port()
    async with streaming(stream, port):
        task = asyncio.create_task(
            probe_stream(f"rtsp://127.0.0.1:{port}/s", VIEWER, play=True, timeout_s=10, watch_s=60)
        )
        async with asyncio.timeout(10):
            while not stream.count("PLAY"):
                await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert stream.open_sessions == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=400), st.binary(max_size=60).map(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n".__add__)))
async def test_whatever_is_answered_is_a_result(answer: bytes) -> None:
    stream = ScriptedStream()
    stream.instead = answer
    stream.closes_after = "OPTIONS"
    probe = await look(stream, timeout_s=5)
    assert probe.state is not StreamState.OK
