"""The driver behind its HTTP address, against pushes that are sound, repeated, foreign and hostile."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, encode_basic_auth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.devices import ATM, FOOTFALL_SENSOR
from contracts.errors import ConfigurationError, DeviceUnreachable
from gateway.drivers.milesight import Settings, create
from gateway.drivers.milesight.report import MOST_REPORT_BYTES
from runtime.clock import ManualClock, SystemClock
from tests.conftest import free_port
from tests.gateway.milesight.pushes import BEGIN, MINUTE, encoded, push
from tests.gateway.sia_dc09.recording_sink import RecordingSink

NOW_MS = round((BEGIN + MINUTE).timestamp() * 1000)


class Door:
    """A sensor's driver on an address, and a client that pushes to it."""

    def __init__(self, port: int | None = None, **chosen: object) -> None:
        self.port = port or free_port()
        self.sink = RecordingSink(FOOTFALL_SENSOR)
        self.clock = ManualClock(NOW_MS)
        self.settings = Settings.model_validate({"listen_port": self.port, **chosen})

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Door"]:
        told = len(self.sink.all("link/state"))
        task = asyncio.create_task(create(self.settings, FOOTFALL_SENSOR, self.clock).run(self.sink))
        try:
            await until(lambda: len(self.sink.all("link/state")) > told or task.done())
            yield self
            assert not task.done(), task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def post(
        self, body: bytes | dict[str, Any], path: str = "/", method: str = "POST", **request: Any
    ) -> tuple[int, Mapping[str, str]]:
        data = encoded(body) if isinstance(body, dict) else body
        async with ClientSession(timeout=ClientTimeout(total=20)) as client:
            url = f"http://127.0.0.1:{self.port}{path}"
            async with client.request(method, url, data=data, **request) as response:
                await response.read()
                return response.status, dict(response.headers)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def test_pushes_become_counters_and_are_answered_when_they_are_stored() -> None:
    async with Door().open() as door:
        assert door.sink.last("link/state") == "unknown"
        assert (await door.post(push(0, {1: (3, 1), 2: (0, 2)}, {1: (10, 4), 2: (1, 3)})))[0] == 200
        assert door.sink.last("total/in") == 3
        assert (await door.post(push(1, {1: (1, 1), 2: (1, 0)}, {1: (11, 5), 2: (2, 3)})))[0] == 200
    sink = door.sink
    assert (sink.last("total/in"), sink.last("total/out")) == (5, 4)
    assert (sink.last("line1/in"), sink.last("line2/out")) == (4, 2)
    assert sink.last("total/occupancy") == 5
    assert sink.last("sensor/uptime") == 86_460
    assert sink.last("clock/skew") == 60
    assert sink.last("link/state") == "up"
    assert [sink.last(f"sensor/{name}") for name in ("reboots", "missing_intervals", "duplicates")] == [0, 0, 0]
    assert sink.identities[0].serial == "6537F28545220003"
    assert sink.identities[0].firmware == "V_125-LW.1.0.3-r2"
    assert len(sink.identities) == 1


async def test_what_cannot_be_stored_is_not_answered_well_and_counts_once_when_it_comes_again() -> None:
    async with Door().open() as door:
        door.sink.is_full = True
        status, headers = await door.post(push(0, {1: (3, 1)}))
        assert (status, headers["Retry-After"]) == (503, "10")
        door.sink.is_full = False
        assert (await door.post(push(0, {1: (3, 1)})))[0] == 200
        assert (await door.post(push(0, {1: (3, 1)})))[0] == 200
    assert (door.sink.last("total/in"), door.sink.last("sensor/duplicates")) == (3, 1)


async def test_a_repetition_after_the_gateway_died_is_a_repetition() -> None:
    door = Door()
    async with door.open():
        await door.post(push(0, {1: (3, 1)}, {1: (10, 4)}))
    async with door.open():
        assert (await door.post(push(0, {1: (3, 1)}, {1: (10, 4)})))[0] == 200
        await door.post(push(1, {1: (2, 0)}, {1: (12, 4)}))
    assert (door.sink.last("total/in"), door.sink.last("sensor/duplicates")) == (5, 1)


async def test_only_one_sort_of_push_counts() -> None:
    async with Door().open() as door:
        await door.post(push(0, {1: (1, 0)}, trigger=True))
        await door.post(push(0, {1: (1, 0)}))
        assert door.sink.last("total/in") == 1
    async with Door(counting="trigger").open() as door:
        await door.post(push(0, {1: (1, 0)}, trigger=True))
        await door.post(push(0, {1: (1, 0)}))
        assert door.sink.last("total/in") == 1
        await door.post(push(1, {1: (0, 1)}, trigger=True))
    assert (door.sink.last("total/in"), door.sink.last("total/out")) == (1, 1)


async def test_a_line_drawn_the_wrong_way_round_is_turned() -> None:
    async with Door(invert_lines=[2]).open() as door:
        await door.post(push(0, {1: (3, 1), 2: (0, 5)}, {1: (3, 1), 2: (0, 5)}))
    assert (door.sink.last("line2/in"), door.sink.last("line2/out")) == (5, 0)
    assert (door.sink.last("total/in"), door.sink.last("total/occupancy")) == (8, 7)


@pytest.mark.parametrize("with_totals", [True, False])
@pytest.mark.parametrize("length_s", [0, 60])
async def test_a_clock_that_stands_still_counts_on_and_shows_as_skew(with_totals: bool, length_s: int) -> None:
    async with Door().open() as door:
        for minute in range(4):
            total = {1: (minute + 1, 0)} if with_totals else None
            made = push(0, {1: (1, 0)}, total, running_s=1000 + 60 * minute)
            if length_s == 0:
                made["time_info"]["start_time"] = made["time_info"]["end_time"]
            assert (await door.post(made))[0] == 200
            assert (await door.post(made))[0] == 200  # each is repeated, too
            door.clock.advance(60_000)
    assert (door.sink.last("total/in"), door.sink.last("sensor/duplicates")) == (4, 4)
    assert door.sink.last("clock/skew") == -180
    assert door.sink.last("sensor/missing_intervals") == 0


async def test_local_times_without_offset_are_placed_by_the_zone() -> None:
    async with Door(zone="+08:00").open() as door:
        await door.post(push(0, {1: (1, 0)}, local=True))
    assert door.sink.last("clock/skew") == 0


async def test_regions_and_messages_are_told() -> None:
    regions = {
        "region_count_data": [{"region": 1, "total": {"current_total": 4}}],
        "dwell_time_data": [{"region": 1, "avg_dwell_time": 90_000}],
    }
    async with Door().open() as door:
        for status in ("true", "false", "false"):
            await door.post(push(0, region_data=regions, network_info={"network_status": status}))
        await door.post(push(0, connection_test="hello"))
    assert (door.sink.last("region1/count"), door.sink.last("region1/dwell")) == (4, 90)
    assert door.sink.all("sensor/event") == ["network_status true", "network_status false", "connection test"]


async def test_sensors_share_a_port_and_are_told_apart() -> None:
    port = free_port()
    by_serial, by_id, any_ = Door(port, device_sn="aaa"), Door(port, custom_device_id="D1"), Door(port, path="/other")
    async with AsyncExitStack() as stack:
        for door in (by_serial, by_id, any_):
            await stack.enter_async_context(door.open())
        assert (await any_.post(push(0, {1: (1, 0)}, serial="AAA")))[0] == 200
        assert (await any_.post(push(0, {1: (2, 0)}, serial="BBB")))[0] == 200
        assert (await any_.post(push(0, {1: (4, 0)}, serial="CCC"), path="/other"))[0] == 200
        assert (await any_.post(push(0, {1: (8, 0)}), path="/nowhere"))[0] == 404
    assert [door.sink.last("total/in") for door in (by_serial, by_id, any_)] == [1, 2, 4]
    with pytest.raises(OSError):  # noqa: PT011  (whichever error a closed port gives)
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_shared_port_stays_open_until_its_last_sensor_is_gone() -> None:
    port = free_port()
    async with Door(port, device_sn="AAA").open() as first:
        async with Door(port, device_sn="BBB").open() as second:
            assert (await second.post(push(0, {1: (1, 0)}, serial="BBB")))[0] == 200
        assert (await first.post(push(0, {1: (1, 0)}, serial="AAA")))[0] == 200
        assert (await first.post(push(0, {1: (1, 0)}, serial="BBB")))[0] == 404
    async with Door(port).open() as third:
        assert (await third.post(push(0, {1: (1, 0)})))[0] == 200


async def test_a_swapped_sensor_with_the_same_id_is_another_identity_and_goes_on() -> None:
    async with Door(custom_device_id="D1").open() as door:
        await door.post(push(0, {1: (3, 1)}, {1: (100, 90)}))
        await door.post(push(1, {1: (2, 1)}, {1: (7, 1)}, serial="NEW", running_s=50))
    assert [identity.serial for identity in door.sink.identities] == ["6537F28545220003", "NEW"]
    assert (door.sink.last("total/in"), door.sink.last("sensor/reboots")) == (5, 0)


async def test_another_serial_number_than_the_settings_name_is_refused_with_what_to_do() -> None:
    async with Door(device_sn="AAA").open() as door:
        assert (await door.post(push(0, {1: (3, 1)})))[0] == 404
        await until(lambda: door.sink.last("link/protocol_errors") is not None)
    assert "correct device_sn" in str(door.sink.refused[0][1])
    assert door.sink.last("total/in") is None


async def test_credentials_are_asked_for_and_never_kept() -> None:
    token, password = "a-long-token", "s3cret-word"
    async with Door(username="cam", password=password, token=token).open() as door:
        made = push(0, {1: (1, 0)})
        assert (await door.post(made))[0] == 401
        assert (await door.post(made, headers={"Authorization": "Basic !!!"}))[0] == 401
        assert (await door.post(made, headers={"Authorization": encode_basic_auth("cam", "wrong")}))[0] == 401
        assert (await door.post(made, path="/?token=wrong-token"))[0] == 401
        assert door.sink.last("total/in") is None
        assert (await door.post(made, headers={"Authorization": encode_basic_auth("cam", password)}))[0] == 200
        assert (await door.post(push(1, {1: (1, 0)}), headers={"Authorization": f"Bearer {token}"}))[0] == 200
        assert (await door.post(push(2, {1: (1, 0)}), path=f"/?token={token}"))[0] == 200
    assert door.sink.last("total/in") == 3
    assert len(door.sink.refused) == 4
    assert all(secret not in repr(door.sink.refused) + repr(door.settings) for secret in (token, password))


@pytest.mark.parametrize(
    ("body", "request_", "status"),
    [
        (b"", {}, 400),
        (b"{}", {}, 400),
        (b"[" * 60_000, {}, 400),
        (b"{" + b" " * 10 * MOST_REPORT_BYTES, {}, 413),
        (gzip.compress(b" " * 50_000_000), {"headers": {"Content-Encoding": "gzip"}}, 415),
        (gzip.compress(encoded(push(0, {1: (1, 0)}))), {"headers": {"Content-Encoding": "deflate"}}, 415),
        (b"", {"method": "GET"}, 405),
    ],
)
async def test_hostile_bodies_are_refused_and_the_next_push_counts(
    body: bytes, request_: dict[str, Any], status: int
) -> None:
    async with Door().open() as door:
        assert (await door.post(body, **request_))[0] == status
        assert (await door.post(push(0, {1: (1, 0)})))[0] == 200
    assert len(door.sink.refused) == (0 if status == 405 else 1)
    assert all(len(raw) <= 4096 for raw, _ in door.sink.refused)
    assert door.sink.last("link/protocol_errors") == len(door.sink.refused)


async def test_a_body_without_end_is_cut_off() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 8192

    async with Door().open() as door:
        with suppress(OSError):  # the connection may be closed while we write
            await door.post(endless())  # type: ignore[arg-type]
        await until(lambda: len(door.sink.refused) == 1)
        assert (await door.post(push(0, {1: (1, 0)})))[0] == 200


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.drivers.milesight.listener._BODY_TIMEOUT_S", 0.2)
    async with Door().open() as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        async with asyncio.timeout(10):
            assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert (await door.post(push(0, {1: (1, 0)})))[0] == 200


async def test_connections_beyond_the_bound_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.drivers.milesight.listener.MOST_CONNECTIONS", 3)
    async with Door().open() as door, asyncio.timeout(10):
        opened = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(6)]
        ended = 0
        for reader, _ in opened[3:]:
            try:
                ended += await reader.read() == b""
            except OSError:
                ended += 1
        assert ended == 3
        for _, writer in opened:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def test_a_silent_sensor_is_down_and_its_return_is_a_reconnect() -> None:
    async with Door(interval_s=0.1).open() as door:
        await door.post(push(0, {1: (1, 0)}))
        await until(lambda: door.sink.last("link/state") == "down")
        assert door.sink.last("link/reconnects") == 0
        await door.post(push(1, {1: (1, 0)}))
        await until(lambda: door.sink.last("link/reconnects") == 1)
    assert door.sink.last("total/in") == 2


async def test_the_last_count_grows_old() -> None:
    async with Door(interval_s=0.2).open() as door:
        await door.post(push(0, {1: (1, 0)}))
        door.clock.advance(90_000)
        await until(lambda: door.sink.last("sensor/last_count_age") == 90)


async def test_a_taken_port_is_said_plainly() -> None:
    async with Door().open() as door:
        server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DeviceUnreachable, match="cannot listen for people counters"):
            await create(Settings(listen_port=port), FOOTFALL_SENSOR, SystemClock()).run(door.sink)
        server.close()
        await server.wait_closed()


def test_the_driver_is_for_footfall_sensors() -> None:
    with pytest.raises(ConfigurationError, match="footfall_sensor, not atm"):
        create(Settings(), ATM, SystemClock())


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"password": "hunter2-hunter2"}, "belong together"),
        ({"transport": "mqtt"}, "needs the topic"),
        ({"token": "x1"}, "8"),
    ],
)
def test_settings_that_do_not_fit_are_refused(chosen: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        Settings.model_validate(chosen)
    assert "hunter2" not in str(refused.value)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.binary(max_size=70_000), min_size=1, max_size=4))
async def test_after_any_bodies_the_next_push_counts(bodies: list[bytes]) -> None:
    async with Door().open() as door:
        for body in bodies:
            assert (await door.post(body))[0] in {400, 413}
        assert (await door.post(push(0, {1: (1, 0)})))[0] == 200
    assert door.sink.last("total/in") == 1


@settings(max_examples=10, deadline=None)
@given(junk=st.binary(min_size=1, max_size=20_000))
async def test_after_anything_on_the_wire_the_next_push_counts(junk: bytes) -> None:
    async with Door().open() as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(junk)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        assert (await door.post(push(0, {1: (1, 0)})))[0] == 200


async def test_memory_stays_flat_under_foreign_and_repeated_pushes() -> None:
    door = Door(device_sn="AAA")
    driver = create(door.settings, FOOTFALL_SENSOR, door.clock)
    bodies = [b"{}", b"x" * 2000, encoded(push(0, {1: (1, 0)})), encoded(push(0, {1: (1, 0)}, serial="AAA"))]

    async def feed(client: ClientSession, times: int) -> None:
        for number in range(times):
            async with client.post(f"http://127.0.0.1:{door.port}/", data=bodies[number % 4]) as response:
                await response.read()
        door.sink.taken.clear()
        door.sink.refused.clear()

    task = asyncio.create_task(driver.run(door.sink))
    try:
        await until(lambda: door.sink.last("link/state") is not None)
        async with ClientSession() as client:
            await feed(client, 200)
            tracemalloc.start()
            await feed(client, 200)
            before, _ = tracemalloc.get_traced_memory()
            await feed(client, 2000)
            after, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert after - before < 500_000
