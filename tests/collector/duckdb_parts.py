"""DuckDB stores with little in them, for the tests of what is DuckDB's own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from collector.adapters.duckdb_store import HISTORY, DuckDbStore
from collector.settings import DuckDbSettings, RetentionSettings
from collector.store import HOUR_MS, SeriesRow
from contracts.pack import PackId
from contracts.readings import ReadingBatch
from runtime.clock import Clock, ManualClock
from tests.collector.stores import NOW_MS, RETENTION, keep_up

DAY_MS: Final = 24 * HOUR_MS
SERIES: Final = [
    SeriesRow(0, "BR1/atm-01", "atm", "cdm/unit1/count"),
    SeriesRow(1, "BR1/atm-01", "atm", "cdm/unit2/count"),
]


def made(
    directory: Path,
    clock: Clock,
    *,
    recent_readings: int = 20_000_000,
    recent_hours: float = 2.0,
    memory_mb: int = 64,
    retention: RetentionSettings = RETENTION,
) -> DuckDbStore:
    settings = DuckDbSettings(memory_mb=memory_mb, recent_readings=recent_readings, recent_hours=recent_hours)
    return DuckDbStore(directory, clock, settings, retention)


@asynccontextmanager
async def at(directory: Path, clock: Clock, **settings: Any) -> AsyncIterator[DuckDbStore]:
    """Opened, and closed at the end."""
    store = made(directory, clock, **settings)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


async def add(store: DuckDbStore, seq: int, rows: Sequence[tuple[int, int, float]], *, live: bool = True) -> None:
    known = len(await store.load_series())
    await store.append(ReadingBatch.of(rows, live=live), [PackId("BR1", "boot", seq)], SERIES[known:])


async def days_of_history(directory: Path, clock: ManualClock, days: int, a_day: int = 500) -> list[list[float]]:
    """A store whose history has so many days; returns the values of series 0 on each of them.

    Series 0 and 1 report the same, and the clock stands five days after the last one.
    """
    begin_ms = NOW_MS - days * DAY_MS
    values = []
    async with at(directory, clock) as store:
        for day in range(days):
            step_ms = DAY_MS // a_day
            values.append([float(day * a_day + number) for number in range(a_day)])
            rows = [
                (series, begin_ms + day * DAY_MS + number * step_ms, value)
                for number, value in enumerate(values[-1])
                for series in (0, 1)
            ]
            await add(store, day + 1, rows)
        clock.advance(5 * DAY_MS)
        await keep_up(store, clock.now_ms())
    return values


def history_files(directory: Path, tier: str = "readings") -> list[Path]:
    return sorted((directory / HISTORY).glob(f"{tier}-*.duckdb"))


async def values_of(store: DuckDbStore, series: int = 0) -> list[float]:
    found: list[float] = (await store.range(series, 0, 2**60, 10_000_000)).value.tolist()
    return found
