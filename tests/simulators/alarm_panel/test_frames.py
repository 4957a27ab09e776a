"""Frames against vectors that three foreign implementations agree on."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.alarm_panel.contact_id import Code, new, restored
from simulators.alarm_panel.frames import (
    LONGEST_FRAME_BYTES,
    Reply,
    ReplyError,
    ReplyKind,
    ReplySplitter,
    crc16_arc,
    frame,
    message,
    parse_reply,
)

SENT_MS = int(datetime(2026, 11, 22, 9, 15, 18, tzinfo=UTC).timestamp() * 1000)


def test_the_checksum_is_crc_16_arc() -> None:
    assert crc16_arc(b"123456789") == 0xBB3D


def test_a_message_without_receiver_and_time_is_written_as_the_standard_has_it() -> None:
    written = message("ADM-CID", 7, "1234", new(Code.BURGLARY, 1, 15).block(), receiver=None)
    assert written == b'\n70B80027"ADM-CID"0007L0#1234[#1234|1130 01 015]\r'


def test_a_message_with_receiver_and_time_is_written_as_the_standard_has_it() -> None:
    written = message("ADM-CID", 7, "1234", new(Code.BURGLARY, 1, 15).block(), at_ms=SENT_MS + 999)
    assert written == b'\n103C003D"ADM-CID"0007R1L0#1234[#1234|1130 01 015]_09:15:18,11-22-2026\r'


def test_a_supervision_message_is_empty_inside() -> None:
    assert message("NULL", 8, "1234", receiver=None) == b'\nF4730013"NULL"0008L0#1234[]\r'


def test_an_event_that_happened_earlier_carries_its_time_of_occurrence() -> None:
    written = message(
        "ADM-CID", 1, "AB12", restored(Code.MAINS_LOSS).block(), at_ms=SENT_MS, occurred_at_ms=SENT_MS - 60_000
    )
    assert b"[#AB12|3301 00 000][H09:14:18,11-22-2026]_09:15:18,11-22-2026" in written


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        (b'04210012"ACK"0007L0#1234[]', Reply(ReplyKind.ACK, 7, "1234", None)),
        (b'16BE0014"ACK"0007R1L0#1234[]', Reply(ReplyKind.ACK, 7, "1234", None)),
        (b'3AFF0012"DUH"0007L0#1234[]', Reply(ReplyKind.DUH, 7, "1234", None)),
        (b'02A20025"NAK"0000R0L0A0[]_09:15:18,11-22-2026', Reply(ReplyKind.NAK, 0, "", SENT_MS)),
    ],
)
def test_replies_are_read(raw: bytes, reply: Reply) -> None:
    assert parse_reply(raw) == reply


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'04220012"ACK"0007L0#1234[]',
        b'04210013"ACK"0007L0#1234[]',
        frame('"WHAT"0007L0#1234[]')[1:-1],
        frame('"*ACK"0007L0#1234[]')[1:-1],
        frame('"NAK"0000R0L0A0[]_99:15:18,11-22-2026')[1:-1],
        b"\xff\xfe",
    ],
)
def test_what_is_no_reply_is_refused_with_what_came(raw: bytes) -> None:
    with pytest.raises(ReplyError):
        parse_reply(raw)


@given(st.lists(st.integers(1, 9999), min_size=1, max_size=5), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_the_splitter_finds_all_frames_however_the_stream_is_cut(sequences: list[int], cuts: list[int]) -> None:
    stream = b"noise" + b"".join(frame(f'"ACK"{sequence:04d}R1L0#1234[]') for sequence in sequences)
    splitter = ReplySplitter()
    found: list[bytes] = []
    position = 0
    for cut in [*cuts, len(stream)]:
        found += splitter.feed(stream[position : position + cut])
        position += cut
    assert [parse_reply(raw).sequence for raw in found] == sequences


def test_a_frame_without_end_is_given_up() -> None:
    splitter = ReplySplitter()
    assert splitter.feed(b"\n" + b"x" * (LONGEST_FRAME_BYTES + 1)) == []
    assert [parse_reply(raw).sequence for raw in splitter.feed(frame('"ACK"0003R1L0#1234[]'))] == [3]


@given(st.lists(st.binary(max_size=300), max_size=20), st.sampled_from([None, b"0123456789ABCDEF"]))
def test_whatever_a_receiver_sends_is_a_reply_or_refused(chunks: list[bytes], key: bytes | None) -> None:
    splitter = ReplySplitter()
    for raw in (raw for chunk in chunks for raw in splitter.feed(chunk)):
        with contextlib.suppress(ReplyError):
            parse_reply(raw, key)
    assert len(splitter._rest) <= LONGEST_FRAME_BYTES + 300


@given(st.text(max_size=60))
def test_whatever_stands_in_a_sound_frame_is_a_reply_or_refused(text: str) -> None:
    body = text.encode("ascii", "ignore").decode()
    for prefix in ("", '"ACK"0001', '"*ACK"0001L0#1234[', '"NAK"0000R0L0A0[]_'):
        with contextlib.suppress(ReplyError):
            parse_reply(frame(prefix + body)[1:-1], b"0123456789ABCDEF")
