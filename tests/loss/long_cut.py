"""A branch comes back after thirteen hours: an outbox with some 300,000 readings in it, over the real line."""

from pathlib import Path

import duckdb

from bench.outage import Outage, machines
from bench.recovery import measure
from collector.adapters.duckdb_store import RECENT_FILE
from collector.stores import STORE_DIRECTORY

READINGS = 300_000
HOURS = 13.0


async def thirteen_hours(directory: Path) -> None:
    """Let the branch come back with live readings beside its backlog, and count what is stored."""
    directory.mkdir()
    result = await measure(Outage(branches=1, readings=READINGS, hours=HOURS, live_per_s=10.0), directory)
    assert (result.lost, result.doubled) == (0, 0)
    assert result.backlog >= READINGS
    assert result.live > 0
    with duckdb.connect(str(directory / STORE_DIRECTORY / RECENT_FILE), read_only=True) as connection:
        history = connection.execute(
            "SELECT count(DISTINCT device_id), max(observed_at) - min(observed_at) FROM reading JOIN series USING (series)"
            " WHERE NOT live"
        ).fetchone()
    assert history is not None
    devices, span_ms = history
    assert devices >= len(machines("BR"))
    assert span_ms > (HOURS - 0.1) * 3_600_000
