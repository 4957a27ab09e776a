"""Which time-series store the settings name."""

from pathlib import Path
from typing import Final

from collector.adapters.duckdb_store import DuckDbStore
from collector.settings import CollectorSettings
from collector.store import TimeSeriesStore
from contracts.errors import DependencyUnavailable
from runtime.clock import Clock
from runtime.database import Database
from runtime.logs import get_logger

_log = get_logger(__name__)

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


async def upgrade_store(settings: CollectorSettings, *, insist: bool) -> list[str]:
    """Make what the store needs on its server, and let it keep things as long as the settings say. Idempotent.

    Args:
        settings: which store.
        insist: whether a server that does not answer is an error. If not, the store itself makes what is missing as soon
            as it answers.

    Returns:
        What was done, in words; nothing for a store that needs no preparation.

    Raises:
        DependencyUnavailable: the server refuses, or does not answer where ``insist`` is set.
        ConfigurationError: the settings cannot be used.
    """
    if settings.store != "influxdb":
        return []
    from collector.adapters.influxdb_access import StoreRefused
    from collector.adapters.influxdb_setup import set_up

    try:
        return await set_up(settings.influxdb, settings.retention)
    except StoreRefused:
        raise
    except DependencyUnavailable as error:
        if insist:
            raise
        _log.warning("the store's server does not answer yet; its retention stays as it is", error=str(error))
        return []
