"""Line protocol in bulk: readings and events as points whose identity does not depend on how packs were batched.

A point is named by its tags and its time alone, and one that is written again takes the place of the first. So a pack that
comes again after a kill, in whatever batch, changes nothing. Two readings of one series and one millisecond have to be two
points, however: their times differ below the millisecond, by digits that follow from what was read.

Source: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/, special characters.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from collector.store import SeriesRow
from contracts.readings import EventReading, Float64s, Int64s, ReadingBatch

MEASUREMENT: Final = "reading"
"""One name in all retention policies: the same series, so that an index in memory holds it once."""
EVENT_MEASUREMENT: Final = "event"
TAGS: Final = ("branch", "device", "kind", "path")

NS_PER_MS: Final = 1_000_000
MOST_MS: Final = 2**63 // NS_PER_MS - 1
"""What fits into nanoseconds, either way."""

_EXACT: Final = 2**18
_HASHED: Final = NS_PER_MS - _EXACT
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio; it spreads neighbours

_SPECIAL = re.compile(r"([,= ])")
_SPLIT = re.compile(r"(?<!\\),")
_UNFIT = re.compile(r"[\n\r\\]")


def tag_set(row: SeriesRow) -> str:
    """The tags of a series as they stand in a line.

    Raises:
        ValueError: a name is empty, or has characters that no tag can hold.
    """
    branch_id, _, local_id = row.device_id.partition("/")
    parts = []
    for name, value in zip(TAGS, (branch_id, local_id, row.kind, row.path), strict=True):
        if not value or _UNFIT.search(value):
            raise ValueError(f"series {row.series} of {row.device_id!r} {row.path!r}: {name} {value!r} cannot be a tag")
        parts.append(f"{name}={_escaped(value)}")
    return ",".join(parts)


def tags_of(text: str) -> dict[str, str]:
    """The tags that :func:`tag_set` wrote."""
    if "\\" not in text:
        return dict(part.split("=", 1) for part in text.split(","))
    pairs = (re.split(r"(?<!\\)=", part, maxsplit=1) for part in _SPLIT.split(text))
    return {name: re.sub(r"\\([,= ])", r"\1", value) for name, value in pairs}


def tag_set_of(tags: Mapping[str, str]) -> str:
    """What :func:`tag_set` writes, from tags that an answer gave."""
    return ",".join(f"{name}={_escaped(tags[name])}" for name in TAGS)


def digits(values: Float64s) -> Int64s:
    """What tells readings of one series and millisecond apart: nanoseconds below 1,000,000, shape as ``values``.

    Whole numbers up to 2**18, all counts and states, each have digits of their own; of others two in 700,000 share theirs.
    """
    whole = (values >= 0) & (values < _EXACT) & (values == np.floor(values))
    spread = (values.view(np.uint64) * _ODD) >> np.uint64(32)
    hashed = (spread % np.uint64(_HASHED)).astype(np.int64) + _EXACT
    return np.where(whole, np.where(whole, values, 0.0).astype(np.int64), hashed)


def reading_lines(batch: ReadingBatch, tags: Sequence[str]) -> list[str]:
    """A line for each reading.

    Args:
        batch: readings.
        tags: tag set of each series, by its number.

    Raises:
        ValueError: a value is not a number, or a time does not fit.
    """
    if not np.isfinite(batch.value).all():
        raise ValueError("a reading that is not a finite number cannot be stored; expected the decoder to refuse it")
    times = _times_ns(batch.observed_at_ms) + digits(batch.value)
    columns = zip(batch.series.tolist(), batch.value.tolist(), times.tolist(), strict=True)
    if batch.live.all():
        return [f"{MEASUREMENT},{tags[series]} value={value!r} {at}" for series, value, at in columns]
    marks = ["" if live else ",backfilled=true" for live in batch.live.tolist()]
    return [
        f"{MEASUREMENT},{tags[series]} value={value!r}{mark} {at}"
        for (series, value, at), mark in zip(columns, marks, strict=True)
    ]


def event_lines(events: Sequence[EventReading], tags: Sequence[str]) -> list[str]:
    """A line for each event; events of one series and millisecond are told apart by their texts."""
    times = _times_ns(np.array([event.observed_at_ms for event in events], np.int64)).tolist()
    return [
        f"{EVENT_MEASUREMENT},{tags[event.series]} text={_quoted(event.text)}{'' if event.live else ',backfilled=true'}"
        f" {at + zlib.crc32(event.text.encode(errors='replace')) % NS_PER_MS}"
        for event, at in zip(events, times, strict=True)
    ]


def packed(lines: Sequence[str], most_bytes: int) -> list[bytes]:
    """Lines as the bodies of as few requests as the bound allows, in order."""
    bodies: list[bytes] = []
    encoded = [line.encode(errors="replace") for line in lines]
    ends = np.cumsum(np.array([len(line) + 1 for line in encoded], np.int64))
    begin = 0
    while begin < len(encoded):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + most_bytes, side="right")))
        bodies.append(b"\n".join(encoded[begin:end]))
        begin = end
    return bodies


def milliseconds(times_ns: npt.NDArray[np.int64]) -> Int64s:
    """The time of observation of points, without the digits."""
    return times_ns // NS_PER_MS


def _times_ns(times_ms: Int64s) -> Int64s:
    if len(times_ms) and (int(times_ms.max()) >= MOST_MS or int(times_ms.min()) <= -MOST_MS):
        raise ValueError(f"a reading's time is outside of ±{MOST_MS} ms; expected the decoder to refuse it")
    return times_ms * NS_PER_MS


def _escaped(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", value) if _SPECIAL.search(value) else value


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
