from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.sia_dc09.frame import (
    MAX_FRAME_BYTES,
    Frame,
    FrameError,
    FrameFault,
    Junk,
    StreamSplitter,
    ack,
    crc16,
    duh,
    parse_frame,
    seal,
)

BURGLARY = b'\n70B80027"ADM-CID"0007L0#1234[#1234|1130 01 015]\r'
BURGLARY_DATED = b'\n103C003D"ADM-CID"0007R1L0#1234[#1234|1130 01 015]_09:15:18,11-22-2026\r'
SIA_DATED = b'\n1173003A"SIA-DCS"0009L0#1234[#1234|Nri1/BA015]_09:15:18,11-22-2026\r'
NULL = b'\nF4730013"NULL"0008L0#1234[]\r'
ENCRYPTED = (
    b'\n0B740078"*ADM-CID"0010R1L0#ABCD[3C2CE0ACC61B29E8E8961068FBFFA23481371EC2C707ED1F6BCC626D14456E5A'
    b"51B77288904451899AB63FBE4371C2BE\r"
)
AT = datetime(2026, 11, 22, 9, 15, 18, tzinfo=UTC)

GOOD_FRAMES = [BURGLARY, BURGLARY_DATED, SIA_DATED, NULL, ENCRYPTED]


def bare(frame: bytes) -> bytes:
    return frame[1:-1]


def frames_of(found: list[bytes | Junk]) -> list[bytes]:
    return [piece for piece in found if isinstance(piece, bytes)]


def test_crc_gives_the_check_value_of_crc_16_arc() -> None:
    assert crc16(b"123456789") == 0xBB3D


def test_a_plain_burglary_message_is_read() -> None:
    assert parse_frame(bare(BURGLARY)) == Frame(
        token="ADM-CID", encrypted=False, sequence="0007", receiver=None, line="0", account="1234",
        data="#1234|1130 01 015",
    )  # fmt: skip


def test_receiver_and_timestamp_are_read() -> None:
    frame = parse_frame(bare(BURGLARY_DATED))
    assert (frame.receiver, frame.line) == ("1", "0")
    assert (frame.timestamp, frame.sent_at) == ("09:15:18,11-22-2026", AT)


def test_other_kinds_of_message_are_read() -> None:
    assert parse_frame(bare(SIA_DATED)).data == "#1234|Nri1/BA015"
    assert parse_frame(bare(NULL)).token == "NULL"
    assert parse_frame(bare(NULL)).data == ""
    encrypted = parse_frame(bare(ENCRYPTED))
    assert encrypted.encrypted
    assert encrypted.account == "ABCD"
    assert len(encrypted.data) == 96


def test_extended_data_is_kept_beside_the_data() -> None:
    frame = parse_frame(
        bare(seal(b'"ADM-CID"0007L0#1234[#1234|1130 01 015][MAABBCC][IT\xc3\xbcr]_09:15:18,11-22-2026'))
    )
    assert frame.data == "#1234|1130 01 015"
    assert frame.extra == "[MAABBCC][ITür]"
    assert frame.sent_at == AT


def test_a_senseless_time_does_not_hide_the_alarm() -> None:
    frame = parse_frame(bare(seal(b'"ADM-CID"0007L0#1234[#1234|1130 01 015]_25:61:00,13-32-2026')))
    assert frame.data == "#1234|1130 01 015"
    assert frame.timestamp == "25:61:00,13-32-2026"
    assert frame.sent_at is None


def test_replies_equal_the_vectors() -> None:
    assert ack(parse_frame(bare(BURGLARY))) == b'\n04210012"ACK"0007L0#1234[]\r'
    assert ack(parse_frame(bare(BURGLARY_DATED))) == b'\n16BE0014"ACK"0007R1L0#1234[]\r'
    assert duh(parse_frame(bare(BURGLARY))) == b'\n3AFF0012"DUH"0007L0#1234[]\r'


def test_a_reply_has_a_line_even_where_the_panel_left_it_out() -> None:
    frame = parse_frame(bare(seal(b'"ADM-CID"0001#1234[#1234|1130 01 015]')))
    assert b'"ACK"0001L0#1234[]' in ack(frame)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", FrameFault.NO_ENVELOPE),
        (b"GET / HTTP/1.1", FrameFault.NO_ENVELOPE),
        (b'70B81027"ADM-CID"0007L0#1234[#1234|1130 01 015]', FrameFault.NO_ENVELOPE),  # length not 0LLL
        (b'70B80028"ADM-CID"0007L0#1234[#1234|1130 01 015]', FrameFault.LENGTH),
        (b'70B90027"ADM-CID"0007L0#1234[#1234|1130 01 015]', FrameFault.CRC),
        (b'70B80027"ADM-CID"0007L0#1234[#1234|1130 01 016]', FrameFault.CRC),
        (bare(seal(b'"ADM-CID"0007L0#1234')), FrameFault.SHAPE),
        (bare(seal(b'"ADM-CID"0007L0#1234[#1234|1130 01 015')), FrameFault.SHAPE),
        (bare(seal(b'"ADM-CID"07L0#1234[#1234|1130 01 015]')), FrameFault.SHAPE),
        (bare(seal(b'"ADM-CID"0007L0[#1234|1130 01 015]')), FrameFault.SHAPE),
        (bare(seal(b'""0007L0#1234[]')), FrameFault.SHAPE),
    ],
)
def test_a_flawed_frame_is_refused_with_its_fault(raw: bytes, fault: FrameFault) -> None:
    with pytest.raises(FrameError) as caught:
        parse_frame(raw)
    assert caught.value.fault is fault


@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(FrameError):
        parse_frame(raw)


@given(st.binary(max_size=200))
def test_random_bytes_in_a_sound_envelope_are_read_or_refused_and_nothing_else(body: bytes) -> None:
    raw = bare(seal(b'"' + body))
    try:
        frame = parse_frame(raw)
    except FrameError:
        with pytest.raises(FrameError, match="shape"):
            parse_frame(raw)
    else:
        assert parse_frame(bare(ack(frame))).sequence == frame.sequence


@given(st.sampled_from(GOOD_FRAMES), st.data())
def test_one_flipped_bit_is_always_found(frame: bytes, data: st.DataObject) -> None:
    raw = bytearray(bare(frame))
    position = data.draw(st.integers(8, len(raw) - 1))
    raw[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(FrameError):
        parse_frame(bytes(raw))


def test_several_frames_in_one_read_are_all_found() -> None:
    assert StreamSplitter().feed(b"".join(GOOD_FRAMES)) == [bare(frame) for frame in GOOD_FRAMES]


@given(st.lists(st.sampled_from(GOOD_FRAMES), max_size=8), st.data())
def test_however_a_stream_is_cut_the_same_frames_are_found(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frames)
    splitter = StreamSplitter()
    found: list[bytes | Junk] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found.extend(splitter.feed(stream[:size]))
        stream = stream[size:]
    assert found == [bare(frame) for frame in frames]
    assert splitter.end() is None


@given(st.lists(st.binary(max_size=3000), max_size=6))
def test_memory_stays_bounded_and_a_good_frame_after_noise_is_found(noise: list[bytes]) -> None:
    splitter = StreamSplitter()
    for chunk in noise:
        splitter.feed(chunk)
        assert len(splitter._partial) <= MAX_FRAME_BYTES
    assert frames_of(splitter.feed(BURGLARY))[-1] == bare(BURGLARY)


def test_bytes_before_a_frame_are_skipped_and_told_once() -> None:
    splitter = StreamSplitter()
    found = splitter.feed(b"\x16\x03\x01") + splitter.feed(b"more") + splitter.feed(b"!" + NULL)
    assert found == [Junk(b"\x16\x03\x01", "bytes outside a frame"), bare(NULL)]


def test_line_ends_between_frames_are_no_flaw() -> None:
    assert StreamSplitter().feed(b"\r\n" + NULL + b"\n\r\n" + NULL) == [bare(NULL), bare(NULL)]


def test_a_frame_that_begins_inside_another_wins() -> None:
    found = StreamSplitter().feed(b'\n70B80027"ADM-C' + NULL)
    assert [type(piece) for piece in found] == [Junk, bytes]
    assert found[1] == bare(NULL)


def test_an_endless_frame_is_dropped_at_its_bound() -> None:
    splitter = StreamSplitter()
    found = splitter.feed(b"\n" + b"A" * (MAX_FRAME_BYTES + 1))
    assert [type(piece) for piece in found] == [Junk]
    assert splitter._partial == b""
    assert splitter.feed(b"A" * 5000) == []
    assert splitter.feed(NULL) == [bare(NULL)]


def test_a_frame_of_exactly_the_bound_is_found() -> None:
    assert StreamSplitter().feed(b"\n" + b"A" * MAX_FRAME_BYTES + b"\r") == [b"A" * MAX_FRAME_BYTES]


def test_half_a_frame_at_the_end_is_told() -> None:
    splitter = StreamSplitter()
    assert splitter.feed(BURGLARY[:20]) == []
    assert splitter.end() == Junk(BURGLARY[1:20], "the connection ended inside a frame")
