"""Histories over HTTP: sums by time, what is missing of them, and how the store behind them stands."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from collector.adapters.duckdb_store import DuckDbStore
from contracts.errors import DependencyUnavailable
from tests.console.house import ATM, BRANCH, House, atm

MINUTE_MS = 60_000
DAY_MS = 86_400_000


async def stored(house: House, packs: int) -> None:
    await house.wait_for("gateways", lambda page: page["items"] and page["items"][0]["committed_packs"] == packs)


async def reported(house: House) -> int:
    """Three minutes of readings of yesterday; their begin."""
    branch = house.branch()
    await branch.announce(atm())
    begin_ms = (branch._clock.now_ms() - DAY_MS) // MINUTE_MS * MINUTE_MS
    rows = ((0, 10, 5, "closed"), (30, 20, 7, "open"), (60, 6, 2, "closed"), (125, 1, 3, "jammedOpen"))
    for second, count, presents, shutter in rows:
        age_ms = branch._clock.now_ms() - begin_ms - second * 1000
        await branch.report("atm-01", age_ms, cdm__unit1__count=count, cdm__presents=presents, cdm__shutter=shutter)
    await stored(house, len(rows))
    return begin_ms


async def test_readings_are_summed_up_for_several_signals_at_once(house: House) -> None:
    begin_ms = await reported(house)
    history = await house.get(f"devices/{ATM}/history?path=cdm/unit1/count&from=0")
    times = [item["observed_at_ms"] for item in history["items"]]
    from_ms, to_ms = times[0] // MINUTE_MS * MINUTE_MS, times[-1] + 1
    assert abs(from_ms - begin_ms) <= MINUTE_MS
    paths = "path=cdm/unit1/count&path=cdm/presents&path=cdm/shutter"
    found = await house.get(f"devices/{ATM}/buckets?{paths}&bucket_s=86400&from={from_ms}&to={to_ms}")
    assert (found["device_id"], found["bucket_s"], found["missing"]) == (ATM, 86400, [])
    gauge, counter, state = found["signals"]
    assert [item["path"] for item in found["signals"]] == ["cdm/unit1/count", "cdm/presents", "cdm/shutter"]

    def total(signal: Any, key: str) -> float:
        return sum(float(item[key]) for item in signal["items"])

    assert [total(signal, "count") for signal in found["signals"]] == [4, 4, 4]
    assert min(item["minimum"] for item in gauge["items"]) == 1
    assert max(item["maximum"] for item in gauge["items"]) == 20
    assert total({"items": [{"sum": item["mean"] * item["count"]} for item in gauge["items"]]}, "sum") == 37
    assert (gauge["items"][-1]["last"], gauge["items"][-1]["increase"], gauge["sort"]) == (1, None, "gauge")
    assert total(counter, "increase") == (7 - 5) + 2 + (3 - 2)
    last = state["items"][-1]
    assert (last["last_word"], last["minimum"], last["mean"], last["increase"]) == ("jammedOpen", None, None, None)
    minutes = await house.get(f"devices/{ATM}/buckets?path=cdm/unit1/count&bucket_s=60&from={from_ms}&to={to_ms}")
    begins = [item["begins_at_ms"] for item in minutes["signals"][0]["items"]]
    assert begins == sorted({time // MINUTE_MS * MINUTE_MS for time in times})


async def test_a_signal_without_readings_in_the_time_is_there_and_empty(house: House) -> None:
    await reported(house)
    found = await house.get(f"devices/{ATM}/buckets?path=cdm/unit1/count&bucket_s=60&from=0&to=60000")
    assert [signal["items"] for signal in found["signals"]] == [[]]
    assert (await house.get(f"devices/{ATM}/buckets?path=no/such&bucket_s=60&from=0&to=1", 404))["code"] == "not_found"


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("path=a&bucket_s=0&from=0", "query.bucket_s"),
        ("path=a&bucket_s=9999999&from=0", "query.bucket_s"),
        ("path=a&from=0", "query.bucket_s"),
        ("bucket_s=60&from=0", "query.path"),
        ("path=a&bucket_s=60", "query.from"),
        ("path=a&bucket_s=60&from=100&to=100", "query.to"),
        ("path=a&bucket_s=60&from=0", "query.bucket_s"),
        ("path=a&path=b&bucket_s=60&from=0&to=600060000", "query.bucket_s"),
        ("path=a&bucket_s=60&from=0&limit=3", "query.limit"),
        ("&".join(f"path=p{number}" for number in range(51)) + "&bucket_s=60&from=0&to=1", "query.path"),
    ],
)
async def test_sums_that_cannot_be_given_are_refused_with_the_field(house: House, query: str, where: str) -> None:
    await house.branch().announce(atm())
    await house.wait_for("devices", lambda page: page["items"])
    refused = await house.get(f"devices/{ATM}/buckets?{query}", 422)
    assert (refused["code"], refused["errors"][0]["where"]) == ("invalid_request", where)
    assert refused["errors"][0]["expected"]


async def test_what_is_missing_is_listed_and_stands_beside_the_history_it_concerns(house: House) -> None:
    branch = house.branch()
    await branch.announce(atm())
    await branch.report("atm-01", cdm__unit1__count=1)
    branch._seq += 3
    await asyncio.sleep(0.01)  # so that what is missing has a time of its own
    await branch.report("atm-01", cdm__unit1__count=5)
    await stored(house, 2)
    review = house.collector._intake._review
    review._policy = replace(review._policy, grace_ms=0)
    found = await house.wait_for(f"gateways/{BRANCH}/missing", lambda page: page["items"])
    (item,) = found["items"]
    assert (item["state"], item["ranges"], item["packs"], item["id"]) == ("asked_for", [[2, 4]], 3, None)
    history = await house.get(f"devices/{ATM}/history?path=cdm/unit1/count&from=0")
    assert history["missing"] == [item]
    first_ms, last_ms = (point["observed_at_ms"] for point in history["items"])
    assert first_ms <= item["after_ms"] <= item["before_ms"]
    assert (await house.get(f"devices/{ATM}/history?path=cdm/unit1/count&from={last_ms + 60_000}"))["missing"] == []
    sums = await house.get(f"devices/{ATM}/buckets?path=cdm/unit1/count&bucket_s=3600&from={first_ms}")
    assert sums["missing"] == [item]
    assert (await house.get("gateways/BR7777/missing", 404))["code"] == "not_found"


async def test_the_store_says_which_it_is_and_how_far(house: House) -> None:
    branch = house.branch()
    await branch.announce(atm())
    await branch.report("atm-01", cdm__unit1__count=1)
    await stored(house, 1)
    found = await house.get("store")
    assert (found["kind"], found["damages"], found["waits_for"]) == ("duckdb", [], [])
    assert found["position"] >= 1
    assert found["series"] >= 1
    assert found["retention"] == {"readings_days": 90, "minutes_days": 400, "hours_days": 3650, "events_days": 400}


async def test_a_store_that_does_not_answer_shows_while_the_intake_waits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = house.branch()
    await branch.announce(atm())
    await branch.report("atm-01", cdm__unit1__count=1)
    await stored(house, 1)

    async def away(*_args: Any) -> int:
        raise DependencyUnavailable("store: does not answer")

    with monkeypatch.context() as patches:
        patches.setattr(DuckDbStore, "append", away)
        await branch.report("atm-01", cdm__unit1__count=2)
        await house.wait_for("store", lambda state: state["waits_for"] == ["store"])
        async with house.http.get(f"{house.console.url}/metrics") as response:
            assert "\nbranchwatch_intake_waiting 1.0\n" in await response.text()
        async with house.http.get(f"{house.console.url}/readyz") as response:
            assert response.status == 503
            (collector,) = (await response.json(content_type=None))["dependencies"]
            assert (collector["name"], collector["ready"]) == ("collector", False)
            assert "store" in collector["detail"]
    await stored(house, 2)
    async with house.http.get(f"{house.console.url}/readyz") as response:
        assert response.status == 200
