import json
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DeviceMisbehaved
from gateway.drivers.milesight.report import MOST_REPORT_BYTES, LineCount, LineTotal, parse_report
from tests.gateway.milesight.pushes import BEGIN, MINUTE, SERIAL, encoded, push

CHINA = timezone(timedelta(hours=8))


def test_a_periodic_push_with_totals_is_read() -> None:
    report = parse_report(encoded(push(0, {1: (3, 1)}, {1: (8442, 15583)})))
    assert (report.serial, report.device_id, report.site_id) == (SERIAL, "D1", "BR0421")
    assert (report.firmware, report.running_s) == ("V_125-LW.1.0.3-r2", 86_400)
    assert (report.begin_at, report.end_at) == (BEGIN, BEGIN + MINUTE)
    assert report.periodic == (LineCount(1, "uuid-1", 3, 1),)
    assert report.totals == (LineTotal(1, 8442, 15583, -7141),)
    assert report.trigger == ()


def test_a_trigger_push_has_a_moment_and_no_interval() -> None:
    report = parse_report(encoded(push(0, {2: (1, 0)}, trigger=True)))
    assert report.trigger == (LineCount(2, "uuid-2", 1, 0),)
    assert (report.periodic, report.begin_at, report.end_at) == ((), None, BEGIN + MINUTE)


@pytest.mark.parametrize(
    "text", ["2026-11-22 09:00:00", "2026/11/22 09:00:00", "2026-11-22T01:00:00Z", "2026-11-22T09:00:00+08:00"]
)
def test_times_without_offset_are_the_sensors_local_time(text: str) -> None:
    made = push(0, {1: (1, 1)}, trigger=True)
    made["time_info"] = {"time": text, "timezone": "UTC+8:00"}
    assert parse_report(encoded(made)).placed(CHINA).end_at == datetime(2026, 11, 22, 1, tzinfo=UTC)


def test_ids_have_two_names() -> None:
    made = push(0, {1: (1, 1)})
    device = made["device_info"]
    device["custom_device_id"], device["custom_site_id"] = device.pop("cus_device_id"), device.pop("cus_site_id")
    assert parse_report(encoded(made)).device_id == "D1"
    assert parse_report(encoded(made)).site_id == "BR0421"


def test_regions_and_dwell_are_read_from_periodic_and_trigger_pushes() -> None:
    count = {"total": {"current_total": 2}, "region": 1, "region_name": "Region1", "region_uuid": "r-1"}
    periodic = parse_report(encoded(push(region_data={
        "dwell_time_data": [{"avg_dwell_time": 308367, "max_dwell_time": 519934, "region": 1}],
        "region_count_data": [count],
    })))  # fmt: skip
    assert (periodic.regions, periodic.dwells_s) == (((1, 2),), ((1, 308.4),))
    left = [{"duration": 90_000, "region": 3, "people_id": 5}, {"duration": 30_000, "region": 3, "people_id": 6}]
    trigger = parse_report(encoded(push(region_trigger_data={"dwell_time_data": left, "region_count_data": [count]})))
    assert (trigger.regions, trigger.dwells_s) == (((1, 2),), ((3, 60.0),))


def test_an_older_sensors_region_count_is_read() -> None:
    report = parse_report(encoded({
        "event": "Region People Counting",
        "report_type": "interval",
        "device_info": {"device": "VS121-P", "device_sn": "6412B", "device_mac": "24:E1"},
        "time_info": {"time": "2026/11/22 09:00:00", "timezone": "UTC+8:00"},
        "current_total": 4,
        "Max_counted": 9,
        "occupancy": [{"region": 1, "status": 1}],
    }))  # fmt: skip
    assert (report.serial, report.model, report.regions) == ("6412B", "VS121-P", ((1, 4),))
    assert report.event == "Region People Counting"


def test_network_and_connection_tests_are_messages() -> None:
    assert parse_report(encoded(push(network_info={"network_status": "false", "imei": "86"}))).network == "false"
    assert parse_report(encoded(push(connection_test="ok"))).event == "connection test"


def test_inverted_lines_are_turned_and_others_are_not() -> None:
    report = parse_report(encoded(push(0, {1: (3, 1), 2: (5, 4)}, {1: (30, 10)}))).turned((1,))
    assert report.periodic == (LineCount(1, "uuid-1", 1, 3), LineCount(2, "uuid-2", 5, 4))
    assert report.totals == (LineTotal(1, 10, 30, -20),)


def _with(**changes: Any) -> bytes:
    return encoded(push(0, {1: (3, 1)}, {1: (8, 5)}) | changes)


def _line(**changes: Any) -> bytes:
    return _with(line_periodic_data=[{"line": 1, "line_uuid": "u", "total": {"in": 1, "out": 1}} | changes])


MALFORMED = [
    b"",
    b"null",
    b"[]",
    b"<html>",
    b"\xff\xfe",
    b"[" * 60_000,
    b'{"a":' * 10_000,
    _with(device_info=None),
    _with(device_info={}),
    _with(device_info={"device_sn": 5}),
    _with(device_info={"device_sn": "x" * 200}),
    _with(device_info={"device_sn": "x", "running_time": "for ever"}),
    _with(device_info={"device_sn": "x", "running_time": -1}),
    _with(time_info={}),
    _with(time_info={"time": "yesterday, some time ago"}),
    _with(time_info={"time": 1795338918}),
    _with(time_info={"time": "0001-01-01T00:00:00+14:00"}),
    _with(time_info={"time": "9999-12-31T23:59:59-12:00"}),
    _with(time_info={"start_time": "2026-11-22 10:00:00", "end_time": "2026-11-22 09:00:00"}),
    _with(time_info={"start_time": "2026-11-22 09:00:00", "end_time": "2026-11-22T09:01:00Z"}),
    _with(line_periodic_data={}),
    _line(line=0),
    _line(line=65),
    _line(line="1"),
    _line(total={"in": 1}),
    _line(total={"in": -1, "out": 0}),
    _line(total={"in": 1.5, "out": 0}),
    _line(total={"in": True, "out": 0}),
    _line(total={"in": "1", "out": 0}),
    _line(total={"in": 10**12, "out": 0}),
    _with(line_periodic_data=[{"line": 1, "total": {"in": 1, "out": 1}}] * 65),
    _with(line_total_data=[{"line": 1, "total": {"in_counted": -1, "out_counted": 0}}]),
    b" " * (MOST_REPORT_BYTES + 1),
]


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_push_is_refused(body: bytes) -> None:
    with pytest.raises(DeviceMisbehaved, match="push"):
        parse_report(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_KEYS = [
    "device_info",
    "time_info",
    "line_periodic_data",
    "line_trigger_data",
    "line_total_data",
    "region_data",
    "event",
]


@given(
    st.binary(max_size=400) | st.builds(lambda change: _with(**change), st.dictionaries(st.sampled_from(_KEYS), _JSON))
)
def test_random_pushes_are_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        report = parse_report(body).placed(CHINA)
    except DeviceMisbehaved:
        return
    assert report.serial
    assert len(report.periodic) <= 64


def test_memory_stays_flat_under_malformed_pushes() -> None:
    def feed(times: int) -> None:
        for number in range(times):
            body = MALFORMED[number % len(MALFORMED)]
            if len(body) < 5000:
                try:  # pytest.raises would cost more than what is tried
                    parse_report(body + json.dumps(number).encode() if number % 7 == 0 else body)
                except DeviceMisbehaved:
                    continue
                raise AssertionError(body)

    feed(1000)
    tracemalloc.start()
    feed(1000)
    before, _ = tracemalloc.get_traced_memory()
    feed(30_000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 500_000
