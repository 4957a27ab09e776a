"""The uplink against a real broker: newest first, backlog behind, again on request, bounded, over restarts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contracts.gateway_messages import DeviceEntry, Inventory, ResendRequest, parse_inventory, parse_status
from contracts.reading import Reading
from contracts.topics import Channel, topic
from gateway.metrics import GatewayMetrics
from gateway.outbox import Outbox
from gateway.settings import UplinkSettings
from gateway.uplink import Uplink
from runtime.broker import EmbeddedBroker
from runtime.clock import SystemClock
from runtime.settings import BrokerSettings
from tests.conftest import free_port
from tests.gateway.core.wire import BRANCH, Listener, new_outbox, reading

INVENTORY = Inventory(branch_id=BRANCH, devices=(DeviceEntry(id="gateway", kind="gateway", driver="gateway"),))
QUICK = UplinkSettings(flush_s=0.05, max_readings=3, backfill_readings_per_s=100_000)


async def snapshot_of_nothing() -> None:
    return


@asynccontextmanager
async def running(
    broker: BrokerSettings,
    outbox: Outbox,
    settings: UplinkSettings = QUICK,
    snapshot: Callable[[], Awaitable[None]] = snapshot_of_nothing,
    metrics: GatewayMetrics | None = None,
) -> AsyncIterator[Uplink]:
    """An uplink in its orderly life: started, run, cancelled, stopped."""
    metrics = metrics or GatewayMetrics(CollectorRegistry())
    uplink = Uplink(
        BRANCH,
        "0.1.0",
        settings,
        broker,
        outbox,
        SystemClock(),
        metrics,
        inventory=lambda: INVENTORY,
        snapshot=snapshot,
    )
    await uplink.start()
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        task.cancel()
        await asyncio.wait([task])
        await uplink.stop()
    assert task.cancelled(), task.exception()


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    made = new_outbox(tmp_path / "outbox.db", pack_readings=3)
    await made.start()
    yield made
    await made.stop()


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout_s: float = 15) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            result = condition()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.01)


def snapshot_into(outbox: Outbox) -> Callable[[], Awaitable[None]]:
    async def snapshot() -> None:
        now_ms = SystemClock().now_ms()
        await outbox.store([Reading(f"{BRANCH}/atm-01", "link/state", "up", now_ms, None, 60)], urgent=False)

    return snapshot


async def test_a_gateway_greets_then_sends_the_newest_state_and_the_backlog_behind_it(
    broker: BrokerSettings, outbox: Outbox
) -> None:
    for number in range(7):
        await outbox.store([reading(number)], urgent=False)
    async with Listener(broker) as listener:
        async with running(broker, outbox, snapshot=snapshot_into(outbox)):
            await listener.until(lambda: has_packs(listener, 4))
            await outbox.store([reading(100)], urgent=True)
            await listener.until(lambda: has_packs(listener, 5))
        await listener.until(lambda: statuses(listener) == [True, False])
        assert listener.packs(Channel.TELEMETRY)[0].names == [f"{BRANCH}/atm-01/link/state"]
        assert listener.seqs(Channel.TELEMETRY) == [4, 5]
        assert listener.seqs(Channel.BACKFILL) == [1, 2, 3]
        greetings = [item for item in listener.messages if item.channel is Channel.STATUS]
        assert parse_status(greetings[0].payload).boot == outbox.boot
        inventories = [item.payload for item in listener.messages if item.channel is Channel.INVENTORY]
        (inventory,) = [parse_inventory(payload, BRANCH) for payload in inventories]
        assert inventory.devices == INVENTORY.devices
        said = [parse_status(item.payload).since for item in greetings]
        assert inventory.announced_at is not None
        assert said[0] < inventory.announced_at < said[1], "the hello, the inventory, the goodbye"
    figures = await outbox.statistics()
    assert (figures.pending_readings, figures.acknowledged_packs, figures.acknowledged_readings) == (0, 5, 9)


async def test_the_broker_gets_status_then_inventory_then_the_snapshot_and_only_then_the_backlog(
    outbox: Outbox,
) -> None:
    """Seen at the broker's end of the wire: a real broker may hand topics to a listener in another order."""
    for number in range(7):
        await outbox.store([reading(number)], urgent=False)
    async with silent_broker() as (broker, wire):
        wire.everything()
        async with running(broker, outbox, snapshot=snapshot_into(outbox)) as uplink:
            await until(lambda: len(wire.channels) == 6)
            await until(lambda: nothing_pending(outbox))
            assert uplink.is_connected
        assert wire.channels == ["status", "inventory", "telemetry", "backfill", "backfill", "backfill", "status"]


async def test_nothing_is_lost_or_renumbered_over_a_restart_of_the_broker(tmp_path: Path, outbox: Outbox) -> None:
    server = EmbeddedBroker(tmp_path / "broker", port=free_port())
    await server.start()
    broker = BrokerSettings(port=server.port)
    async with running(broker, outbox, snapshot=snapshot_into(outbox)) as uplink:
        async with Listener(broker) as listener:
            await until(lambda: uplink.is_connected)
            for number in range(10):
                await outbox.store([reading(number)], urgent=True)
            await listener.until(lambda: 9 in values(listener))
        before = max(listener.seqs())
        await server.stop()
        await until(lambda: not uplink.is_connected)
        for number in range(10, 30):
            await outbox.store([reading(number)], urgent=True)
        await server.start()
        async with Listener(broker) as again:
            await again.until(lambda: set(range(10, 30)) <= set(values(again)), timeout_s=30)
            live = again.packs(Channel.TELEMETRY)
            assert live[0].names == [f"{BRANCH}/atm-01/link/state"]
            assert live[0].seq > before
            seqs = again.seqs(Channel.BACKFILL)
            assert seqs == sorted(seqs)
        await until(lambda: nothing_pending(outbox))
        assert uplink.sessions == 2
    every = {pack.seq: pack.payload for pack in [*listener.packs(), *again.packs()]}
    assert sorted(every) == list(range(1, max(every) + 1))


def values(listener: Listener) -> list[int]:
    return [
        int(record.value)
        for pack in listener.packs()
        for record in pack.records
        if record.name.endswith("/insertions") and isinstance(record.value, float)
    ]


def has_packs(listener: Listener, count: int) -> bool:
    return len(listener.packs()) == count


async def nothing_pending(outbox: Outbox) -> bool:
    return (await outbox.statistics()).pending_readings == 0


async def test_packs_asked_for_are_sent_again_and_those_no_longer_kept_are_counted(
    broker: BrokerSettings, outbox: Outbox
) -> None:
    async with Listener(broker) as listener:
        async with running(broker, outbox) as uplink:
            await until(lambda: uplink.is_connected)
            for number in range(6):
                await outbox.store([reading(number)], urgent=True)
                await listener.until(partial(has_packs, listener, number + 1))
            await until(lambda: nothing_pending(outbox))
            await outbox._submit(outbox._file._pruning._delete, "seq = 2", (), None)
            request = ResendRequest(boot=outbox.boot, resend=((1, 3), (5, 5), (7, 99)))
            other = ResendRequest(boot="another", resend=((6, 6),))
            for payload in (b"{nonsense", other.model_dump_json().encode(), request.model_dump_json().encode()):
                await listener.client.publish(topic(BRANCH, Channel.REQUEST), payload)
            await listener.until(lambda: len(listener.seqs(Channel.BACKFILL)) == 3)
            await until(lambda: resent(outbox, 3))
        assert listener.seqs(Channel.BACKFILL) == [1, 3, 5]
        again, first = listener.packs(Channel.BACKFILL)[0], listener.packs(Channel.TELEMETRY)[0]
        assert again.records == first.records
        assert again.header is not None
        assert first.header is not None
        assert again.header.pack_id == first.header.pack_id
        assert again.header.sent_at_ms >= first.header.sent_at_ms
    assert (await outbox.statistics()).unavailable_packs == 1


HOSTILE: dict[str, str | bytes] = {
    "beyond what a database counts": '{"boot": "%s", "resend": [[1e30, 1e30]]}',
    "whole numbers beyond what a database counts": '{"boot": "%s", "resend": [[1' + "0" * 30 + ", 1" + "0" * 31 + "]]}",
    "digits without end": '{"boot": "%s", "resend": [[1, ' + "9" * 5000 + "]]}",
    "below one": '{"boot": "%s", "resend": [[0, 5]]}',
    "far below one": '{"boot": "%s", "resend": [[-1' + "0" * 30 + ", 5]]}",
    "backwards": '{"boot": "%s", "resend": [[4, 2]]}',
    "more ranges than anybody needs": '{"boot": "%s", "resend": [' + ",".join(["[1, 1]"] * 1001) + "]}",
    "more bytes than anybody needs": '{"boot": "%s", "resend": [], "padding": "' + "x" * 1_000_000 + '"}',
    "nested without end": "[" * 60_000,
    "not text": b"\xff\xfe\x00",
    "nothing": "",
    "a number": "17",
    "no ranges": '{"boot": "%s"}',
    "a lone surrogate": '{"boot": "\\ud800", "resend": [[1, 1]]}',
}


async def test_no_request_from_the_network_ends_the_session_and_each_bad_one_is_counted(
    broker: BrokerSettings, outbox: Outbox
) -> None:
    metrics = GatewayMetrics(CollectorRegistry())
    async with Listener(broker) as listener, running(broker, outbox, metrics=metrics) as uplink:
        await until(lambda: uplink.is_connected)
        await outbox.store([reading(1)], urgent=True)
        await listener.until(partial(has_packs, listener, 1))
        await until(lambda: nothing_pending(outbox))
        for payload in HOSTILE.values():
            said = payload if isinstance(payload, bytes) else payload.replace("%s", outbox.boot).encode()
            await listener.client.publish(topic(BRANCH, Channel.REQUEST), said)
        widest = ResendRequest(boot=outbox.boot, resend=((1, 2**53 - 1),))
        await listener.client.publish(topic(BRANCH, Channel.REQUEST), widest.model_dump_json().encode())
        await listener.until(partial(has_packs, listener, 2))
        assert listener.seqs() == [1, 1]
        counted = metrics.registry.get_sample_value("branchwatch_gateway_bad_requests_total", {"branch": BRANCH})
        assert counted == len(HOSTILE)
        assert uplink.sessions == 1


async def resent(outbox: Outbox, packs: int) -> bool:
    return (await outbox.statistics()).resent_packs == packs


async def test_the_next_life_goes_on_with_the_same_boot_and_sends_what_was_left_as_backfill(
    broker: BrokerSettings, tmp_path: Path
) -> None:
    path = tmp_path / "outbox.db"
    async with Listener(broker) as listener:
        for life in range(2):
            outbox = new_outbox(path, pack_readings=3)
            await outbox.start()
            await outbox.store([reading(life)], urgent=False)
            async with running(broker, outbox):
                await listener.until(partial(has_packs, listener, life + 1))
            await outbox.stop()
        assert listener.seqs() == [1, 2]
        headers = [pack.header for pack in listener.packs(Channel.BACKFILL)]
        assert len({header.pack_id.boot for header in headers if header}) == 1


async def test_packs_in_flight_stay_within_the_window_and_live_ones_pass_the_backlog(tmp_path: Path) -> None:
    """The broker here is a socket that takes everything and acknowledges packs only when told to."""
    async with silent_broker() as (broker, released):
        outbox = new_outbox(tmp_path / "outbox.db", pack_readings=3)
        await outbox.start()
        for number in range(60):
            await outbox.store([reading(number)], urgent=False)
        settings = UplinkSettings(flush_s=0.05, max_readings=3, window=6, stop_s=0.2, acknowledge_timeout_s=60)
        async with running(broker, outbox, settings) as uplink:
            await until(lambda: uplink.in_flight == 3)
            most = 0
            for number in range(60, 90):
                await outbox.store([reading(number)], urgent=True)
                await asyncio.sleep(0)
                most = max(most, uplink.in_flight)
            await until(lambda: uplink.in_flight == 6)
            await until(lambda: len(released.held) == 6)
            assert max(most, uplink.in_flight) == 6
            lanes = [channel for _, _, channel in released.held]
            assert sorted(lanes) == ["backfill"] * 3 + ["telemetry"] * 3
            released.everything()
            await until(lambda: nothing_pending(outbox))
        await outbox.stop()


async def test_a_broker_that_no_longer_acknowledges_is_connected_anew(tmp_path: Path) -> None:
    async with silent_broker() as (broker, released):
        outbox = new_outbox(tmp_path / "outbox.db", pack_readings=3)
        await outbox.start()
        settings = UplinkSettings(flush_s=0.05, max_readings=3, stop_s=0.2, acknowledge_timeout_s=0.3)
        async with running(broker, outbox, settings) as uplink:
            await until(lambda: uplink.is_connected)
            await outbox.store([reading(1)], urgent=True)
            await until(lambda: uplink.sessions == 2)
            released.everything()
            await until(lambda: nothing_pending(outbox))
        await outbox.stop()


async def test_a_vanished_gateway_is_offline_by_its_will(broker: BrokerSettings, outbox: Outbox) -> None:
    async with Listener(broker) as listener, running(broker, outbox) as uplink:
        await listener.until(lambda: bool(listener.messages))
        client = uplink._client
        assert client is not None
        socket = client._client.socket()
        assert socket is not None
        socket.close()
        await listener.until(lambda: any(not online for online in statuses(listener)))
        await until(lambda: uplink.sessions == 2)
        await listener.until(lambda: statuses(listener)[-1])
        hello, will, again = [
            parse_status(item.payload) for item in listener.messages if item.channel is Channel.STATUS
        ]
        assert (hello.online, will.online, again.online) == (True, False, True)
        assert hello.since == will.since < again.since, "one connection has one time, the next a later one"


def statuses(listener: Listener) -> list[bool]:
    return [parse_status(item.payload).online for item in listener.messages if item.channel is Channel.STATUS]


async def test_readings_wait_in_packs_while_there_is_no_broker(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path / "outbox.db", pack_readings=3)
    await outbox.start()
    async with running(BrokerSettings(port=free_port()), outbox) as uplink:
        for number in range(10):
            await outbox.store([reading(number)], urgent=True)
        await until(lambda: packs_waiting(outbox, 3))
        assert not uplink.is_connected
        assert uplink.backlog_upto >= 3
    assert (await outbox.statistics()).pending_readings == 10
    await outbox.stop()


async def packs_waiting(outbox: Outbox, count: int) -> bool:
    return (await outbox.statistics()).pending_packs == count


# -- a broker that keeps acknowledgements back -------------------------------------------------------------------------


class Held:
    """Acknowledgements of packs that were not given yet, with the channel of the pack."""

    def __init__(self) -> None:
        self.held: list[tuple[asyncio.StreamWriter, bytes, str]] = []
        self.channels: list[str] = []
        self.open = False

    def answer(self, writer: asyncio.StreamWriter, kind: int, body: bytes) -> None:
        """Answer a packet as MQTT 3.1.1 asks for: CONNECT, PUBLISH, SUBSCRIBE and PINGREQ."""
        if kind == 3:  # topic, packet id, payload
            end = 2 + int.from_bytes(body[:2])
            channel = body[2:end].decode().rsplit("/", 1)[1]
            self.channels.append(channel)
            puback = b"\x40\x02" + body[end : end + 2]
            if self.open or channel not in {"telemetry", "backfill"}:
                writer.write(puback)
            else:
                self.held.append((writer, puback, channel))
        elif kind in {1, 8, 12}:
            writer.write({1: b"\x20\x02\x00\x00", 8: b"\x90\x03" + body[:2] + b"\x01", 12: b"\xd0\x00"}[kind])

    def everything(self) -> None:
        self.open = True
        for writer, puback, _ in self.held:
            if not writer.is_closing():
                writer.write(puback)
        self.held.clear()


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Kind and body of the next MQTT packet."""
    head = (await reader.readexactly(1))[0]
    length = shift = 0
    more = True
    while more:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift, more = shift + 7, bool(byte & 0x80)
    return head >> 4, await reader.readexactly(length)


@asynccontextmanager
async def silent_broker() -> AsyncIterator[tuple[BrokerSettings, Held]]:
    """As much of MQTT as a publisher needs; a real broker acknowledges too soon to see a window fill."""
    held = Held()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                held.answer(writer, *await packet(reader))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield BrokerSettings(port=server.sockets[0].getsockname()[1]), held
    finally:
        server.close()
        await server.wait_closed()


def test_the_window_has_room_for_both_lanes() -> None:
    with pytest.raises(ValueError, match="window"):
        UplinkSettings(window=1)
