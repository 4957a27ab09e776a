"""What the InfluxDB store sends: lines, requests, the v2 write route on a real server, and refusals in words."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from collector.adapters.influxdb_lines import (
    digits,
    event_lines,
    packed,
    reading_lines,
    tag_set,
    tag_set_of,
    tags_of,
)
from collector.adapters.influxdb_writes import InfluxWrites
from collector.settings import InfluxDbSettings
from collector.store import SeriesRow
from contracts.errors import DependencyUnavailable
from contracts.readings import EventReading, ReadingBatch
from tests.collector.stores import NOW_MS, SERIES
from tests.conftest import free_port
from tests.victoria_metrics import victoria_metrics

TAGS = [tag_set(row) for row in SERIES]

_values = st.floats(allow_nan=False, allow_infinity=False)
_rows = st.lists(st.tuples(st.integers(0, 3), st.integers(NOW_MS, NOW_MS + 3), _values, st.booleans()), max_size=30)
Row = tuple[int, int, float, bool]


def batch_of(rows: Sequence[Row]) -> ReadingBatch:
    found = ReadingBatch.of([row[:3] for row in rows])
    return ReadingBatch(found.series, found.observed_at_ms, found.value, np.array([row[3] for row in rows], np.bool_))


@given(_rows, st.integers(0, 30))
def test_a_point_is_the_same_in_whatever_batch_it_comes(rows: list[Row], cut: int) -> None:
    whole = reading_lines(batch_of(rows), TAGS)
    assert whole == reading_lines(batch_of(rows[:cut]), TAGS) + reading_lines(batch_of(rows[cut:]), TAGS)


@given(_rows)
def test_a_line_says_what_was_read(rows: list[Row]) -> None:
    for line, (series, observed_at_ms, value, live) in zip(reading_lines(batch_of(rows), TAGS), rows, strict=True):
        name, fields, time_ns = line.split(" ")
        assert name == f"reading,{TAGS[series]}"
        assert int(time_ns) // 1_000_000 == observed_at_ms
        assert float(fields.removesuffix(",backfilled=true").removeprefix("value=")) == value
        assert fields.endswith("backfilled=true") == (not live)


@given(st.integers(0, 2**18 - 1), st.integers(0, 2**18 - 1))
def test_counts_and_states_of_one_moment_are_always_told_apart(one: int, other: int) -> None:
    found = digits(np.array([float(one), float(other)]))
    assert (found[0] == found[1]) == (one == other)


@given(st.lists(_values, min_size=1, max_size=50))
def test_digits_stay_below_the_millisecond(values: list[float]) -> None:
    found = digits(np.array(values))
    assert ((found >= 0) & (found < 1_000_000)).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        reading_lines(ReadingBatch.of([(0, NOW_MS, value)]), TAGS)


_names = st.text(st.characters(exclude_characters="/\\\n\r", exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(_names, _names, _names, _names)
def test_tags_come_back_from_a_line(branch: str, local: str, kind: str, path: str) -> None:
    written = tag_set(SeriesRow(0, f"{branch}/{local}", kind, path))
    tags = tags_of(written)
    assert tags == {"branch": branch, "device": local, "kind": kind, "path": path}
    assert tag_set_of(tags) == written


@pytest.mark.parametrize(("device", "path"), [("BR1", "a"), ("BR1/x", ""), ("BR1/x\ny", "a"), ("BR1/x", "a\\")])
def test_names_that_are_no_tags_are_refused(device: str, path: str) -> None:
    with pytest.raises(ValueError, match="cannot be a tag"):
        tag_set(SeriesRow(7, device, "atm", path))


@given(st.lists(st.text("abc卡", min_size=1, max_size=40), max_size=40), st.integers(1, 200))
def test_requests_hold_all_lines_in_order_and_keep_the_bound(lines: list[str], most: int) -> None:
    bodies = packed(lines, most)
    assert b"\n".join(bodies) == "\n".join(lines).encode()
    longest = max((len(line.encode()) for line in lines), default=0)
    assert all(len(body) <= max(most, longest) for body in bodies)


async def test_a_server_with_the_v2_write_route_itself_takes_what_is_written(tmp_path: Path) -> None:
    """VictoriaMetrics, which keeps milliseconds and numbers only: no events, and no digits below them."""
    readings = [(series, NOW_MS + number * 10, number / 8) for number in range(500) for series in range(3)]
    with victoria_metrics(tmp_path / "victoria-metrics", free_port()) as server:
        writes = InfluxWrites(InfluxDbSettings(url=server.url, request_bytes=64 * 1024))
        try:
            await writes.write("readings", reading_lines(ReadingBatch.of(readings), TAGS))
        finally:
            await writes.close()
        found = await asyncio.to_thread(server.points, '{__name__="reading_value"}')
    assert len(found) == 3
    for number, row in enumerate(SERIES[:3]):
        branch_id, local_id = row.device_id.split("/")
        labels = {
            "__name__": "reading_value", "branch": branch_id, "device": local_id, "kind": row.kind, "path": row.path,
        }  # fmt: skip
        points = next(points for key, points in found.items() if labels.items() <= dict(key).items())
        assert points == [(at_ms, value) for series, at_ms, value in readings if series == number]


class Answers:
    """A server that gives prepared answers to writes, so that each refusal can be had.

    Attributes:
        bodies: what was written.
    """

    def __init__(self, *answers: tuple[int, str]) -> None:
        self._answers = list(answers)
        self.bodies: list[bytes] = []
        self.queries: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []

    @asynccontextmanager
    async def writing(self, **settings: Any) -> AsyncIterator[InfluxWrites]:
        application = web.Application()
        application.router.add_post("/api/v2/write", self._answer)
        runner = web.AppRunner(application, access_log=None, auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        writes = InfluxWrites(InfluxDbSettings(url=f"http://127.0.0.1:{runner.addresses[0][1]}", **settings))
        try:
            yield writes
        finally:
            await writes.close()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.bodies.append(gzip.decompress(await request.read()))
        self.queries.append(dict(request.query))
        self.headers.append(dict(request.headers))
        status, text = self._answers.pop(0) if self._answers else (204, "")
        return web.Response(status=status, text=text or None)


async def test_a_write_is_compressed_and_names_bucket_precision_and_token() -> None:
    answers = Answers()
    async with answers.writing(token="s3cret", org="bank", database="watch") as writes:
        await writes.write("readings", ["reading,a=b value=1.0 1"])
    assert answers.bodies == [b"reading,a=b value=1.0 1"]
    assert answers.queries == [{"bucket": "watch/readings", "org": "bank", "precision": "ns"}]
    assert answers.headers[0]["Authorization"] == "Token s3cret"
    assert answers.headers[0]["Content-Encoding"] == "gzip"


async def test_what_passes_by_itself_is_tried_again() -> None:
    answers = Answers((503, "busy"), (429, "slow down"))
    async with answers.writing() as writes:
        await writes.write("readings", ["reading,a=b value=1.0 1"])
    assert len(answers.bodies) == 3
    assert len(set(answers.bodies)) == 1


@pytest.mark.parametrize(
    ("status", "text", "said", "tries"),
    [
        (503, "busy", "answered 503: busy", 2),
        (401, '{"error":"authorization failed"}', "check collector.influxdb.token", 1),
        (403, '{"message":"forbidden"}', "refused with 403: forbidden; check collector.influxdb.token", 1),
        (404, '{"error":"database not found: \\"branchwatch\\""}', "branchwatch db upgrade", 1),
        (404, '{"code":"not found","message":"bucket \\"branchwatch/readings\\" not found"}', "branchwatch db upgrade", 1),
        (500, '{"error":"retention policy not found: readings"}', "branchwatch db upgrade", 2),
        (404, '{"code":"not found","message":"organization name \\"x\\" not found"}', "check collector.influxdb.org", 1),
        (404, "404 page not found", "expected InfluxDB 1.8 or later at collector.influxdb.url", 1),
        (413, '{"error":"Request Entity Too Large"}', "lower collector.influxdb.request_bytes", 1),
        (400, '{"error":"partial write: field type conflict: input field dropped=1"}', "nothing was committed", 1),
        (422, '{"message":"failure writing points to database: partial write: max-series"}', "max-series", 1),
        (200, "", "neither 201 nor 204", 1),
    ],
)  # fmt: skip
async def test_a_refusal_is_an_error_that_says_what_to_do(status: int, text: str, said: str, tries: int) -> None:
    answers = Answers(*[(status, text)] * 3)
    async with answers.writing(token="s3cret", tries=2) as writes:
        with pytest.raises(DependencyUnavailable, match=said) as refused:
            await writes.write("readings", ["reading,a=b value=1.0 1"])
    assert len(answers.bodies) == tries
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, '{"error":"partial write: points beyond retention policy dropped=1"}'),
        (
            422,
            '{"message":"failure writing points to database: partial write: dropped 1 points outside retention policy"}',
        ),
    ],
)
async def test_points_past_the_retention_of_the_server_are_no_error(status: int, text: str) -> None:
    async with Answers((status, text)).writing() as writes:
        await writes.write("readings", ["reading,a=b value=1.0 1"])


async def test_a_server_that_is_not_there_is_named_with_what_to_look_at() -> None:
    writes = InfluxWrites(InfluxDbSettings(url=f"http://127.0.0.1:{free_port()}", tries=2))
    try:
        with pytest.raises(DependencyUnavailable, match="after 2 tries; is it running and reachable"):
            await writes.write("readings", event_lines([EventReading(0, NOW_MS, "x")], TAGS))
    finally:
        await writes.close()
