"""The sensor over HTTP, asked by aiohttp's client, whose Digest is not ours."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession, DigestAuthMiddleware, encode_basic_auth
from yarl import URL

from runtime.clock import ManualClock
from simulators.footfall import FootfallSimulator
from simulators.footfall.credentials import NONCE_LASTS_MS
from simulators.world import CHINA, World
from tests.conftest import free_port

MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=CHINA)
OLDER, NEWER = "/local/people-counter/.api", "/local/tvpc/.api"


class Branch:
    """A sensor in a world whose clock the test moves, and a client."""

    def __init__(self, sensor: FootfallSimulator, clock: ManualClock, client: ClientSession) -> None:
        self.sensor = sensor
        self.clock = clock
        self.client = client

    async def get(self, query: str, path: str = OLDER, **options: Any) -> tuple[int, Any]:
        url = URL(f"http://127.0.0.1:{self.sensor.port}{path}?{query}", encoded=True)
        async with self.client.get(url, **options) as response:
            return response.status, (await response.json() if response.status == 200 else await response.text())

    async def live(self) -> dict[str, Any]:
        status, answer = await self.get("live-sum.json")
        assert status == 200
        assert isinstance(answer, dict)
        return answer


@contextlib.asynccontextmanager
async def branch(begin: datetime = MORNING, pace: float = 1.0, **options: Any) -> AsyncIterator[Branch]:
    clock = ManualClock(int(begin.timestamp() * 1000))
    sensor = FootfallSimulator("ftf-01", World(clock=clock, begin_at=begin, pace=pace), 0, **options)
    await sensor.start()
    try:
        async with ClientSession(timeout=aiohttp.ClientTimeout(5)) as client:
            yield Branch(sensor, clock, client)
    finally:
        await sensor.stop()


def hours(count: float) -> int:
    return int(count * 3_600_000)


@pytest.mark.parametrize("path", [OLDER, NEWER])
async def test_the_live_sum_has_serial_name_local_time_and_totals(path: str) -> None:
    async with branch(name="Entrance") as one:
        one.clock.advance(hours(2))
        status, answer = await one.get("live-sum.json", path)
    assert status == 200
    assert list(answer) == ["serial", "name", "timestamp", "in", "out"]
    assert answer["name"] == "Entrance"
    assert answer["timestamp"] == "20261120110000"
    assert len(answer["serial"]) == 12


async def test_totals_follow_the_people_who_really_came() -> None:
    async with branch() as one:
        one.clock.advance(hours(7))
        answer = await one.live()
        assert answer["in"] == pytest.approx(one.sensor.people_in, rel=0.1)
        assert answer["out"] == pytest.approx(one.sensor.people_out, rel=0.1)
        assert 200 < one.sensor.people_in < 400


async def test_the_pace_of_the_world_brings_people_faster_but_not_the_sensor_s_midnight() -> None:
    async with branch(pace=60) as one:
        one.clock.advance(hours(0.1))
        answer = await one.live()
        assert answer["timestamp"] == "20261120090600"
        assert answer["in"] > 150
        one.clock.advance(hours(0.4))
        later = await one.live()
        assert later["in"] > answer["in"]


async def test_totals_start_again_at_local_midnight_and_the_day_before_can_be_fetched() -> None:
    async with branch() as one:
        one.clock.advance(hours(14.99))
        before = await one.live()
        one.clock.advance(hours(0.02))
        after = await one.live()
        assert before["in"] > 100
        assert (after["in"], after["out"]) == (0, 0)
        assert (await one.get("list-cnt.json"))[1] == {
            "timestamp": after["timestamp"],
            "days": ["20261120", "20261121"],
        }
        _, export = await one.get("export-json&date=20261120&res=1h")
        assert export["counter"]["delta"] == 3600
        assert export["counter"]["serial"] == before["serial"]
        assert len(export["data"]) == 24
        assert [sum(column) for column in zip(*export["data"].values(), strict=True)] == [before["in"], before["out"]]


@pytest.mark.parametrize(
    ("query", "bins"),
    [
        ("export-json", 4 * 24 + 1),
        ("export-json&date=all&res=24h", 2),
        ("export-json&date=20261120-20261121&res=1h", 25),
        ("export-json&date=20261121&res=15m", 1),
        ("export-json&date=20261120,20261121&res=24h", 2),
        ("export-json&date=20200101", 0),
    ],
)
async def test_history_is_given_for_the_days_and_the_width_asked_for(query: str, bins: int) -> None:
    async with branch() as one:
        await one.live()
        one.clock.advance(hours(15) + 1000)
        status, export = await one.get(query)
    assert status == 200
    assert len(export["data"]) == bins


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("export-json&res=7m", 400, "res=7m: expected one of 15m, 1h, 24h"),
        ("export-json&date=monday", 400, "date=monday: expected YYYYMMDD"),
        ("nothing.json", 404, "no command 'nothing.json'"),
        ("", 404, "no command ''"),
    ],
)
async def test_what_it_cannot_answer_is_said(query: str, status: int, words: str) -> None:
    async with branch() as one:
        got, text = await one.get(query)
    assert got == status
    assert words in text


async def test_parameters_and_occupancy_are_told() -> None:
    async with branch() as one:
        one.clock.advance(hours(1))
        parameters = (await one.get("params.json"))[1]
        occupancy = (await one.get("live-occupancy.json"))[1]
        serial = (await one.live())["serial"]
    assert parameters["Static"]["Serial"] == serial
    assert parameters["Build"]["Version"]
    assert occupancy["occupancy"] == max(0, occupancy["in"] - occupancy["out"])


async def test_digest_and_basic_let_the_right_name_in_and_nobody_else() -> None:
    async with branch(credentials=("viewer", "s3cret")) as one:
        assert (await one.get("live-sum.json"))[0] == 401
        for password, status in (("s3cret", 200), ("wrong", 401)):
            basic = {"Authorization": encode_basic_auth("viewer", password)}
            assert (await one.get("live-sum.json", headers=basic))[0] == status
            digest = DigestAuthMiddleware("viewer", password, preemptive=False)
            query = "export-json&date=all&res=1h"
            assert (await one.get(query, middlewares=(digest,)))[0] == status


async def test_a_stale_nonce_is_renewed_without_asking_the_password_again() -> None:
    async with branch(credentials=("viewer", "s3cret")) as one:
        digest = DigestAuthMiddleware("viewer", "s3cret", preemptive=True)
        assert (await one.get("live-sum.json", middlewares=(digest,)))[0] == 200
        one.clock.advance(NONCE_LASTS_MS)
        assert (await one.get("live-sum.json", middlewares=(digest,)))[0] == 200


async def test_an_answer_for_another_request_is_not_let_in() -> None:
    async with branch(credentials=("viewer", "s3cret")) as one:
        captured: list[str] = []

        async def capture(request: aiohttp.ClientRequest, handler: Callable[..., Any]) -> aiohttp.ClientResponse:
            captured.extend(request.headers.getall("Authorization", []))
            response: aiohttp.ClientResponse = await handler(request)
            return response

        digest = DigestAuthMiddleware("viewer", "s3cret")
        assert (await one.get("live-sum.json", middlewares=(digest, capture)))[0] == 200
        reused = {"Authorization": captured[-1]}
        assert (await one.get("live-sum.json", headers=reused))[0] == 200
        assert (await one.get("list-cnt.json", headers=reused))[0] == 401


async def test_a_covered_sensor_stands_still_while_people_come() -> None:
    async with branch() as one:
        one.clock.advance(hours(1))
        await one.sensor.inject("covered")
        before, came = await one.live(), one.sensor.people_in
        one.clock.advance(hours(2))
        during = await one.live()
        assert (during["in"], during["out"]) == (before["in"], before["out"])
        assert one.sensor.people_in > came
        await one.sensor.repair("covered")
        one.clock.advance(hours(1))
        assert (await one.live())["in"] > before["in"]


async def test_a_frozen_clock_stands_while_counting_goes_on_and_no_midnight_comes() -> None:
    async with branch() as one:
        one.clock.advance(hours(1))
        await one.sensor.inject("frozen_clock")
        before = await one.live()
        one.clock.advance(hours(20))
        during = await one.live()
        assert during["timestamp"] == before["timestamp"]
        assert during["in"] > before["in"]
        await one.sensor.repair("frozen_clock")
        after = await one.live()
        assert after["timestamp"] == "20261121060000"
        assert after["in"] == 0


async def test_a_swapped_sensor_has_another_serial_and_counts_from_zero() -> None:
    async with branch() as one:
        one.clock.advance(hours(2))
        before = await one.live()
        await one.sensor.inject("sensor_swap")
        after = await one.live()
        assert after["serial"] != before["serial"]
        assert after["in"] == 0
        await one.sensor.repair("sensor_swap")
        assert (await one.live())["serial"] == before["serial"]


async def test_http_errors_are_500_until_repaired() -> None:
    async with branch() as one:
        await one.sensor.inject("http_errors")
        assert (await one.get("live-sum.json"))[0] == 500
        await one.sensor.repair("http_errors")
        assert (await one.get("live-sum.json"))[0] == 200


async def test_after_a_restart_the_totals_have_fallen_in_the_middle_of_the_day() -> None:
    async with branch(boot_s=2) as one:
        one.clock.advance(hours(3))
        before = await one.live()
        await one.sensor.inject("restart")
        assert (await one.get("live-sum.json"))[0] == 503
        one.clock.advance(2000)
        after = await one.live()
        assert after["in"] == 0 < before["in"]
        assert after["serial"] == before["serial"]


async def test_directions_can_be_swapped_and_one_can_be_knocked() -> None:
    async with branch() as one:
        await one.sensor.inject("swapped_direction")
        one.clock.advance(hours(4))
        answer = await one.live()
        assert answer["in"] == pytest.approx(one.sensor.people_out, rel=0.15)
        await one.sensor.repair("swapped_direction")
        await one.sensor.inject("knocked")
        assert one.sensor.counter.knocked
        await one.sensor.repair("knocked")
        assert not one.sensor.counter.knocked


async def test_an_unknown_failure_is_refused_with_those_there_are() -> None:
    async with branch() as one:
        with pytest.raises(ValueError, match="ftf-01: no failure 'flood'; a footfall sensor has covered"):
            await one.sensor.inject("flood")


async def test_the_same_seed_gives_the_same_day_however_often_one_asks() -> None:
    async with branch() as often, branch() as once:
        for _ in range(40):
            often.clock.advance(hours(0.1))
            await often.live()
        once.clock.advance(40 * hours(0.1))
        assert await often.live() == await once.live()


async def test_it_lives_by_itself_and_leaves_its_port_when_stopped() -> None:
    port = free_port()
    world = World(begin_at=MORNING, pace=3600)
    sensor = FootfallSimulator("ftf-01", world, port)
    await sensor.start()
    life = asyncio.create_task(sensor.run())
    async with asyncio.timeout(10):
        while sensor.people_in == 0:
            await asyncio.sleep(0.02)
    life.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await life
    await sensor.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_its_clock_is_the_real_one_in_local_time_with_its_own_offset() -> None:
    async with branch(clock_offset_s=90.0, zone=UTC) as one:
        assert (await one.live())["timestamp"] == (MORNING.astimezone(UTC) + timedelta(seconds=90)).strftime(
            "%Y%m%d%H%M%S"
        )
