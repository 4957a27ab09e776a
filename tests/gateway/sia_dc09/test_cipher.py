import re
from datetime import UTC, datetime

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.sia_dc09 import reply
from gateway.drivers.sia_dc09.cipher import KEY_BYTES, NotDeciphered, PanelCipher
from gateway.drivers.sia_dc09.frame import Frame, FrameError, parse_frame, seal
from tests.gateway.sia_dc09.test_frame import AT, ENCRYPTED, NOW_MS, bare

KEY = b"0123456789ABCDEF"

KEYS = st.sampled_from(KEY_BYTES).flatmap(lambda size: st.binary(min_size=size, max_size=size))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="[]|"), max_size=60)


def encrypted(cipher: PanelCipher, content: str, token: str = "ADM-CID") -> bytes:
    return seal(f'"*{token}"0010R1L0#ABCD[{cipher.encipher(content)}'.encode())


def with_data(data: str) -> Frame:
    return Frame("ADM-CID", encrypted=True, sequence="0010", receiver="1", line="0", account="ABCD", data=data)


def test_the_vector_is_deciphered() -> None:
    frame = PanelCipher(KEY).decipher(parse_frame(bare(ENCRYPTED)))
    assert frame == Frame(
        token="ADM-CID", encrypted=True, sequence="0010", receiver="1", line="0", account="ABCD",
        data="#ABCD|1121 01 003", timestamp="09:15:18,11-22-2026", sent_at=AT,
    )  # fmt: skip


def test_a_message_without_data_is_deciphered_with_its_bar_and_without() -> None:
    cipher = PanelCipher(KEY)
    for content in ("]_09:15:18,11-22-2026", "|]_09:15:18,11-22-2026"):
        frame = cipher.decipher(parse_frame(bare(encrypted(cipher, content, "NULL"))))
        assert (frame.data, frame.extra, frame.sent_at) == ("", "", AT)


def test_padding_of_a_whole_block_is_deciphered() -> None:
    cipher = PanelCipher(KEY)
    content = f"{'X' * 16}|#ABCD|1121 01 003]_09:15:18,11-22-2026"
    assert cipher.decipher(with_data(cipher.encipher(content))).data == "#ABCD|1121 01 003"


@given(KEYS, TEXTS, TEXTS)
def test_what_is_enciphered_is_deciphered_with_every_length_of_key(key: bytes, text: str, extra: str) -> None:
    cipher = PanelCipher(key)
    raw = bare(encrypted(cipher, f"|#ABCD|{text}][I{extra}]_09:15:18,11-22-2026"))
    frame = cipher.decipher(parse_frame(raw))
    assert (frame.data, frame.extra, frame.sent_at) == (f"#ABCD|{text}", f"[I{extra}]", AT)


@given(KEYS)
def test_another_key_does_not_fit(key: bytes) -> None:
    if key != KEY:
        with pytest.raises(NotDeciphered, match="compare the key"):
            PanelCipher(key).decipher(parse_frame(bare(ENCRYPTED)))


@given(st.integers(0, 8 * 48 - 1))
def test_a_flipped_bit_in_the_ciphertext_is_never_taken_for_another_time(bit: int) -> None:
    ciphertext = bytearray.fromhex(parse_frame(bare(ENCRYPTED)).data)
    ciphertext[bit // 8] ^= 1 << (bit % 8)
    try:
        frame = PanelCipher(KEY).decipher(with_data(ciphertext.hex()))
    except NotDeciphered:
        return
    # A flip in one block garbles it and shows in the next; the time is in the last two.
    assert frame.sent_at == AT or frame.data != "#ABCD|1121 01 003" or frame.sent_at is None


@given(st.integers(0, 96))
def test_a_cut_ciphertext_is_refused(length: int) -> None:
    data = parse_frame(bare(ENCRYPTED)).data
    if length < len(data):
        with pytest.raises(NotDeciphered):
            PanelCipher(KEY).decipher(with_data(data[:length]))


@given(st.text(max_size=100))
def test_what_is_no_ciphertext_is_refused(data: str) -> None:
    with pytest.raises(NotDeciphered):
        PanelCipher(KEY).decipher(with_data(data))


@given(st.binary(max_size=96))
def test_random_ciphertext_is_refused_or_read_and_nothing_else(data: bytes) -> None:
    with pytest.raises(NotDeciphered):
        PanelCipher(KEY).decipher(with_data(data.hex()))


def test_the_answer_to_an_encrypted_message_is_encrypted_and_has_the_time() -> None:
    cipher = PanelCipher(KEY)
    answer = parse_frame(bare(reply.ack(parse_frame(bare(ENCRYPTED)), NOW_MS, cipher)))
    assert (answer.token, answer.encrypted, answer.sequence) == ("ACK", True, "0010")
    assert (answer.receiver, answer.line, answer.account) == ("1", "0", "ABCD")
    opened = cipher.decipher(answer)
    assert (opened.data, opened.sent_at) == ("", AT)


def test_two_answers_to_the_same_message_differ() -> None:
    cipher = PanelCipher(KEY)
    assert len({cipher.encipher("]_09:15:18,11-22-2026") for _ in range(8)}) > 1


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)))  # noqa: DTZ001  (Hypothesis wants them naive)
def test_the_time_of_an_answer_is_read_back(at: datetime) -> None:
    now_ms = round(at.replace(tzinfo=UTC, microsecond=0).timestamp() * 1000)
    cipher = PanelCipher(KEY)
    answer = cipher.decipher(parse_frame(bare(reply.ack(parse_frame(bare(ENCRYPTED)), now_ms, cipher))))
    assert answer.sent_at == at.replace(tzinfo=UTC, microsecond=0)


def test_the_vector_with_a_flipped_bit_is_found_by_its_checksum() -> None:
    raw = bytearray(bare(ENCRYPTED))
    raw[60] ^= 1
    with pytest.raises(FrameError, match="crc"):
        parse_frame(bytes(raw))


@given(KEYS)
def test_another_implementation_of_aes_reads_our_answers(key: bytes) -> None:
    answer = parse_frame(bare(reply.ack(parse_frame(bare(ENCRYPTED)), NOW_MS, PanelCipher(key))))
    plain = AES.new(key, AES.MODE_CBC, bytes(16)).decrypt(bytes.fromhex(answer.data))
    assert re.fullmatch(rb"[^\[\]|]{0,16}\]_09:15:18,11-22-2026", plain)
