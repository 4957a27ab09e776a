from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.sia_dc09 import reply
from gateway.drivers.sia_dc09.frame import Frame, FrameError, FrameFault, account_of, crc16, parse_frame, seal

BURGLARY = b'\n70B80027"ADM-CID"0007L0#1234[#1234|1130 01 015]\r'
BURGLARY_DATED = b'\n103C003D"ADM-CID"0007R1L0#1234[#1234|1130 01 015]_09:15:18,11-22-2026\r'
SIA_DATED = b'\n1173003A"SIA-DCS"0009L0#1234[#1234|Nri1/BA015]_09:15:18,11-22-2026\r'
NULL = b'\nF4730013"NULL"0008L0#1234[]\r'
ENCRYPTED = (
    b'\n0B740078"*ADM-CID"0010R1L0#ABCD[3C2CE0ACC61B29E8E8961068FBFFA23481371EC2C707ED1F6BCC626D14456E5A'
    b"51B77288904451899AB63FBE4371C2BE\r"
)
AT = datetime(2026, 11, 22, 9, 15, 18, tzinfo=UTC)
NOW_MS = round(AT.timestamp() * 1000)

GOOD_FRAMES = [BURGLARY, BURGLARY_DATED, SIA_DATED, NULL, ENCRYPTED]


def bare(frame: bytes) -> bytes:
    return frame[1:-1]


def ack(frame: bytes) -> bytes:
    return reply.ack(parse_frame(bare(frame)), NOW_MS, None)


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
    assert ack(BURGLARY) == b'\n04210012"ACK"0007L0#1234[]\r'
    assert ack(BURGLARY_DATED) == b'\n16BE0014"ACK"0007R1L0#1234[]\r'
    assert reply.duh(parse_frame(bare(BURGLARY))) == b'\n3AFF0012"DUH"0007L0#1234[]\r'
    assert reply.nak(NOW_MS) == b'\n02A20025"NAK"0000R0L0A0[]_09:15:18,11-22-2026\r'


def test_a_reply_has_a_line_even_where_the_panel_left_it_out() -> None:
    assert b'"ACK"0001L0#1234[]' in ack(seal(b'"ADM-CID"0001#1234[#1234|1130 01 015]'))


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
        assert parse_frame(bare(reply.ack(frame, NOW_MS, None))).sequence == frame.sequence


@given(st.sampled_from(GOOD_FRAMES), st.data())
def test_one_flipped_bit_is_always_found(frame: bytes, data: st.DataObject) -> None:
    raw = bytearray(bare(frame))
    position = data.draw(st.integers(8, len(raw) - 1))
    raw[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(FrameError):
        parse_frame(bytes(raw))


def test_hexadecimal_digits_in_small_letters_are_understood() -> None:
    body = b'"SIA-DCS"000aRabLcd#abcd[#abcd|Nri1/BA015]'
    raw = b"%04x%04x%b" % (crc16(body), len(body), body)
    frame = parse_frame(raw)
    assert (frame.sequence, frame.receiver, frame.line, frame.account) == ("000a", "ab", "cd", "ABCD")


def test_names_in_the_old_encoding_of_china_are_read() -> None:
    body = '"SIA-DCS"0001L0#1234[#1234|Nri1/BA015^金库^]'.encode("gb18030")
    assert parse_frame(bare(seal(body))).data == "#1234|Nri1/BA015^金库^"


@given(st.sampled_from(GOOD_FRAMES))
def test_the_account_is_found_before_the_frame_is_checked(frame: bytes) -> None:
    assert account_of(bare(frame)) == parse_frame(bare(frame)).account


@given(st.binary(max_size=100))
def test_random_bytes_seem_to_be_of_no_account(raw: bytes) -> None:
    assert account_of(raw) is None
