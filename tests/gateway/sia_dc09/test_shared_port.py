"""Several panels of one branch that call the same port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from contracts.devices import ALARM_PANEL
from contracts.errors import DeviceUnreachable
from gateway.drivers.sia_dc09 import Settings, create
from gateway.drivers.sia_dc09.frame import seal
from gateway.drivers.sia_dc09.listening_post import MOST_CONNECTIONS, _posts
from runtime.clock import SystemClock
from tests.conftest import free_port
from tests.gateway.sia_dc09.datagram_panel import datagram_panel
from tests.gateway.sia_dc09.recording_sink import RecordingSink
from tests.gateway.sia_dc09.test_driver import reply, running


def alarm(account: str, number: int) -> bytes:
    return seal(f'"ADM-CID"{number:04d}L0#{account}[#{account}|1130 01 {number:03d}]'.encode())


class Branch:
    """Drivers by account, all on one port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.sinks: dict[str, RecordingSink] = {}
        self._ends: dict[str, AsyncExitStack] = {}

    async def begin(self, account: str, **chosen: object) -> None:
        sink = self.sinks[account] = RecordingSink(ALARM_PANEL)
        stack = AsyncExitStack()
        await stack.enter_async_context(running(sink, listen_port=self.port, account=account, **chosen))
        self._ends[account] = stack

    async def end(self, account: str) -> None:
        await self._ends.pop(account).aclose()

    async def end_all(self) -> None:
        for account in list(self._ends):
            await self.end(account)

    def events(self, account: str) -> list[float | str]:
        return self.sinks[account].all("panel/event")


@asynccontextmanager
async def branch(*accounts: str, **chosen: object) -> AsyncIterator[Branch]:
    made = Branch()
    try:
        for account in accounts:
            await made.begin(account, **chosen)
        yield made
    finally:
        await made.end_all()
    assert not _posts.get(asyncio.get_running_loop())


@asynccontextmanager
async def call(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_each_message_reaches_the_driver_of_its_account() -> None:
    async with branch("1234", "ABCD", "777") as made:
        for account in ("ABCD", "777", "1234"):
            async with call(made.port) as (reader, writer):
                for number in (1, 2):
                    writer.write(alarm(account, number))
                    assert f'"ACK"{number:04d}L0#{account}[]'.encode() in await reply(reader)
        for account in made.sinks:
            assert made.events(account) == ["ADM-CID 1130 01 001", "ADM-CID 1130 01 002"]
            assert made.sinks[account].refused == []


async def test_panels_behind_one_connection_are_told_apart() -> None:
    async with branch("1234", "ABCD") as made, call(made.port) as (reader, writer):
        writer.write(alarm("ABCD", 1) + alarm("1234", 2) + alarm("abcd", 3))
        answers = [await reply(reader) for _ in range(3)]
        assert [b"#ABCD" in answer for answer in answers] == [True, False, True]
        assert made.events("ABCD") == ["ADM-CID 1130 01 001", "ADM-CID 1130 01 003"]
        assert made.events("1234") == ["ADM-CID 1130 01 002"]


async def test_datagrams_are_told_apart() -> None:
    async with branch("1234", "ABCD", transport="udp") as made, datagram_panel(made.port) as panel:
        assert b"#ABCD[]" in await panel.ask(alarm("ABCD", 1))
        assert b"#1234[]" in await panel.ask(alarm("1234", 2))
        assert made.events("ABCD") == ["ADM-CID 1130 01 001"]
        assert made.events("1234") == ["ADM-CID 1130 01 002"]


async def test_a_stranger_is_refused_once_and_answered_as_the_first_panel_says() -> None:
    async with branch("1234", "ABCD", unidentified="nak") as made, call(made.port) as (reader, writer):
        writer.write(alarm("9999", 1))
        assert b'"NAK"0000R0L0A0[]_' in await reply(reader)
        assert len(made.sinks["1234"].refused) == 1
        assert "account 9999, expected 1234 or another" in str(made.sinks["1234"].refused[0][1])
        assert made.sinks["ABCD"].refused == []


async def test_a_panel_keeps_its_connection_when_the_driver_that_accepted_it_ends() -> None:
    async with branch("1234", "ABCD") as made, call(made.port) as (reader, writer):
        writer.write(alarm("ABCD", 1))
        await reply(reader)
        await made.end("1234")
        writer.write(alarm("ABCD", 2))
        assert b'"ACK"0002' in await reply(reader)
        await made.begin("1234")
        writer.write(alarm("1234", 3))
        assert b'"ACK"0003L0#1234' in await reply(reader)


async def test_a_panels_connection_ends_with_its_driver_and_the_others_go_on() -> None:
    async with branch("1234", "ABCD") as made:
        async with call(made.port) as (reader, writer), call(made.port) as (other, other_writer):
            writer.write(alarm("ABCD", 1))
            await reply(reader)
            other_writer.write(alarm("1234", 1))
            await reply(other)
            await made.end("ABCD")
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            other_writer.write(alarm("1234", 2))
            assert b'"ACK"0002' in await reply(other)
        async with call(made.port) as (reader, writer):
            writer.write(alarm("ABCD", 2) + alarm("1234", 3))
            assert b'"ACK"0003' in await reply(reader), "nobody answers for a panel without a driver"
        assert len(made.sinks["1234"].refused) == 1


async def test_one_panels_full_sink_keeps_no_other_panel_waiting() -> None:
    async with branch("1234", "ABCD") as made, call(made.port) as (reader, writer):
        made.sinks["1234"].is_full = True
        writer.write(alarm("1234", 1) + alarm("ABCD", 2))
        assert b'"ACK"0002L0#ABCD' in await reply(reader)
        made.sinks["1234"].is_full = False
        writer.write(alarm("1234", 1))
        assert b'"ACK"0001L0#1234' in await reply(reader)


async def test_connections_that_say_nothing_give_way_to_those_of_panels() -> None:
    async with branch("1234", "ABCD") as made, call(made.port) as (reader, writer), AsyncExitStack() as silent:
        writer.write(alarm("ABCD", 1))
        await reply(reader)
        for _ in range(MOST_CONNECTIONS * 3):
            await silent.enter_async_context(call(made.port))
        async with call(made.port) as (late, late_writer):
            late_writer.write(alarm("1234", 1))
            assert b'"ACK"0001' in await reply(late)
        writer.write(alarm("ABCD", 2))
        assert b'"ACK"0002' in await reply(reader)


async def test_two_drivers_of_one_account_on_one_port_say_what_to_do() -> None:
    async with branch("abcd") as made:
        other = create(Settings(listen_port=made.port, account="ABCD"), ALARM_PANEL, SystemClock())
        with pytest.raises(DeviceUnreachable, match=r"two alarm panels of account ABCD .*give each panel an account"):
            await other.run(RecordingSink(ALARM_PANEL))
        async with call(made.port) as (reader, writer):
            writer.write(alarm("ABCD", 1))
            assert b'"ACK"0001' in await reply(reader)


async def test_drivers_that_come_and_go_at_once_leave_the_port_working() -> None:
    async with branch("1234", transport="both") as made:
        for _ in range(10):
            ends = asyncio.create_task(made.end("1234"))
            begins = asyncio.create_task(made.begin("ABCD", transport="both"))
            await asyncio.gather(ends, begins)
            async with call(made.port) as (reader, writer):
                writer.write(alarm("ABCD", 1))
                assert b'"ACK"0001' in await reply(reader)
            await made.end("ABCD")
            await made.begin("1234", transport="both")
            async with call(made.port) as (reader, writer):
                writer.write(alarm("1234", 1))
                assert b'"ACK"0001' in await reply(reader)
