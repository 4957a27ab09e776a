"""Tens of thousands of bad frames and thousands of connections: refused, counted, and nothing grows."""

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pytest

from contracts.devices import ALARM_PANEL
from contracts.errors import DeviceError
from gateway.driver import Observation
from gateway.drivers.sia_dc09.frame import seal
from gateway.drivers.sia_dc09.receiver import Receiver
from gateway.drivers.sia_dc09.settings import Settings
from gateway.drivers.sia_dc09.stream import Junk, StreamSplitter
from runtime.clock import SystemClock
from tests.gateway.sia_dc09.datagram_panel import datagram_panel
from tests.gateway.sia_dc09.recording_sink import RecordingSink
from tests.gateway.sia_dc09.test_driver import NULL, alarm, reply, running

BAD_FRAMES = 50_000
CONNECTIONS = 2_000
SLACK_BYTES = 600_000
"""Far above what a table of constant size takes, far below 12 bytes for each bad frame."""


class CountingSink(RecordingSink):
    """Counts, and keeps nothing, so that what grows is the driver's."""

    def __init__(self) -> None:
        super().__init__(ALARM_PANEL)
        self.count = 0

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        await super().observe(observations, keep)
        del self.taken[:-200]

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:
        self.count += 1


def bad_frame(chance: random.Random, number: int) -> bytes:
    """One of the ways in which a frame can be wrong."""
    account = f"{chance.randrange(16**8):08X}"
    match number % 8:
        case 0:
            return chance.randbytes(chance.randrange(1, 200)).replace(b"\n", b"").replace(b"\r", b"")
        case 1:
            return alarm(number % 10_000)[1:-1].replace(b"1130", b"1131")  # CRC
        case 2:
            return alarm(number % 10_000)[1 : chance.randrange(2, 40)]  # cut
        case 3:
            return seal(f'"NULL"0001L0#{account}[]'.encode())[1:-1]  # a stranger
        case 4:
            return seal(f'"*ADM-CID"0001L0#1234[{chance.randbytes(48).hex()}'.encode())[1:-1]  # another key
        case 5:
            return seal(f'"ADM-CID"0001L0#1234[#1234|{account}]'.encode())[1:-1]  # no event
        case 6:
            return seal(f'"X{account[:4]}"0001L0#1234[#1234|1130 01 001]'.encode())[1:-1]  # another format
        case _:
            return seal(f'"SIA-DCS"0001L0#1234[#1234|N{account}!]'.encode())[1:-1]


def traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_memory_stays_flat_under_fifty_thousand_bad_frames() -> None:
    sink = CountingSink()
    chosen = Settings.model_validate(
        {"listen_port": 1, "account": "1234", "key_ascii": "0123456789ABCDEF", "require_encryption": False}
    )
    receiver = Receiver(chosen, SystemClock())
    chance = random.Random(3)
    splitter = StreamSplitter()

    streams = [  # made before anything is traced, which makes all that allocates several times as slow
        chance.choice([b"", b"noise"]) + b"\n" + bad_frame(chance, number) + b"\r" for number in range(BAD_FRAMES)
    ]

    async def feed(first: int, last: int) -> None:
        for stream in streams[first:last]:
            for piece in splitter.feed(stream):
                if isinstance(piece, Junk):
                    receiver.refuse_junk(piece, sink)
                else:
                    answer = await receiver.take(piece, sink)
                    assert not answer.is_good
                    assert b"ACK" not in answer.reply

    tracemalloc.start()
    try:
        await feed(0, 2_000)
        before = traced()
        await feed(2_000, BAD_FRAMES)
        grown = traced() - before
    finally:
        tracemalloc.stop()
    assert sink.count >= BAD_FRAMES * 0.9
    assert grown < SLACK_BYTES, f"{grown} bytes more after {BAD_FRAMES} bad frames"
    assert (await receiver.take(alarm(1)[1:-1], sink)).is_good


async def test_memory_stays_flat_under_thousands_of_connections() -> None:
    sink = CountingSink()

    async def call(port: int, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            match number % 4:
                case 0:
                    writer.write(b"\nhalf a frame")
                case 1:
                    writer.write(b"\nbad\r" * 20)
                    await writer.drain()
                case 2:
                    writer.write(NULL)
                    await reply(reader)
                case _:
                    writer.transport.abort()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with running(sink) as port:
        for number in range(400):
            await call(port, number)
        tracemalloc.start()
        try:
            for number in range(200):
                await call(port, number)
            before = traced()
            for number in range(CONNECTIONS):
                await call(port, number)
            grown = traced() - before
        finally:
            tracemalloc.stop()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(alarm(1))
        assert b'"ACK"0001' in await reply(reader)
        writer.close()
        await writer.wait_closed()
    assert grown < SLACK_BYTES, f"{grown} bytes more after {CONNECTIONS} connections"


@pytest.mark.parametrize("size", [1, 100, 1500, 9000])
async def test_memory_stays_flat_under_thousands_of_datagrams(size: int) -> None:
    sink = CountingSink()
    chance = random.Random(size)
    async with running(sink, transport="udp") as port, datagram_panel(port) as panel:

        async def flood(count: int) -> None:
            for number in range(count):
                panel.send(b"\n" + bad_frame(chance, number)[:size] + b"\r" + chance.randbytes(size))
                if number % 50 == 0:
                    await asyncio.sleep(0)

        await flood(500)
        tracemalloc.start()
        try:
            before = traced()
            await flood(2_000)
            grown = traced() - before
        finally:
            tracemalloc.stop()
        async with asyncio.timeout(10):
            while b'"ACK"0001' not in await panel.ask(alarm(1)):
                pass
    assert sink.count > 100
    assert grown < SLACK_BYTES, f"{grown} bytes more"


async def test_what_a_panel_may_say_is_bounded_in_what_it_leaves_behind() -> None:
    """A panel gone mad that sends every code for every zone: its state is large, but it has an end."""
    sink = CountingSink()
    receiver = Receiver(Settings(listen_port=1, account="1234"), SystemClock())
    chance = random.Random(5)
    for number in range(3_000):
        area, zone = chance.randrange(10_000), chance.randrange(100_000)
        raw = seal(f'"SIA-DCS"{number:04d}L0#1234[#1234|Nri{area}/BA{zone}/TA{zone}]'.encode())[1:-1]
        assert (await receiver.take(raw, sink)).is_good
    paths = {key.partition("/")[2] for key in sink.memory if key.startswith("word/")}
    assert paths
    zones = {int(path.partition("/")[0].removeprefix("zone")) for path in paths if path.startswith("zone")}
    assert max(zones) <= 1000
    areas = {int(path.partition("/")[0].removeprefix("area")) for path in paths if path.startswith("area")}
    assert max(areas, default=0) <= 99
