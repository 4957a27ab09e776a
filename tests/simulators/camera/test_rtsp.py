"""The camera's streams, taken by ffmpeg, and by a plain client where the camera's every word matters."""

import asyncio
import json
import re
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.camera.h264 import FRAMES_A_SECOND, GROUP, filler, key_slice, parameter_sets, repeat_slice
from simulators.camera.rtsp import LARGEST_HEAD_BYTES, Reader, Unreadable, channels, path_of
from simulators.camera.rtsp_server import CONNECTIONS
from simulators.camera.video import LARGEST_PAYLOAD, PROFILES, VideoStream, description
from tests.simulators.camera.bench import WAIT_S, bench, rtsp

MAIN, SUB = PROFILES


async def run(*command: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(40):
            out, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), complaints.decode()


@pytest.mark.parametrize(("profile", "width", "height"), [(MAIN, 1280, 720), (SUB, 640, 352)])
async def test_ffprobe_finds_the_video_it_was_promised(profile: object, width: int, height: int) -> None:
    path = MAIN.path if profile is MAIN else SUB.path
    async with bench() as one:
        fields = "stream=codec_name,width,height,avg_frame_rate"
        options = ("-v", "error", "-rtsp_transport", "tcp", "-timeout", "10000000")
        status, out, complaints = await run("ffprobe", *options, "-show_entries", fields, "-of", "json", one.url(path))
        assert (status, complaints) == (0, "")
        assert json.loads(out)["streams"] == [
            {"codec_name": "h264", "width": width, "height": height, "avg_frame_rate": "25/1"}
        ]


async def test_ffmpeg_decodes_every_frame_without_a_complaint(tmp_path: Path) -> None:
    async with bench(stream_scale=0.3) as one:
        picture = tmp_path / "picture.pgm"
        options = ("-nostdin", "-v", "warning", "-rtsp_transport", "tcp", "-i", one.url())
        status, _, complaints = await run("ffmpeg", *options, "-frames:v", "60", "-update", "1", str(picture))
        assert (status, complaints) == (0, "")
        content = picture.read_bytes()
        assert content.startswith(b"P5\n1280 720\n255\n")
        assert set(content[-1280 * 720 :]) == {content[-1]}  # one shade of grey


async def test_ffmpeg_with_a_wrong_password_gets_nothing() -> None:
    async with bench() as one:
        status, _, complaints = await run("ffprobe", "-rtsp_transport", "tcp", one.url(password="guess"))
        assert status != 0
        assert "401" in complaints
        assert one.camera.auth_failures >= 1


async def test_packets_are_numbered_and_timed_without_gaps_and_reports_come_beside() -> None:
    async with bench() as one, rtsp(one.camera) as client:
        played = await client.play(one.url())
        packets = await client.listen(60)
        first = re.search(r"seq=(\d+);rtptime=(\d+)", played.headers["rtp-info"])
        assert first is not None
        numbers = [int.from_bytes(packet[2:4], "big") for packet in packets]
        assert numbers == [(int(first[1]) + index) % 65536 for index in range(60)]
        assert int.from_bytes(packets[0][4:8], "big") == int(first[2])
        assert {packet[0] for packet in packets} == {0x80}
        assert {packet[1] & 0x7F for packet in packets} == {96}
        frames = [int.from_bytes(packet[4:8], "big") for packet in packets if packet[1] & 0x80]
        steps = {(later - earlier) % 2**32 for earlier, later in pairwise(frames)}
        assert 3600 in steps
        assert all(0 < step < 2**31 and step % 3600 == 0 for step in steps)  # a stalled machine leaves frames out
        assert any(channel == 1 and packet[1] == 200 for channel, packet in client.packets)


async def test_a_session_goes_from_setup_over_pause_to_teardown() -> None:
    async with bench() as one, rtsp(one.camera) as client:
        url = one.url()
        await client.play(url)
        await client.listen(5)
        assert one.camera.streams == 1
        assert (await client.say("SETUP", url, Transport="RTP/AVP/TCP;interleaved=0-1")).status == 455
        assert (await client.say("PAUSE", url, Session=client.session)).status == 200
        assert one.camera.streams == 0
        assert (await client.say("PLAY", url, Session="another")).status == 454
        assert (await client.say("GET_PARAMETER", url, Session=client.session)).status == 200
        assert (await client.say("TEARDOWN", url, Session=client.session)).status == 200
        assert (await client.say("PLAY", url, Session=client.session)).status == 454


async def test_what_it_cannot_do_is_said_by_its_number() -> None:
    async with bench() as one, rtsp(one.camera) as client:
        url = one.url()
        assert (await client.say("DESCRIBE", url)).status == 401
        assert (await client.say("DESCRIBE", one.url("/nothing"))).status == 404
        udp = await client.say("SETUP", f"{url}/trackID=1", Transport="RTP/AVP;unicast;client_port=5000-5001")
        assert udp.status == 461
        assert (await client.say("RECORD", url)).status == 501
        assert (await client.send(b"OPTIONS * RTSP/2.0\r\nCSeq: 9\r\n\r\n")).status == 505
        assert (await client.say("OPTIONS", "*")).status == 200
        assert (await client.send(b"GET / HTTP/1.1\r\n\r\n")).status == 400


async def test_a_digest_is_for_its_connection_method_and_address_only() -> None:
    async with bench() as one, rtsp(one.camera) as client, rtsp(one.camera) as other:
        assert (await client.say("DESCRIBE", one.url())).status == 401
        assert (await client.say("DESCRIBE", one.url())).status == 200
        other.challenge = client.challenge
        assert (await other.say("DESCRIBE", one.url())).status == 401


async def test_a_silent_session_ends_and_one_that_is_kept_alive_does_not() -> None:
    async with bench(session_timeout_s=3.0) as one, rtsp(one.camera) as silent, rtsp(one.camera) as lively:
        await silent.play(one.url())
        await lively.play(one.url("/stream/sub"))

        async def to_the_end() -> None:
            while await silent.reader.read(65536):
                pass

        async def keep_alive() -> None:
            while True:
                await lively.say("GET_PARAMETER", one.url("/stream/sub"), Session=lively.session)
                await asyncio.sleep(0.1)

        alive = asyncio.create_task(keep_alive())
        async with asyncio.timeout(WAIT_S):
            await to_the_end()
            while one.camera.streams != 1:
                await asyncio.sleep(0.01)
        alive.cancel()
        with pytest.raises(asyncio.CancelledError):
            await alive
        assert one.camera.streams == 1


async def test_more_connections_than_it_can_hold_are_refused() -> None:
    async with bench() as one, asyncio.TaskGroup():
        clients = [await asyncio.open_connection("127.0.0.1", one.camera.rtsp_port) for _ in range(CONNECTIONS)]
        for reader, writer in clients:
            writer.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            assert b" 200 " in await reader.readline()
        async with rtsp(one.camera) as late:
            assert (await late.say("OPTIONS", "*")).status == 453
        for _, writer in clients:
            writer.close()
            await writer.wait_closed()


async def test_receiver_reports_between_requests_are_passed_over() -> None:
    async with bench() as one, rtsp(one.camera) as client:
        answer = await client.send(b"$\x01\x00\x04abcdOPTIONS * RTSP/1.0\r\nCSeq: 4\r\n\r\n")
        assert (answer.status, answer.headers["cseq"]) == (200, "4")


async def test_thousands_of_bad_requests_leave_memory_and_the_camera_as_they_were() -> None:
    async with bench() as one:
        tracemalloc.start()
        try:
            baseline = 0
            for round_ in range(200):
                reader, writer = await asyncio.open_connection("127.0.0.1", one.camera.rtsp_port)
                writer.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 100 + b"\x00" * (LARGEST_HEAD_BYTES + 1))
                async with asyncio.timeout(WAIT_S):
                    while await reader.read(65536):
                        pass
                writer.close()
                if round_ == 50:
                    baseline = tracemalloc.get_traced_memory()[0]
            assert tracemalloc.get_traced_memory()[0] - baseline < 500_000
        finally:
            tracemalloc.stop()
        async with rtsp(one.camera) as client:
            assert (await client.say("OPTIONS", "*")).status == 200


# -- without a line ----------------------------------------------------------------------------------------------------


@given(st.sampled_from(PROFILES), st.floats(2e4, 4e6))
@settings(max_examples=30, deadline=None)
def test_a_stream_has_the_rate_it_is_asked_for(profile: object, rate_bps: float) -> None:
    which = MAIN if profile is MAIN else SUB
    stream = VideoStream(which, 1, 65500, 2**32 - 5)
    frames = [stream.frame(rate_bps) for _ in range(4 * GROUP)]
    sent_bps = sum(len(packet) - 12 for frame in frames for packet in frame) * 8 * FRAMES_A_SECOND / len(frames)
    floor_bps = 25_000 * (which.width * which.height) / (1280 * 720)
    assert sent_bps == pytest.approx(max(rate_bps, min(floor_bps, sent_bps)), rel=0.03)
    assert all(len(packet) <= LARGEST_PAYLOAD + 12 for frame in frames for packet in frame)
    assert all([packet[1] >> 7 for packet in frame] == [0] * (len(frame) - 1) + [1] for frame in frames)


def test_the_description_says_the_rate_that_is_really_sent() -> None:
    told = re.search(r"b=AS:(\d+)", description(MAIN, 400_000, "127.0.0.1"))
    assert told is not None
    assert int(told[1]) == 400


def test_pictures_hold_no_start_code_that_would_cut_them() -> None:
    units = [*parameter_sets(1280, 720), key_slice(1280, 720), filler(500)]
    units += [repeat_slice(1280, 720, number) for number in range(1, GROUP)]
    for unit in units:
        assert not re.search(rb"\x00\x00[\x00-\x02]", unit)


@given(st.binary(max_size=600), st.integers(1, 40))
def test_random_bytes_are_requests_or_unreadable_however_they_are_cut(content: bytes, size: int) -> None:
    reader = Reader()
    try:
        for start in range(0, len(content), size):
            reader.feed(content[start : start + size])
    except Unreadable:
        pass
    assert len(reader._buffer) <= 600


@given(st.integers(1, 60))
def test_requests_are_found_however_the_line_cuts_them(size: int) -> None:
    content = b"\r\n$\x00\x00\x02okOPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nSET_PARAMETER a RTSP/1.0\r\nContent-Length: 3\r\n\r\nabc"
    reader, found = Reader(), []
    for start in range(0, len(content), size):
        found += reader.feed(content[start : start + size])
    assert [(request.method, request.sequence) for request in found] == [("OPTIONS", "1"), ("SET_PARAMETER", "")]


@pytest.mark.parametrize(
    "head",
    [
        b"OPTIONS *\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nnonsense\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: 99999\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
        b"O" * (LARGEST_HEAD_BYTES + 1),
    ],
)
def test_what_is_no_request_is_unreadable(head: bytes) -> None:
    with pytest.raises(Unreadable):
        Reader().feed(head)


@pytest.mark.parametrize(
    ("transport", "expected"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=2-3", (2, 3)),
        ("RTP/AVP;unicast;client_port=1-2,RTP/AVP/TCP;unicast;interleaved=4-5", (4, 5)),
        ("rtp/avp/tcp", (0, 1)),
        ("RTP/AVP/TCP;interleaved=7", (7, 7)),
        ("RTP/AVP/TCP;interleaved=300-301", None),
        ("RTP/AVP/TCP;interleaved=a-b", None),
        ("RTP/AVP;unicast", None),
        ("", None),
    ],
)
def test_a_transport_is_taken_or_not(transport: str, expected: tuple[int, int] | None) -> None:
    assert channels(transport) == expected


def test_paths_are_the_same_with_host_track_query_or_slash() -> None:
    for target in ("rtsp://a:1/stream/main", "/stream/main/", "rtsp://u:p@a/stream/main?x=1"):
        assert path_of(target) == "/stream/main"
