import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.devices import ATM, FOOTFALL_SENSOR
from contracts.errors import ConfigurationError, DeviceRefused, DeviceUnreachable
from gateway.driver import Observation
from gateway.drivers.axis import Settings, create
from gateway.drivers.axis.driver import AxisDriver
from gateway.drivers.axis.live_sum import MOST_ANSWER_BYTES
from runtime.clock import ManualClock, SystemClock
from tests.conftest import free_port
from tests.gateway.sia_dc09.recording_sink import RecordingSink

OLD_PATH = "/local/people-counter/.api"
NEW_PATH = "/local/tvpc/.api"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScriptedSensor:
    """An HTTP server that answers what the test has put down."""

    def __init__(self, path: str = NEW_PATH) -> None:
        self.path = path
        self.serial = "00408C000001"
        self.people_in = 0
        self.people_out = 0
        self.local_time: datetime | None = None
        self.status = 200
        self.body: bytes | None = None
        self.asked: list[str] = []
        self.guard: Callable[[web.Request], web.Response | None] = lambda _: None
        self.polls = 0
        self.history: dict[str, list[int]] = {}
        self.history_status = 200

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if request.path != self.path:
            return web.Response(status=404)
        refusal = self.guard(request)
        if refusal is not None:
            return refusal
        if "export-json" in request.query_string:
            if self.history_status != 200:
                return web.Response(status=self.history_status)
            counter = {"name": "door", "serial": self.serial, "delta": 900, "types": {"In": 0, "Out": 1}}
            return web.json_response({"counter": counter, "data": self.history})
        self.polls += 1
        if self.status != 200:
            return web.Response(status=self.status)
        if self.body is not None:
            return web.Response(body=self.body)
        local = self.local_time or datetime.now(UTC) + timedelta(hours=8)
        return web.json_response(
            {
                "serial": self.serial,
                "name": "door",
                "timestamp": f"{local:%Y%m%d%H%M%S}",
                "in": self.people_in,
                "out": self.people_out,
            }
        )


@asynccontextmanager
async def serving(sensor: ScriptedSensor, port: int | None = None) -> AsyncIterator[int]:
    chosen = port or free_port()
    app = web.Application()
    app.router.add_get("/{path:.*}", sensor.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", chosen).start()
    try:
        yield chosen
    finally:
        await runner.cleanup()


@asynccontextmanager
async def polling(sink: RecordingSink, port: int, **chosen: object) -> AsyncIterator[asyncio.Task[None]]:
    made = Settings.model_validate({"host": "127.0.0.1", "port": port, "poll_s": 0.02, "timeout_s": 2, **chosen})
    task = asyncio.create_task(create(made, FOOTFALL_SENSOR, SystemClock()).run(sink))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, DeviceUnreachable, DeviceRefused):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


async def until_polled(sensor: ScriptedSensor, times: int = 2) -> None:
    """Wait for so many further polls; the one under way may still carry older figures."""
    goal = sensor.polls + times
    await until(lambda: sensor.polls >= goal)


async def test_totals_become_counters_that_grow() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    sensor.people_in, sensor.people_out = 40, 30
    async with serving(sensor) as port, polling(sink, port):
        await until_polled(sensor)
        sensor.people_in, sensor.people_out = 45, 32
        await until(lambda: sink.last("total/in") == 5)
    assert sink.last("total/out") == 2
    assert sink.last("total/occupancy") == 13
    assert sink.last("sensor/imbalance") == pytest.approx(13 / 45, abs=1e-4)
    assert sink.last("link/state") == "up"
    assert sink.last("sensor/reboots") == 0
    assert sink.identities[0].serial == "00408C000001"
    assert sensor.asked[0] == "/local/tvpc/.api?live-sum.json"


async def test_older_firmware_is_found_at_its_place_and_asked_there() -> None:
    sensor, sink = ScriptedSensor(OLD_PATH), RecordingSink(FOOTFALL_SENSOR)
    async with serving(sensor) as port, polling(sink, port):
        await until_polled(sensor, 3)
    assert sensor.asked[:2] == [f"{NEW_PATH}?live-sum.json", f"{OLD_PATH}?live-sum.json"]
    assert {query.partition("?")[0] for query in sensor.asked[1:]} == {OLD_PATH}


async def test_a_change_of_firmware_is_followed() -> None:
    sensor, sink = ScriptedSensor(OLD_PATH), RecordingSink(FOOTFALL_SENSOR)
    async with serving(sensor) as port:
        made = Settings(host="127.0.0.1", port=port, poll_s=0.02)
        driver = create(made, FOOTFALL_SENSOR, SystemClock())
        task = asyncio.create_task(driver.run(sink))
        await until_polled(sensor)
        sensor.path = NEW_PATH
        with pytest.raises(DeviceRefused, match="404"):
            async with asyncio.timeout(5):
                await task
        again = asyncio.create_task(driver.run(sink))
        await until_polled(sensor)
        again.cancel()
        with suppress(asyncio.CancelledError):
            await again
    assert sink.last("link/state") == "up"


async def test_no_counter_at_the_address_is_refused_with_what_to_check() -> None:
    sensor, sink = ScriptedSensor("/elsewhere"), RecordingSink(FOOTFALL_SENSOR)
    async with serving(sensor) as port, polling(sink, port) as task:
        with pytest.raises(DeviceRefused, match="check that it is an Axis People Counter"):
            await task
    assert sink.last("link/state") == "degraded"


async def test_a_swapped_sensor_is_identified_and_its_total_is_no_growth() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    async with serving(sensor) as port, polling(sink, port):
        await until_polled(sensor)
        sensor.serial, sensor.people_in = "00408C000002", 5000
        await until(lambda: len(sink.identities) == 2)
        await until_polled(sensor)
    assert [identity.serial for identity in sink.identities] == ["00408C000001", "00408C000002"]
    assert sink.last("total/in") == 0


async def test_malformed_and_huge_answers_degrade_and_are_refused_and_polling_goes_on() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    async with serving(sensor) as port, polling(sink, port):
        await until_polled(sensor)
        sensor.body = b"<html>sorry</html>"
        await until(lambda: sink.last("link/state") == "degraded")
        sensor.body = b"[" * (MOST_ANSWER_BYTES * 4)
        await until(lambda: any("more than" in str(error) for _, error in sink.refused))
        sensor.body = None
        await until(lambda: sink.last("link/state") == "up")
        errors = sink.last("link/protocol_errors")
    assert errors == len(sink.refused)
    assert sink.refused[0][0] == b"<html>sorry</html>"
    assert all(len(raw) <= MOST_ANSWER_BYTES for raw, _ in sink.refused)


async def test_a_zipped_answer_is_not_unpacked() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)

    def zipped(_: web.Request) -> web.Response:
        sensor.polls += 1
        return web.Response(body=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"})

    sensor.guard = zipped
    async with serving(sensor) as port, polling(sink, port):
        await until(lambda: len(sink.refused) > 0)
    assert sink.refused[0][0] == b"\x1f\x8b\x08"


async def test_http_errors_in_a_row_make_the_sensor_unreachable() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    async with serving(sensor) as port, polling(sink, port, failures_to_unreachable=3) as task:
        await until_polled(sensor)
        before = sensor.polls
        sensor.status = 500
        with pytest.raises(DeviceUnreachable, match="answers 500"):
            await task
        assert sensor.polls - before in {3, 4}  # one may have been answered well while the status changed


async def test_a_single_failure_is_ridden_out() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    failed = 0

    def fail_once(_: web.Request) -> web.Response | None:
        nonlocal failed
        if sensor.polls == 2 and not failed:
            failed += 1
            return web.Response(status=503)
        return None

    sensor.guard = fail_once
    async with serving(sensor) as port, polling(sink, port) as task:
        await until(lambda: sink.last("link/protocol_errors") == 1)
        assert not task.done()
    assert set(sink.all("link/state")) == {"up"}


async def test_after_an_outage_the_counts_are_caught_up() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    port = free_port()
    driver = create(
        Settings(host="127.0.0.1", port=port, poll_s=0.02, failures_to_unreachable=1), FOOTFALL_SENSOR, SystemClock()
    )
    with pytest.raises(DeviceUnreachable, match="check address and network"):
        await driver.run(sink)
    async with serving(sensor, port):
        task = asyncio.create_task(driver.run(sink))
        await until_polled(sensor)
    with pytest.raises(DeviceUnreachable):
        await task
    assert sink.last("link/reconnects") == 0
    sensor.people_in = 12
    async with serving(sensor, port):
        task = asyncio.create_task(driver.run(sink))
        await until(lambda: sink.last("total/in") == 12)
        assert sink.last("link/reconnects") == 1
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_new_life_of_the_gateway_catches_up_what_was_counted_meanwhile() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    sensor.people_in = 40
    async with serving(sensor) as port:
        async with polling(sink, port):
            await until_polled(sensor)
            sensor.people_in = 45
            await until(lambda: sink.last("total/in") == 5)
        sensor.people_in = 52
        sink.taken.clear()
        async with polling(sink, port):
            await until(lambda: sink.last("total/in") == 12)
        assert set(sink.all("total/in")) == {12}
        sink.memory["totals"] = "{}"
        async with polling(sink, port):
            await until(lambda: sink.last("total/in") == 0)


async def test_a_commit_whose_run_was_cut_off_is_not_counted_again() -> None:
    sensor, port = ScriptedSensor(), free_port()
    taken = asyncio.Event()

    class CutOff(RecordingSink):
        async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
            await super().observe(observations, keep)
            if self.last("total/in") == 7 and not taken.is_set():
                taken.set()
                await asyncio.sleep(60)  # cancelled here: the commit is done, and nobody was told

    sink = CutOff(FOOTFALL_SENSOR)
    driver = create(Settings(host="127.0.0.1", port=port, poll_s=0.02), FOOTFALL_SENSOR, SystemClock())
    async with serving(sensor, port):
        task = asyncio.create_task(driver.run(sink))
        await until_polled(sensor)
        sensor.people_in = 7
        await until(taken.is_set)
        for _ in range(2):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            task = asyncio.create_task(driver.run(sink))
            await until_polled(sensor)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert sink.last("total/in") == 7


async def test_an_answer_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    released = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    monkeypatch.setattr(sensor, "answer", hang)
    async with serving(sensor) as port:
        async with polling(sink, port, timeout_s=0.1) as task:
            with pytest.raises(DeviceUnreachable, match=r"no answer within 0\.1 s"):
                await task
        released.set()


async def test_what_the_sink_did_not_take_is_part_of_the_next_difference() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    async with serving(sensor) as port, polling(sink, port):
        await until_polled(sensor)
        sink.is_full = True
        sensor.people_in = 9
        await until_polled(sensor, 3)
        assert sink.last("total/in") == 0
        sink.is_full = False
        await until(lambda: sink.last("total/in") == 9)


async def test_clock_skew_is_the_sensors_local_time_minus_ours() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    sensor.local_time = datetime(2026, 11, 22, 18, 0, 30)  # noqa: DTZ001
    now_at = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
    async with serving(sensor) as port:
        driver = create(
            Settings(host="127.0.0.1", port=port, zone="+08:00"),
            FOOTFALL_SENSOR,
            ManualClock(round(now_at.timestamp() * 1000)),
        )
        task = asyncio.create_task(driver.run(sink))
        await until(lambda: sink.last("clock/skew") is not None)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert sink.last("clock/skew") == pytest.approx(30, abs=1)


TEN_LOCAL = datetime(2026, 11, 22, 10, 0, 0)  # noqa: DTZ001
TEN_MS = round((TEN_LOCAL - timedelta(hours=8)).replace(tzinfo=UTC).timestamp() * 1000)


class TwoLives:
    """A gateway that was down from ten to twelve o'clock, in which 9 came and 4 went."""

    def __init__(self, path: str = NEW_PATH) -> None:
        self.sensor, self.sink, self.clock = ScriptedSensor(path), RecordingSink(FOOTFALL_SENSOR), ManualClock(TEN_MS)

    async def live(self, port: int, until_true: Callable[[], bool], **chosen: object) -> None:
        made = Settings.model_validate({"host": "127.0.0.1", "port": port, "poll_s": 0.02, **chosen})
        task = asyncio.create_task(create(made, FOOTFALL_SENSOR, self.clock).run(self.sink))
        try:
            await until(lambda: until_true() or task.done())
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def run(self, **chosen: object) -> None:
        sensor, sink = self.sensor, self.sink
        sensor.people_in, sensor.people_out, sensor.local_time = 40, 30, TEN_LOCAL
        async with serving(sensor) as port:
            await self.live(port, lambda: sink.last("total/in") == 0, **chosen)
            sensor.local_time = TEN_LOCAL + timedelta(hours=2, seconds=30)
            self.clock.advance(2 * 3_600_000)
            sensor.people_in, sensor.people_out = 49, 34
            sink.taken.clear()
            grown = 4 if chosen.get("invert") else 9
            await self.live(port, lambda: sink.last("total/in") == grown, **chosen)


def told(sink: RecordingSink, path: str) -> list[tuple[float | str, float | None]]:
    """Values of a path with their minutes after ten."""
    return [
        (seen.value, None if seen.observed_at_ms is None else (seen.observed_at_ms - TEN_MS) / 60_000)
        for seen in sink.taken
        if seen.path == path
    ]


async def test_after_an_outage_the_sensors_own_history_says_when_people_came() -> None:
    lives = TwoLives()
    lives.sensor.history = {
        f"20261122{hour:02d}{minute:02d}00": [0, 0] for hour in range(12) for minute in (0, 15, 30, 45)
    }
    lives.sensor.history |= {"20261122080000": [40, 30], "20261122101500": [6, 1], "20261122113000": [3, 3]}
    await lives.run()
    by_minute = {minute: value for value, minute in told(lives.sink, "total/in")[:9]}
    assert by_minute.pop(None) == 9
    assert {round(minute or 0, 1): value for minute, value in by_minute.items()} == {
        14.5: 0, 29.5: 6, 44.5: 6, 59.5: 6, 74.5: 6, 89.5: 6, 104.5: 9, 119.5: 9
    }  # fmt: skip  # half a minute earlier by our clock, for the sensor's is that much ahead
    assert lives.sink.last("total/out") == 4
    assert lives.sink.last("sensor/missing_intervals") == 0
    assert [query for query in lives.sensor.asked if "export" in query] == [
        f"{NEW_PATH}?export-json&date=20261122&res=15m"
    ] * 2


async def test_an_inverted_sensor_is_turned_in_totals_and_history() -> None:
    lives = TwoLives(OLD_PATH)
    lives.sensor.history = {"20261122080000": [40, 30], "20261122101500": [9, 4]}
    await lives.run(invert=True)
    assert lives.sink.last("total/in") == 4
    assert lives.sink.last("total/out") == 9
    assert [value for value, minute in told(lives.sink, "total/in") if minute is not None] == [4]
    assert f"{OLD_PATH}?export-json&date=20261122&res=15m" in lives.sensor.asked
    assert lives.sink.last("sensor/missing_intervals") == 7


@pytest.mark.parametrize(("status", "asked"), [(404, 2), (400, 2), (403, 2), (500, 4)])
async def test_without_a_history_the_totals_count_and_the_gap_is_missing(status: int, asked: int) -> None:
    lives = TwoLives()
    lives.sensor.history_status = status
    await lives.run()
    assert lives.sink.last("link/state") == "up"
    assert lives.sink.last("total/in") == 9
    assert lives.sink.last("sensor/missing_intervals") == 8
    assert len([query for query in lives.sensor.asked if "export" in query]) == asked


async def test_a_malformed_history_is_refused_and_the_totals_count() -> None:
    lives = TwoLives()
    lives.sensor.history = {"yesterday": [1, 2]}
    await lives.run()
    assert lives.sink.last("total/in") == 9
    assert lives.sink.last("link/protocol_errors") == 2
    assert "yesterday" in str(lives.sink.refused[0][0])


async def test_a_clock_that_stands_still_is_told_once() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    sensor.local_time = TEN_LOCAL
    async with serving(sensor) as port:
        steady_s = 0.0
        driver = AxisDriver(Settings(host="127.0.0.1", port=port, poll_s=0.02), SystemClock(), lambda: steady_s)
        task = asyncio.create_task(driver.run(sink))
        await until_polled(sensor)
        steady_s = 60
        await until_polled(sensor, 3)
        sensor.local_time = TEN_LOCAL + timedelta(minutes=1)
        await until(lambda: len(sink.all("sensor/event")) == 2)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert sink.all("sensor/event") == [
        "clock stands still at 2026-11-22 10:00:00", "clock goes again: 2026-11-22 10:01:00"
    ]  # fmt: skip


def digest_guard(request: web.Request) -> web.Response | None:
    """Server side of RFC 7616 with MD5 and qop=auth, for user viewer and password secret."""
    given = request.headers.get("Authorization", "")
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
    if given.startswith("Digest ") and fields.get("nonce") == "n1":
        ha1 = hashlib.md5(b"viewer:AXIS:secret").hexdigest()
        ha2 = hashlib.md5(f"GET:{request.path_qs}".encode()).hexdigest()
        expected = hashlib.md5(f"{ha1}:n1:{fields['nc']}:{fields['cnonce']}:auth:{ha2}".encode()).hexdigest()
        if fields["response"] == expected and fields["uri"] == request.path_qs:
            return None
    challenge = 'Digest realm="AXIS", nonce="n1", qop="auth", algorithm=MD5'
    return web.Response(status=401, headers={"WWW-Authenticate": challenge})


def basic_guard(request: web.Request) -> web.Response | None:
    expected = "Basic " + base64.b64encode(b"viewer:secret").decode()
    if request.headers.get("Authorization") == expected:
        return None
    return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="AXIS"'})


@pytest.mark.parametrize("guard", [digest_guard, basic_guard])
async def test_digest_and_basic_challenges_are_answered(guard: Callable[[web.Request], web.Response | None]) -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    sensor.guard = guard
    async with serving(sensor) as port, polling(sink, port, username="viewer", password="secret"):
        await until_polled(sensor)
    assert sink.last("link/state") == "up"


@pytest.mark.parametrize("guard", [digest_guard, basic_guard])
@pytest.mark.parametrize("credentials", [{}, {"username": "viewer", "password": "wrong"}])
async def test_wrong_or_no_credentials_are_a_refusal(
    guard: Callable[[web.Request], web.Response | None], credentials: dict[str, str]
) -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    sensor.guard = guard
    async with serving(sensor) as port, polling(sink, port, **credentials) as task:
        with pytest.raises(DeviceRefused, match="username and password"):
            await task
    assert sensor.polls == 0


async def test_the_password_is_not_sent_where_digest_is_offered() -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    given: list[str] = []

    def both(request: web.Request) -> web.Response | None:
        given.append(request.headers.get("Authorization", ""))
        refusal = digest_guard(request)
        if refusal is not None:
            refusal.headers.add("WWW-Authenticate", 'Basic realm="AXIS"')
        return refusal

    sensor.guard = both
    async with serving(sensor) as port, polling(sink, port, username="viewer", password="secret"):
        await until_polled(sensor)
    assert not [header for header in given if header.startswith("Basic")]


def test_the_driver_is_for_footfall_sensors() -> None:
    with pytest.raises(ConfigurationError, match="footfall_sensor, not atm"):
        create(Settings(host="127.0.0.1"), ATM, SystemClock())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.binary(max_size=40_000), min_size=1, max_size=4))
async def test_after_any_answers_the_next_good_one_counts(bodies: list[bytes]) -> None:
    sensor, sink = ScriptedSensor(), RecordingSink(FOOTFALL_SENSOR)
    async with serving(sensor) as port, polling(sink, port, poll_s=0.001) as task:
        for body in bodies:
            sensor.body = body
            await until_polled(sensor)
        sensor.body = None
        await until(lambda: sink.last("link/state") == "up")
        assert not task.done()
    assert len(sink.refused) >= len(bodies)
