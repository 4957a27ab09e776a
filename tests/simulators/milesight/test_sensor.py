"""The sensor's pushes over HTTP and MQTT, taken by an HTTP server and a broker that are not ours."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import encode_basic_auth

from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings
from runtime.supervisor import Backoff
from simulators.milesight import MilesightSimulator, MqttTarget, Quirks
from simulators.milesight.delivery import MEMORY
from simulators.world import World
from tests.conftest import free_port
from tests.simulators.milesight.receiver import MORNING, Door, Receiver, eventually, living, receiver

QUICK = Backoff(first_s=0.01, most_s=0.02)


def totals(report: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = report["line_total_data"][0]["total"]
    return found


async def morning(quirks: Quirks | None = None, minutes: int = 90, **options: Any) -> tuple[Door, Receiver]:
    """What a sensor pushed in the first minutes of a morning."""
    async with receiver() as one, living(Door(one.url, quirks=quirks, pause=QUICK, **options)) as door:
        await door.minutes(minutes)
        await door.settled()
    return door, one


async def test_a_minute_is_reported_with_who_when_and_how_many() -> None:
    _, one = await morning(minutes=3, serial="6537F28545220003", device_id="D1", site_id="BR0421")
    report = one.reports[0]
    assert list(report) == ["device_info", "time_info", "line_periodic_data", "line_total_data", "region_data"]
    device = report["device_info"]
    assert device["device_sn"] == "6537F28545220003"
    assert (device["cus_device_id"], device["cus_site_id"]) == ("D1", "BR0421")
    assert report["time_info"] == {
        "time_zone": "UTC+8:00 China Standard Time (CT/CST)",
        "enable_dst": False,
        "dst_status": False,
        "start_time": "2026-11-20T01:00:00+00:00",
        "end_time": "2026-11-20T01:01:00+00:00",
    }
    assert set(report["line_periodic_data"][0]) == {"line", "line_name", "line_uuid", "total", "group"}
    assert one.headers[0]["Content-Type"] == "application/json"


async def test_intervals_follow_each_other_without_a_gap_and_add_up_to_the_totals() -> None:
    door, one = await morning()
    times = [(report["time_info"]["start_time"], report["time_info"]["end_time"]) for report in one.reports]
    assert len(times) == 90
    assert [end for _, end in times[:-1]] == [start for start, _ in times[1:]]
    counted = [sum(column) for column in zip(*one.lines(), strict=True)]
    last = totals(one.reports[-1])
    assert counted == [last["in_counted"], last["out_counted"]]
    assert last["capacity_counted"] == last["in_counted"] - last["out_counted"]
    assert last["in_counted"] == pytest.approx(door.sensor.people_in, rel=0.15)
    assert door.sensor.people_in > 40


async def test_the_region_knows_how_many_are_inside_and_how_long_they_stay() -> None:
    _, one = await morning()
    regions = [report["region_data"] for report in one.reports]
    inside = [region["region_count_data"][0]["total"]["current_total"] for region in regions]
    stays_s = [region["dwell_time_data"][0]["avg_dwell_time"] / 1000 for region in regions]
    last = totals(one.reports[-1])
    assert inside[-1] == max(0, last["capacity_counted"])
    assert max(inside) > 3
    assert 60 < max(stays_s) < 3600
    assert min(stays_s) == 0


async def test_uptime_grows_by_a_minute_a_minute() -> None:
    _, one = await morning(minutes=5)
    assert [report["device_info"]["running_time"] for report in one.reports] == [60, 120, 180, 240, 300]


async def test_totals_start_again_at_local_midnight_and_intervals_go_on() -> None:
    async with receiver() as one:
        begin = datetime.combine(MORNING.date(), MORNING.timetz()).replace(hour=23, minute=50)
        door = Door(one.url, begin=begin, pause=QUICK)
        door.sensor.counter.total.people_in = 40
        async with living(door):
            await door.minutes(20)
            await door.settled()
        counted = [totals(report)["in_counted"] for report in one.reports]
        ends = [report["time_info"]["end_time"] for report in one.reports]
    assert counted[0] == 40
    assert counted[-1] == 0
    assert counted[ends.index("2026-11-20T16:01:00+00:00")] == 0


async def test_what_is_not_answered_200_is_pushed_again_in_order_and_once() -> None:
    async with receiver() as one, living(Door(one.url, pause=QUICK)) as door:
        one.status = 503
        await door.minutes(30)
        await eventually(lambda: one.refused >= 3)
        assert not one.reports
        one.status = 200
        await door.settled()
        starts = [report["time_info"]["start_time"] for report in one.reports]
    assert len(starts) == 30
    assert starts == sorted(set(starts))


async def test_a_receiver_that_is_not_there_costs_nothing_but_time() -> None:
    port = free_port()
    async with living(Door(f"http://127.0.0.1:{port}/counters/br0001", pause=QUICK)) as door:
        await door.minutes(10)
        await eventually(lambda: door.sensor.counts.failed >= 2)
        async with receiver(port) as one:
            await door.settled()
            assert len(one.reports) == 10


async def test_its_memory_holds_a_day_of_minutes_and_then_forgets_the_oldest() -> None:
    door = Door("http://127.0.0.1:1/", pause=QUICK)
    await door.minutes(MEMORY + 25)
    assert door.sensor.waiting == MEMORY
    assert door.sensor.counts.overwritten == 25


async def test_lost_reports_leave_holes_that_the_totals_still_tell() -> None:
    door, one = await morning(lose=0.2, minutes=120)
    assert len(one.reports) == 120 - door.sensor.counts.lost
    assert door.sensor.counts.lost > 5
    counted = sum(came for came, _ in one.lines())
    assert counted < totals(one.reports[-1])["in_counted"]


async def test_repeated_reports_are_the_same_bytes_twice() -> None:
    door, one = await morning(repeat=0.2, minutes=60)
    assert door.sensor.counts.repeated > 3
    assert len(one.raw) == 60 + door.sensor.counts.repeated
    assert len(set(one.raw)) == 60


async def test_the_password_is_given_where_there_is_one() -> None:
    _, one = await morning(minutes=1, credentials=("push", "s3cret"))
    assert one.headers[0]["Authorization"] == encode_basic_auth("push", "s3cret")


@pytest.mark.parametrize("topic", ["footfall/br0001", "ms/$siteid/$devid/$prdmd/$devsn"])
async def test_a_broker_takes_the_same_reports(mosquitto: BrokerSettings, topic: str) -> None:
    listener = MqttClient(mosquitto, "listener", subscriptions=["#"])
    listener.start()
    await listener.wait_connected(10)
    try:
        target = MqttTarget("127.0.0.1", mosquitto.port, topic)
        async with living(Door(target, mode="mqtt", serial="6537F28545220003", site_id="BR1", pause=QUICK)) as door:
            await door.minutes(4)
            await door.settled()
            got: list[Message] = []
            async with asyncio.timeout(10):
                while len(got) < 4:
                    got += await listener.receive(10)
    finally:
        await listener.stop()
    assert {message.topic for message in got} == {
        "footfall/br0001" if "$" not in topic else "ms/BR1/ftf-02/VS125/6537F28545220003"
    }
    reports = [json.loads(message.payload) for message in got]
    assert [report["time_info"]["end_time"][14:16] for report in reports] == ["01", "02", "03", "04"]


async def test_an_old_model_has_other_names_and_times() -> None:
    _, one = await morning(Quirks(old_model=True), minutes=60)
    report = one.reports[-1]
    assert (report["event"], report["report_type"]) == ("Region People Counting", "interval")
    assert report["device_info"]["device"] == "VS121-P"
    assert report["time_info"] == {
        "timezone": "UTC+8:00 China Standard Time (CT/CST)",
        "start_time": "2026/11/20 09:59:00",
        "end_time": "2026/11/20 10:00:00",
    }
    assert report["max_counted"] >= report["current_total"] == report["occupancy"][0]["current_total"]


async def test_some_firmwares_have_other_ids_and_local_times_without_offset() -> None:
    _, one = await morning(Quirks(custom_ids=True, local_time_without_offset=True), minutes=1, site_id="BR7")
    assert one.reports[0]["device_info"]["custom_site_id"] == "BR7"
    assert "cus_site_id" not in one.reports[0]["device_info"]
    assert one.reports[0]["time_info"]["start_time"] == "2026-11-20 09:00:00"


async def test_triggers_tell_the_same_people_a_second_time() -> None:
    _, one = await morning(Quirks(trigger_too=True))
    triggers = [report for report in one.reports if "line_trigger_data" in report]
    assert all(set(report["time_info"]) >= {"time"} for report in triggers)
    told = [sum(column) for column in zip(*one.lines("line_trigger_data"), strict=True)]
    counted = [sum(column) for column in zip(*one.lines(), strict=True)]
    assert told == counted
    assert sum(told) > 50


async def test_a_covered_sensor_reports_nobody_while_people_come() -> None:
    async with receiver() as one, living(Door(one.url, pause=QUICK)) as door:
        await door.minutes(30)
        await door.sensor.inject("covered")
        await door.settled()
        before, came = totals(one.reports[-1]), door.sensor.people_in
        await door.minutes(60)
        await door.settled()
        assert totals(one.reports[-1]) == before
        assert door.sensor.people_in > came + 20
        await door.sensor.repair("covered")
        await door.minutes(30)
        await door.settled()
        assert totals(one.reports[-1])["in_counted"] > before["in_counted"]


async def test_a_restart_begins_a_new_uptime_misses_who_passes_and_keeps_the_totals() -> None:
    async with receiver() as one, living(Door(one.url, pause=QUICK, boot_s=600)) as door:
        await door.minutes(30)
        await door.settled()
        before = totals(one.reports[-1])
        await door.sensor.inject("restart")
        await door.minutes(9)
        assert len(one.reports) == 30
        await door.minutes(3)
        await door.settled()
        after = one.reports[-1]
    assert len(one.reports) == 33
    assert after["device_info"]["running_time"] == 120
    assert totals(after)["in_counted"] - before["in_counted"] < door.sensor.people_in - before["in_counted"]
    assert totals(after)["in_counted"] >= before["in_counted"]


async def test_an_offline_sensor_pushes_nothing_and_then_everything_it_kept() -> None:
    async with receiver() as one, living(Door(one.url, pause=QUICK)) as door:
        await door.sensor.inject("offline")
        await door.minutes(45)
        assert not one.reports
        assert door.sensor.waiting == 45
        await door.sensor.repair("offline")
        await door.settled()
    assert len(one.reports) == 45


async def test_a_frozen_clock_gives_every_interval_the_same_time() -> None:
    async with receiver() as one, living(Door(one.url, pause=QUICK)) as door:
        await door.sensor.inject("clock_frozen")
        await door.minutes(60)
        await door.settled()
        assert len({report["time_info"]["end_time"] for report in one.reports}) == 1
        assert sum(came for came, _ in one.lines()) > 20
        await door.sensor.repair("clock_frozen")
        await door.minutes(1)
        await door.settled()
        assert one.reports[-1]["time_info"]["end_time"] == "2026-11-20T02:01:00+00:00"


async def test_a_swapped_sensor_has_another_serial_another_line_and_counts_from_zero() -> None:
    async with receiver() as one, living(Door(one.url, pause=QUICK)) as door:
        await door.minutes(30)
        await door.sensor.inject("swapped")
        await door.minutes(1)
        await door.settled()
        before, after = one.reports[-2:]
        await door.sensor.repair("swapped")
        await door.minutes(1)
        await door.settled()
        again = one.reports[-1]
    for key in ("device_sn", "device_mac"):
        assert before["device_info"][key] != after["device_info"][key]
        assert before["device_info"][key] == again["device_info"][key]
    assert before["line_total_data"][0]["line_uuid"] != after["line_total_data"][0]["line_uuid"]
    assert totals(after)["in_counted"] < totals(before)["in_counted"] <= totals(again)["in_counted"]
    assert after["device_info"]["running_time"] <= 60


async def test_a_sensor_mounted_the_wrong_way_round_takes_in_for_out_until_it_is_turned() -> None:
    async with receiver() as one, living(Door(one.url, quirks=Quirks(swapped_direction=True), pause=QUICK)) as door:
        await door.minutes(120)
        await door.settled()
        wrong, came = totals(one.reports[-1]), door.sensor.people_in
        assert wrong["out_counted"] == pytest.approx(came, rel=0.15)
        await door.sensor.inject("swapped_direction")
        await door.minutes(60)
        await door.settled()
        right = totals(one.reports[-1])
    assert right["in_counted"] - wrong["in_counted"] == pytest.approx(door.sensor.people_in - came, abs=6)


async def test_a_knocked_sensor_misses_a_quarter_of_those_who_leave() -> None:
    door = Door("http://127.0.0.1:1/", visitors_a_day=3000)
    await door.sensor.inject("knocked")
    await door.minutes(8 * 60)
    total = door.sensor.counter.total
    assert total.people_in == pytest.approx(door.sensor.people_in * 0.98, rel=0.03)
    assert total.people_out == pytest.approx(door.sensor.people_out * 0.97 * 0.75, rel=0.05)
    await door.sensor.repair("knocked")
    assert door.sensor.counter.knocked is False


async def test_a_clock_that_is_off_reports_full_minutes_of_its_own() -> None:
    _, one = await morning(minutes=3, clock_offset_s=25.0)
    ends = [report["time_info"]["end_time"] for report in one.reports]
    assert ends == [f"2026-11-20T01:0{minute}:00+00:00" for minute in (1, 2, 3)]


async def test_by_the_real_clock_it_pushes_every_second_where_told_to() -> None:
    async with receiver() as one:
        world = World(begin_at=MORNING + timedelta(hours=1), pace=600)
        door = Door(one.url)
        door.sensor = MilesightSimulator("ftf-02", world, one.url, period_s=1, pause=QUICK)
        async with living(door):
            await eventually(lambda: len(one.reports) >= 3)
        assert sum(came for came, _ in one.lines()) > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [({"mode": "mqtt"}, "mode mqtt with target"), ({"period_s": 0}, "period_s = 0: expected 1 or more")],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MilesightSimulator("ftf-02", World(), "http://127.0.0.1:1/", **options)


async def test_an_unknown_failure_is_refused_with_those_there_are() -> None:
    door = Door("http://127.0.0.1:1/")
    with pytest.raises(ValueError, match="ftf-02: no failure 'flood'; a footfall sensor has covered"):
        await door.sensor.inject("flood")
