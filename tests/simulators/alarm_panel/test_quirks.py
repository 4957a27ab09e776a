"""Peculiar panels, seen from the other end of the wire byte by byte."""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.alarm_panel import Quirks
from simulators.alarm_panel.cipher import check_key, seal, unseal
from simulators.alarm_panel.frames import ReplyError, crc16_arc, frame, message, parse_reply
from simulators.alarm_panel.quirks import FRAMES_AT_ONCE, NOISE
from tests.conftest import free_port
from tests.simulators.alarm_panel.receivers import ACCOUNT, eventually, running, tasks_end
from tests.simulators.alarm_panel.test_sending import POWER_UP, panel_on

KEY = b"0123456789ABCDEF"
_FRAME = re.compile(rb'\n(?P<crc>[0-9A-Fa-f]{4})0(?P<length>[0-9A-Fa-f]{3})(?P<body>"[^"]+"(?P<seq>\d{4})[^\r]*)\r')


@dataclass
class Ear:
    """Keeps what each read of the socket brought, and acknowledges every sound frame in the clear."""

    port: int
    reads: list[bytes] = field(default_factory=list)

    @property
    def stream(self) -> bytes:
        return b"".join(self.reads)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest = b""
        try:
            while data := await reader.read(4096):
                self.reads.append(data)
                rest += data
                while found := _FRAME.search(rest):
                    rest = rest[found.end() :]
                    body = found["body"]
                    assert int(found["crc"], 16) == crc16_arc(body)
                    assert int(found["length"], 16) == len(body)
                    writer.write(frame(f'"ACK"{found["seq"].decode()}L0#{ACCOUNT}[]'))
        except ConnectionError:
            return
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def ear() -> AsyncIterator[Ear]:
    one = Ear(free_port())
    async with tasks_end():
        server = await asyncio.start_server(one.serve, "127.0.0.1", one.port)
        try:
            yield one
        finally:
            server.close()


async def heard(quirks: Quirks) -> Ear:
    """Everything a panel with these quirks says when it starts."""
    async with ear() as one, running(panel_on(one.port, quirks=quirks)) as panel:
        await eventually(lambda: panel.waiting == 0)
        assert panel.counts.retransmissions == 0
    return one


async def test_without_receiver_field_and_timestamp_a_message_is_as_short_as_can_be() -> None:
    one = await heard(Quirks(without_receiver_field=True, without_timestamp=True))
    assert one.stream.startswith(b"\n")
    assert b'"ADM-CID"0001L0#1234[#1234|1305 00 000]\r' in one.stream
    assert b"_" not in one.stream


async def test_several_frames_go_out_in_one_segment_and_every_one_is_answered() -> None:
    one = await heard(Quirks(several_frames_at_once=True))
    assert one.reads[0].count(b"\n") == FRAMES_AT_ONCE
    assert [int(found["seq"]) for found in _FRAME.finditer(one.stream)] == list(range(1, POWER_UP + 1))


async def test_a_frame_in_pieces_takes_several_reads() -> None:
    one = await heard(Quirks(frames_in_pieces=True))
    assert not one.reads[0].endswith(b"\r")
    assert len(one.reads) > POWER_UP
    assert len(_FRAME.findall(one.stream)) == POWER_UP


async def test_noise_comes_before_every_frame() -> None:
    one = await heard(Quirks(noise_before_frames=True))
    assert one.stream.count(NOISE + b"\n") == POWER_UP


async def test_hexadecimal_digits_can_be_lower_case() -> None:
    one = await heard(Quirks(lower_case_hex=True))
    heads = b"".join(found["crc"] + found["length"] for found in _FRAME.finditer(one.stream))
    assert heads == heads.lower()
    sealed = message("NULL", 1, ACCOUNT, at_ms=0, seal_with=(KEY, random.Random(1)), lower_case_hex=True)
    digits = sealed.partition(b"[")[2].rstrip(b"\r")
    assert digits == digits.lower()
    assert unseal(digits.decode(), KEY).endswith("]_00:00:00,01-01-1970")


async def test_an_acknowledgement_in_the_clear_of_an_encrypted_message_acknowledges_nothing() -> None:
    async with ear() as one, running(panel_on(one.port, key=KEY, reply_timeout_s=0.05)) as panel:
        await eventually(lambda: panel.counts.replies_refused >= 3)
        assert panel.waiting == POWER_UP
    assert b'"*ADM-CID"0001R1L0#1234[' in one.stream
    assert b"1305 00 000" not in one.stream


def test_the_published_ciphertext_is_read_and_an_encrypted_reply_is_checked() -> None:
    published = "3C2CE0ACC61B29E8E8961068FBFFA23481371EC2C707ED1F6BCC626D14456E5A51B77288904451899AB63FBE4371C2BE"
    assert unseal(published, KEY) == "XXXXXXXXX|#ABCD|1121 01 003]_09:15:18,11-22-2026"
    good = seal("]_09:15:18,11-22-2026", KEY, random.Random(1))
    reply = parse_reply(frame(f'"*ACK"0007R1L0#1234[{good}')[1:-1], KEY)
    assert (reply.sequence, reply.encrypted) == (7, True)
    for bad in (
        good[:-2],
        good.lower()[:-1] + "g",
        seal("]", KEY, random.Random(1)),
        seal(f"]{'_'}x", KEY, random.Random(1)),
    ):
        with pytest.raises(ReplyError):
            parse_reply(frame(f'"*ACK"0007R1L0#1234[{bad}')[1:-1], KEY)
    for other in (None, KEY[::-1]):
        with pytest.raises(ReplyError):
            parse_reply(frame(f'"*ACK"0007R1L0#1234[{good}')[1:-1], other)


@given(
    text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80),
    size=st.sampled_from([16, 24, 32]),
    seed=st.integers(0, 1000),
)
def test_what_was_sealed_is_unsealed_behind_padding_that_cannot_be_mistaken(text: str, size: int, seed: int) -> None:
    key = bytes(range(size))
    inside = unseal(seal("|" + text, key, random.Random(seed)), key)
    assert len(inside) % 16 == 0
    padding, _, rest = inside.partition("|")
    assert rest == text
    assert not set(padding) & set("[]|")


def test_a_key_of_another_length_is_refused_without_telling_it() -> None:
    with pytest.raises(ValueError, match="key of 5 bytes: expected 16, 24, 32") as refused:
        check_key(b"12345")
    assert "12345" not in str(refused.value)
