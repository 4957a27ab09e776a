"""RTSP and RTP as bytes: what is read, what is refused, and that nothing grows."""

import random
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DeviceMisbehaved
from gateway.drivers.onvif.rtp import PacketCount
from gateway.drivers.onvif.rtsp_authorization import authorization, choose
from gateway.drivers.onvif.rtsp_message import (
    BODY_MOST_BYTES,
    HEAD_MOST_BYTES,
    Answer,
    Packet,
    Receiver,
    write_request,
)
from gateway.drivers.onvif.session_description import find_video
from gateway.drivers.onvif.stream_probe import stream_url

OPTIONS = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE, PLAY\r\n\r\n"
DESCRIBE = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nv=0\r\n"
ANNOUNCE = b"OPTIONS rtsp://h/s RTSP/1.0\r\nCSeq: 9\r\n\r\n"


def frame(channel: int, data: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(data).to_bytes(2, "big") + data


def rtp(number: int, size: int = 20) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, number % 65536, 0, 7) + bytes(size)


@given(
    st.lists(st.sampled_from([OPTIONS, DESCRIBE, ANNOUNCE, frame(0, rtp(1)), frame(1, b""), b"\r\n"]), max_size=12),
    st.data(),
)
def test_messages_and_packets_are_read_wherever_they_are_cut(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    whole = Receiver().feed(stream)
    receiver, pieces, at = Receiver(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, 40))
        pieces += receiver.feed(stream[at : at + size])
        at += size
    assert pieces == whole
    assert len(whole) == sum(part not in {b"\r\n", ANNOUNCE} for part in parts)
    assert sum(isinstance(item, Packet) for item in whole) == sum(part.startswith(b"$") for part in parts)


def test_headers_are_found_in_whatever_case_and_may_repeat() -> None:
    answer = Receiver().feed(
        b"RTSP/1.0 401 Unauthorized\r\nCSEQ: 7\r\nWWW-Authenticate: a\r\nwww-authenticate: b\r\n\r\n"
    )[0]
    assert isinstance(answer, Answer)
    assert (answer.status, answer.cseq) == (401, 7)
    assert answer.headers["www-authenticate"] == ["a", "b"]


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"<html>",
        b"\x00\x01\x02",
        b"RTSP/1.0 abc OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nno colon\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_MOST_BYTES + 1),
        b"RTSP/1.0 200 OK\r\n" + b"a: b\r\n" * 100 + b"\r\n",
        b"RTSP/1.0 200 OK\r\nx: " + b"y" * HEAD_MOST_BYTES,
    ],
)
def test_what_is_no_rtsp_is_refused(sent: bytes) -> None:
    with pytest.raises(DeviceMisbehaved, match="RTSP"):
        Receiver().feed(sent)


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_random_bytes_are_read_or_refused_and_nothing_else(chunks: list[bytes]) -> None:
    receiver = Receiver()
    try:
        for chunk in chunks:
            receiver.feed(chunk)
    except DeviceMisbehaved:
        return
    assert len(receiver._buffer) <= HEAD_MOST_BYTES + BODY_MOST_BYTES


def test_memory_stays_flat_over_tens_of_thousands_of_bad_frames() -> None:
    chance = random.Random(5)
    seeds = [OPTIONS, DESCRIBE, frame(0, rtp(3)), b"RTSP/1.0 200 OK\r\nContent-Length: 60000\r\n\r\n", b"\xff" * 50]

    def refuse(times: int) -> int:
        refused = 0
        for _ in range(times):
            sent = bytearray(chance.choice(seeds))
            sent[chance.randrange(len(sent))] = chance.randrange(256)
            receiver, count = Receiver(), PacketCount()
            try:
                for item in receiver.feed(bytes(sent)) + receiver.feed(chance.randbytes(30)):
                    if isinstance(item, Packet):
                        count.add(item.data)
            except DeviceMisbehaved:
                refused += 1
        return refused

    refuse(2000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert refuse(30_000) > 10_000
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000


# -- RTP ---------------------------------------------------------------------------------------------------------------


def counted(*numbers: int) -> PacketCount:
    count = PacketCount()
    for number in numbers:
        count.add(rtp(number))
    return count


def test_gaps_in_the_numbers_are_lost_packets() -> None:
    assert counted(*range(100)).loss == 0
    assert counted(*(number for number in range(100) if number not in {10, 11, 50})).loss == pytest.approx(0.03)


@given(st.integers(0, 65535), st.integers(2, 300), st.sets(st.integers(1, 298), max_size=40))
def test_numbers_wrap_without_loss(first: int, length: int, missing: set[int]) -> None:
    missing = {number for number in missing if number < length - 1}
    count = counted(*(first + number for number in range(length) if number not in missing))
    assert count.loss == pytest.approx(len(missing) / length)


def test_late_and_doubled_packets_are_no_loss() -> None:
    assert counted(1, 2, 4, 3, 5).loss == 0
    assert counted(1, 2, 2, 2, 3).loss == 0
    assert counted(1, 2, 40_000, 40_001).loss == 0  # the camera counts anew


@given(st.lists(st.binary(max_size=40), max_size=50))
def test_any_packets_give_a_loss_between_none_and_all(packets: list[bytes]) -> None:
    count = PacketCount()
    for packet in packets:
        count.add(packet)
    assert 0 <= count.loss <= 1
    assert count.packets + count.malformed == len(packets)


# -- challenges --------------------------------------------------------------------------------------------------------

RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
CLIENT_NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def answered(offers: list[str], password: str = "Circle of Life") -> str:
    challenge = choose(offers, basic_allowed=False)
    assert challenge is not None
    return authorization(
        challenge, "Mufasa", password, "GET", "/dir/index.html", count=1, client_nonce=CLIENT_NONCE
    )  # fmt: skip


def test_the_examples_of_the_standard_are_answered_as_it_says() -> None:
    md5, sha256 = RFC_7616.format("MD5"), RFC_7616.format("SHA-256")
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in answered([md5])
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in answered([sha256])
    assert "algorithm=SHA-256" in answered([md5, sha256])
    assert "algorithm=SHA-256" in answered([f"{md5}, {sha256}"])


def test_the_old_form_without_qop_is_answered() -> None:
    # Source: RFC 2069 section 2.4, with the response as its erratum 749 gives it.
    offer = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"'
    given_ = answered([offer], "CircleOfLife")
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in given_
    assert "cnonce" not in given_
    assert 'opaque="5ccc"' in given_


def test_the_password_is_not_given_readable_unless_that_is_allowed() -> None:
    assert choose(['Basic realm="x"'], basic_allowed=False) is None
    basic = choose(['Basic realm="x"'], basic_allowed=True)
    assert basic is not None
    assert authorization(basic, "a", "b", "GET", "/", count=1, client_nonce="") == "Basic YTpi"
    both = choose(['Basic realm="x"', 'Digest realm="x", nonce="1"'], basic_allowed=True)
    assert both is not None
    assert both.scheme == "digest"
    assert choose(['Digest realm="x", nonce="1", algorithm=SHA-512'], basic_allowed=True) is None


@given(st.lists(st.one_of(st.text(max_size=100), st.text(max_size=60).map('Digest nonce="{}", '.format)), max_size=4))
def test_any_challenge_is_answered_or_left(offers: list[str]) -> None:
    challenge = choose(offers, basic_allowed=True)
    if challenge is not None:
        value = authorization(challenge, "u", "p", "PLAY", "rtsp://h/", count=1, client_nonce="c")
        assert "\r" not in value
        assert "\n" not in value


# -- descriptions and addresses ------------------------------------------------------------------------------------------


def test_the_video_track_is_found_with_its_control() -> None:
    description = (
        b"v=0\r\na=control:*\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\nm=video 0 RTP/AVP 96\r\na=control:track2\r\n"
    )
    track = find_video(description, "rtsp://h/s/")
    assert track is not None
    assert (track.track_url, track.session_url) == ("rtsp://h/s/track2", "rtsp://h/s/")
    absolute = find_video(b"m=video 0 RTP/AVP 96\na=control:rtsp://h/s/trackID=1\n", "rtsp://h/s")
    assert absolute is not None
    assert absolute.track_url == "rtsp://h/s/trackID=1"
    assert find_video(b"m=audio 0 RTP/AVP 0\r\n", "rtsp://h/s") is None


@given(st.binary(max_size=400))
def test_any_description_is_read(description: bytes) -> None:
    find_video(description, "rtsp://h/s")


def test_a_stream_is_asked_for_at_the_configured_host_without_the_cameras_own_credentials() -> None:
    assert stream_url("rtsp://admin:pw@192.0.2.9:8554/s?x=1", "cam.local") == "rtsp://cam.local:8554/s?x=1"
    assert stream_url("rtsp://192.0.2.9/s", "fe80::1") == "rtsp://[fe80::1]/s"


@pytest.mark.parametrize(
    "said", ["", "http://h/s", "rtsp://", "rtsp://h:99999/s", "rtsp://h/a b", "rtsp://[h/s", "rtsp://h/\r\nX: y"]
)
def test_what_is_no_stream_address_is_refused(said: str) -> None:
    with pytest.raises(DeviceMisbehaved, match="stream URL"):
        stream_url(said, "h")


@given(st.text(max_size=60))
def test_any_text_is_a_stream_address_or_refused(said: str) -> None:
    try:
        url = stream_url(f"rtsp://{said}", "h")
    except DeviceMisbehaved:
        return
    assert url.startswith("rtsp://h")


def test_a_url_that_would_end_its_line_is_not_sent() -> None:
    with pytest.raises(DeviceMisbehaved, match="URL"):
        write_request("SETUP", "rtsp://h/s\r\nX: y", 1, {})
