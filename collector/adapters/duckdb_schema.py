"""Tables of the DuckDB store."""

from typing import Final

from collector.series import DERIVED_PATHS
from contracts.devices import GATEWAY

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS series (
    series INTEGER NOT NULL, device_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, path VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS pack (
    branch_id VARCHAR NOT NULL, boot VARCHAR NOT NULL, low BIGINT NOT NULL, high BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS store_commit (
    position BIGINT NOT NULL, stored_at BIGINT NOT NULL, readings INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS reading (
    series INTEGER NOT NULL, observed_at BIGINT NOT NULL, value DOUBLE NOT NULL,
    position BIGINT NOT NULL, live BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    series INTEGER NOT NULL, observed_at BIGINT NOT NULL, text VARCHAR NOT NULL, position BIGINT NOT NULL
);
ALTER TABLE event ADD COLUMN IF NOT EXISTS live BOOLEAN DEFAULT true;
CREATE TABLE IF NOT EXISTS roll_up (
    length_ms BIGINT NOT NULL, series INTEGER NOT NULL, begin BIGINT NOT NULL, count BIGINT NOT NULL,
    minimum DOUBLE NOT NULL, maximum DOUBLE NOT NULL, total DOUBLE NOT NULL, first DOUBLE NOT NULL,
    last DOUBLE NOT NULL, rise DOUBLE NOT NULL
);
"""
"""No index: DuckDB's zone maps serve time and position, and an index would cost the writer more than the reading.

``pack`` grows by one run a pack and boot; runs are merged when they are loaded. ``position`` and ``live`` are constant over
long stretches and compress to next to nothing.
"""

_DERIVED: Final = f"""
SELECT series FROM series WHERE kind = '{GATEWAY.name}' AND path IN {DERIVED_PATHS}
"""  # noqa: S608  (put together from constants; a tuple of words reads as SQL)

AUDIT: Final = f"""
WITH packed AS (SELECT * FROM reading WHERE series NOT IN ({_DERIVED}))
SELECT
    (SELECT count(*) FROM packed),
    (SELECT count(*) FROM (SELECT DISTINCT series, observed_at FROM packed)),
    (SELECT count(*) FROM event),
    (SELECT count(*) FROM (SELECT DISTINCT series, observed_at FROM event)),
    (SELECT count(*) FROM reading WHERE series IN ({_DERIVED})),
    (SELECT count(*) FROM store_commit)
"""  # noqa: S608  (put together from constants)

LATENCY: Final = f"""
SELECT count(*), quantile_cont(took, 0.5), quantile_cont(took, 0.99) FROM (
    SELECT stored_at - observed_at AS took FROM reading JOIN store_commit USING (position)
    WHERE live AND series NOT IN ({_DERIVED})
)
"""  # noqa: S608  (put together from constants)

LATEST: Final = """
SELECT series, max(observed_at) AS observed_at, arg_max(value, observed_at) AS value, arg_max(live, observed_at) AS live
FROM reading GROUP BY series ORDER BY series
"""

NEWEST_LIVE: Final = """
WITH newest AS (
    SELECT series, max(observed_at) AS observed_at FROM reading WHERE live AND position <= $1 GROUP BY series
)
SELECT series, observed_at, arg_min(value, (position, reading.rowid)) AS value, true AS live
FROM reading JOIN newest USING (series, observed_at) WHERE live AND position <= $1
GROUP BY series, observed_at ORDER BY series
"""

RANGE: Final = """
SELECT observed_at, value FROM reading WHERE series = ? AND observed_at >= ? AND observed_at < ?
ORDER BY observed_at DESC LIMIT ?
"""

READINGS_OF: Final = """
SELECT series, observed_at, value FROM reading
WHERE series IN (SELECT unnest(?)) AND observed_at >= ? AND observed_at < ? ORDER BY series, observed_at, rowid
"""

SUMS: Final = ("series", "begin", "count", "minimum", "maximum", "total", "first", "last", "rise")

ROLL_UPS_OF: Final = f"""
SELECT {", ".join(SUMS)} FROM roll_up
WHERE series IN (SELECT unnest(?)) AND begin >= ? AND begin < ? AND length_ms = ? ORDER BY series, begin
"""  # noqa: S608  (put together from constants)

EXPIRING: Final = (
    "SELECT series, observed_at, value FROM reading WHERE observed_at < ? ORDER BY series, observed_at, rowid"
)

SCAN_BOUNDS: Final = """
SELECT min(observed_at), max(observed_at) FROM (SELECT observed_at FROM reading UNION ALL SELECT observed_at FROM event)
"""

SCAN_TIME: Final = """
SELECT series, observed_at, value, live FROM reading
WHERE observed_at >= $1 AND observed_at < $2 AND ($3 IS NULL OR list_contains($3, series)) ORDER BY observed_at, rowid
"""

SCAN_TIME_EVENTS: Final = """
SELECT series, observed_at, text, live FROM event
WHERE observed_at >= $1 AND observed_at < $2 AND ($3 IS NULL OR list_contains($3, series)) ORDER BY observed_at, rowid
"""

EVENTS: Final = """
SELECT series, observed_at, text, live FROM event
WHERE series IN (SELECT unnest(?)) AND observed_at >= ? AND observed_at < ? ORDER BY observed_at DESC, rowid DESC LIMIT ?
"""

SCAN_STEP: Final = """
SELECT position, readings FROM store_commit WHERE position > ? ORDER BY position LIMIT 500
"""

SCAN_READINGS: Final = """
SELECT series, observed_at, value, position, live FROM reading WHERE position BETWEEN ? AND ? ORDER BY position, rowid
"""

SCAN_EVENTS: Final = """
SELECT series, observed_at, text, live, position FROM event WHERE position BETWEEN ? AND ? ORDER BY position, rowid
"""


MERGED_PACKS = """
CREATE OR REPLACE TEMP TABLE merged_pack AS
SELECT branch_id, boot, min(low) AS low, max(high) AS high
FROM (
    SELECT *, sum(begins) OVER (PARTITION BY branch_id, boot ORDER BY low, high) AS run
    FROM (
        SELECT *, CASE WHEN low <= 1 + max(high) OVER (
            PARTITION BY branch_id, boot ORDER BY low, high ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) THEN 0 ELSE 1 END AS begins
        FROM pack
    )
)
GROUP BY branch_id, boot, run
"""
"""Pack identities as few runs: each commit appends its own, and adjoining ones are one."""
