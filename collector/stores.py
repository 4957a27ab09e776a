"""Which time-series store the settings name."""

from pathlib import Path
from typing import Final

from collector.adapters.duckdb_store import DuckDbStore
from collector.settings import CollectorSettings
from collector.store import TimeSeriesStore
from runtime.clock import Clock
from runtime.database import Database

STORE_DIRECTORY: Final = "readings"
"""Where the embedded store keeps its files, below the data directory of its process."""


def make_store(settings: CollectorSettings, data_dir: Path, database: Database, clock: Clock) -> TimeSeriesStore:
    """The store of a collector, not yet opened.

    Args:
        settings: which one, and what it keeps how long.
        data_dir: directory of the process.
        database: ops database, for a store that keeps series and pack identities there.
        clock: stamps commits.
    """
    if settings.store == "influxdb":
        from collector.adapters.influxdb_store import InfluxDbStore

        return InfluxDbStore(settings.influxdb, settings.retention, database, clock)
    return DuckDbStore(data_dir / STORE_DIRECTORY, clock, settings.duckdb, settings.retention)
