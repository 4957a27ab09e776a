"""Benchmark of the series registry: ``python -m bench.series --json``.

A million series, 20 of each device, as a store hands them over at the start of a collector. Memory is what the process has
more afterwards, as the kernel tells; latest values are in it, for each series has one.
"""

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import click
import msgspec
import numpy as np

from bench.branches import branch_ids, devices_of, series_of
from bench.processes import rss_mb
from collector.latest import LatestValues
from collector.series import SeriesRegistry
from collector.store import SeriesRow
from contracts.readings import ReadingBatch
from runtime.logs import configure_logs
from runtime.settings import LogSettings

_DEVICE_SERIES: Final = 20
_LOOK_UPS: Final = 10_000
_NOW_MS: Final = 1_795_348_800_000


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        series: how many.
        load_s: processor time to take them from rows.
        bytes_per_series: memory of the registry and of the latest values, each series.
        of_device_us: time to list the series of a device, microseconds.
    """

    series: int
    load_s: float
    bytes_per_series: float
    of_device_us: float


def rows(count: int) -> Iterator[SeriesRow]:
    """So many series."""
    number = 0
    templates = [[one.path for one in series_of(device)][:_DEVICE_SERIES] for device in devices_of("BR0")]
    for branch_id in branch_ids():
        for device, paths in zip(devices_of(branch_id), templates, strict=True):
            for path in paths:
                if number == count:
                    return
                yield SeriesRow(number, device.device_id, device.kind, path)
                number += 1


def measure(count: int) -> Result:
    """Load so many series and look at some of them."""
    before = rss_mb(os.getpid()) * 2**20
    registry, latest = SeriesRegistry(), LatestValues()
    making = _Stopwatch(rows(count))
    began = time.process_time()
    registry.load(making)
    load_s = time.process_time() - began - making.spent_s
    numbers = np.arange(count, dtype=np.int32)
    latest.update(ReadingBatch(numbers, np.full(count, _NOW_MS), np.zeros(count), np.ones(count, np.bool_)))
    del numbers
    used = rss_mb(os.getpid()) * 2**20 - before
    devices = [registry.info(number).device_id for number in range(0, count, max(1, count // _LOOK_UPS))]
    began = time.process_time()
    found: Sequence[object] = [registry.of_device(device_id) for device_id in devices]
    looked_s = time.process_time() - began
    return Result(count, round(load_s, 2), round(used / count, 1), round(looked_s / len(found) * 1e6, 1))


class _Stopwatch:
    """Takes the time that making rows takes, which is not the registry's."""

    def __init__(self, rows_: Iterator[SeriesRow]) -> None:
        self._rows = rows_
        self.spent_s = 0.0

    def __iter__(self) -> Iterator[SeriesRow]:
        while True:
            began = time.process_time()
            some = list(itertools.islice(self._rows, 1000))
            self.spent_s += time.process_time() - began
            if not some:
                return
            yield from some


@click.command()
@click.option("--series", default=1_000_000, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(series: int, as_json: bool) -> None:
    """Measure what a million series take."""
    configure_logs(LogSettings(level="warning"))
    result = measure(series)
    if as_json:
        print(msgspec.json.encode(asdict(result)).decode())
    else:
        for name, value in asdict(result).items():
            print(f"{name:>20} {value}")


if __name__ == "__main__":
    main()
