"""Peculiar counters, and the failures that concern the device and not its count."""

import asyncio
import contextlib
import random
import statistics
from datetime import datetime, timedelta

import aiohttp
import pytest
from aiohttp import DigestAuthMiddleware, encode_basic_auth

from simulators.footfall import Quirks
from simulators.footfall.mishaps import Mishap, Mishaps
from simulators.footfall.profile import BETWEEN_BRANCHES, VISITORS_A_DAY, visitors_an_hour, visitors_of_branch
from simulators.world import CHINA
from tests.simulators.footfall.test_sensor import NEWER, OLDER, branch, hours


async def test_older_firmware_is_found_under_its_path_only() -> None:
    async with branch(quirks=Quirks(old_paths=True)) as one:
        assert (await one.get("live-sum.json", OLDER))[0] == 200
        assert (await one.get("live-sum.json", NEWER))[0] == 404


async def test_a_sensor_with_basic_only_neither_offers_nor_takes_digest() -> None:
    async with branch(credentials=("viewer", "s3cret"), quirks=Quirks(basic_auth=True)) as one:
        async with one.client.get(f"http://127.0.0.1:{one.sensor.port}{OLDER}?live-sum.json") as response:
            assert response.status == 401
            offered = response.headers.getall("WWW-Authenticate")
        assert [scheme.partition(" ")[0] for scheme in offered] == ["Basic"]
        digest = DigestAuthMiddleware("viewer", "s3cret", preemptive=False)
        assert (await one.get("live-sum.json", middlewares=(digest,)))[0] == 401
        basic = {"Authorization": encode_basic_auth("viewer", "s3cret")}
        assert (await one.get("live-sum.json", headers=basic))[0] == 200


async def test_a_clock_can_stand_still_from_the_beginning() -> None:
    async with branch(quirks=Quirks(frozen_clock=True)) as one:
        before = await one.live()
        one.clock.advance(hours(2))
        after = await one.live()
    assert after["timestamp"] == before["timestamp"]
    assert after["in"] > before["in"]


async def test_a_sensor_mounted_the_wrong_way_round_takes_in_for_out_until_it_is_turned() -> None:
    async with branch(quirks=Quirks(swapped_direction=True)) as one:
        one.clock.advance(hours(3))
        wrong = await one.live()
        assert wrong["out"] == pytest.approx(one.sensor.people_in, rel=0.15)
        await one.sensor.inject("swapped_direction")
        one.clock.advance(hours(2))
        right = await one.live()
        came = right["in"] - wrong["in"]
        assert came > 0
        assert not one.sensor.counter.swapped


async def test_an_offline_sensor_listens_nowhere_and_comes_back_on_its_port_with_what_it_counted() -> None:
    async with branch() as one:
        one.clock.advance(hours(1))
        before = await one.live()
        port = one.sensor.port
        await one.sensor.inject("offline")
        with pytest.raises(aiohttp.ClientConnectionError):
            await one.live()
        one.clock.advance(hours(1))
        await one.sensor.repair("offline")
        assert one.sensor.port == port
        assert (await one.live())["in"] > before["in"]


async def test_an_operator_can_clear_what_was_counted() -> None:
    async with branch() as one:
        one.clock.advance(hours(2))
        assert (await one.live())["in"] > 0
        async with one.client.get(f"http://127.0.0.1:{one.sensor.port}{OLDER}operator?clear-data") as response:
            assert response.status == 200
        cleared = await one.live()
        _, export = await one.get("export-json&date=all&res=24h")
        assert (cleared["in"], list(export["data"].values())) == (0, [[0, 0]])
        assert (await one.get("format-disk", OLDER + "operator"))[0] == 404


async def test_an_operators_command_needs_the_password_as_well() -> None:
    async with branch(credentials=("viewer", "s3cret")) as one:
        one.clock.advance(hours(2))
        assert (await one.get("clear-data", OLDER + "operator"))[0] == 401
        assert one.sensor.counter.total.people_in > 0


@pytest.mark.parametrize("width", ["15m", "1h", "24h"])
async def test_the_history_of_a_day_adds_up_to_what_the_live_sum_said(width: str) -> None:
    async with branch() as one:
        for _ in range(5):
            one.clock.advance(hours(1.7))
            live = await one.live()
            _, export = await one.get(f"export-json&date=20261120&res={width}")
            columns = list(zip(*export["data"].values(), strict=True))
            assert [sum(column) for column in columns] == [live["in"], live["out"]]


async def test_another_device_and_a_frozen_clock_have_two_names_each() -> None:
    async with branch() as one:
        serial = one.sensor.counter.serial
        await one.sensor.inject("swapped")
        assert one.sensor.counter.serial != serial
        await one.sensor.repair("swapped")
        await one.sensor.inject("clock_frozen")
        stood = one.sensor.camera_time()
        one.clock.advance(1000)
        await asyncio.sleep(0)
        assert one.sensor.camera_time() == stood
        await one.sensor.repair("clock_frozen")
        assert one.sensor.camera_time() == stood + timedelta(seconds=1)


def test_a_business_district_is_busy_at_lunch_and_closed_on_sunday() -> None:
    def day(number: int) -> list[float]:
        return [visitors_an_hour(datetime(2026, 11, number, hour, tzinfo=CHINA), 355, "lunch") for hour in range(24)]

    assert [round(rate) for rate in day(17)[9:17]] == [32, 22, 58, 72, 49, 32, 24, 66]
    assert sum(day(20)) == pytest.approx(355 * 1.7)
    assert [round(rate) for rate in day(21)[9:13]] == [82, 56, 135, 0]
    assert sum(day(22)) == 0


def test_branches_of_a_tier_differ_as_much_as_said() -> None:
    chance = random.Random(3)
    drawn = [visitors_of_branch(2, chance) for _ in range(4000)]
    assert statistics.mean(drawn) == pytest.approx(VISITORS_A_DAY[2], rel=0.03)
    assert statistics.stdev(drawn) / statistics.mean(drawn) == pytest.approx(BETWEEN_BRANCHES, rel=0.08)


def test_restarts_and_frozen_clocks_come_as_often_as_said_and_every_frozen_clock_is_set() -> None:
    now = datetime(2026, 1, 1, tzinfo=CHINA)
    restarts = freezes = 0
    for seed in range(40):
        mishaps = Mishaps(random.Random(seed), now)
        happened = mishaps.until(now + timedelta(days=3650))
        restarts += happened.count(Mishap.RESTART)
        clocks = [mishap for mishap in happened if mishap is not Mishap.RESTART]
        assert clocks == ([Mishap.FREEZE, Mishap.THAW] * len(clocks))[: len(clocks)]
        freezes += clocks.count(Mishap.FREEZE)
        assert mishaps.until(now + timedelta(days=3650)) == []
    assert restarts == pytest.approx(40 * 3650 / 45, rel=0.1)
    assert freezes == pytest.approx(40 * 5, rel=0.25)


async def test_a_sensor_left_to_itself_restarts_now_and_then() -> None:
    async with branch(pace=86_400 * 30, mishaps=True, visitors_a_day=5.0) as one:
        one.clock.advance(20_000)
        life = asyncio.create_task(one.sensor.run())
        await asyncio.sleep(0)
        life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life
        assert one.sensor.refusal() == 503
