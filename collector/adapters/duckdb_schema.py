"""Tables of the DuckDB store, in the file of what is recent and in the files of history."""

from typing import Final

from collector.adapters.duckdb_layout import DAY_MS, FileTier

LATELY: Final = """
CREATE TABLE IF NOT EXISTS series (
    series INTEGER NOT NULL, device_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, path VARCHAR NOT NULL,
    shelf BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS layout (document VARCHAR NOT NULL);
"""
"""What ``recent.duckdb`` has once; ``layout`` is one row."""

GENERATION: Final = {
    "reading": "series INTEGER NOT NULL, observed_at BIGINT NOT NULL, value DOUBLE NOT NULL, position BIGINT NOT NULL, "
    "live BOOLEAN NOT NULL",
    "event": "series INTEGER NOT NULL, observed_at BIGINT NOT NULL, text VARCHAR NOT NULL, position BIGINT NOT NULL, "
    "live BOOLEAN NOT NULL",
    "store_commit": "position BIGINT NOT NULL, stored_at BIGINT NOT NULL, readings INTEGER NOT NULL",
    "pack": "branch_id VARCHAR NOT NULL, boot VARCHAR NOT NULL, low BIGINT NOT NULL, high BIGINT NOT NULL",
}
"""Tables of a generation, in order of arrival; each name ends in its number. No index: it would cost the writer more than
the reading. ``position`` and ``live`` are constant over long stretches and compress to next to nothing."""

SNAPSHOT: Final = {
    "newest": "series INTEGER NOT NULL, observed_at BIGINT NOT NULL, value DOUBLE NOT NULL, live BOOLEAN NOT NULL",
    "newest_live": "series INTEGER NOT NULL, observed_at BIGINT NOT NULL, value DOUBLE NOT NULL",
    "packs": GENERATION["pack"],
}
"""Tables that sum up all that is compacted; each name ends in the number of the last generation in them."""

SUMS: Final = ("series", "begin", "count", "minimum", "maximum", "total", "first", "last", "rise")

FILE_TABLE: Final = {
    FileTier.READINGS: "key BIGINT NOT NULL, value DOUBLE NOT NULL, live BOOLEAN NOT NULL",
    FileTier.EVENTS: "series INTEGER NOT NULL, observed_at BIGINT NOT NULL, text VARCHAR NOT NULL, live BOOLEAN NOT NULL",
    **dict.fromkeys(
        (FileTier.MINUTES, FileTier.HOURS),
        "shelf BIGINT NOT NULL, slot INTEGER NOT NULL, count INTEGER NOT NULL, minimum DOUBLE NOT NULL, "
        "maximum DOUBLE NOT NULL, total DOUBLE NOT NULL, first DOUBLE NOT NULL, last DOUBLE NOT NULL, rise DOUBLE NOT NULL",
    ),
}
"""The one table of a history file, ``data``.

``key`` is ``shelf * 86,400,000`` plus the millisecond of the file's day; :mod:`collector.adapters.duckdb_shelves` says on which
shelf a series stands. It only ever rises in a file, by about the time between two readings of a series, so that differences
of some 20 bits are what is stored; a column for the series and one for the time took 1.0 byte a reading more.
``slot`` is the begin of a bucket in its lengths since 1970.
"""

KEY: Final = f"shelf * {DAY_MS} + observed_at"
"""Of a recent reading joined with its series, less the begin of the day."""


def table(name: str, number: int) -> str:
    """Name of a numbered table."""
    return f"{name}_{number}"


def create(tables: dict[str, str], number: int) -> str:
    """Statements that make a generation or a snapshot."""
    return "".join(f"CREATE TABLE {table(name, number)} ({columns});" for name, columns in tables.items())


def drop(tables: dict[str, str], number: int) -> str:
    """Statements that remove it."""
    return "".join(f"DROP TABLE IF EXISTS {table(name, number)};" for name in tables)


def views(generations: tuple[int, ...]) -> str:
    """Statements that show all generations as one, for people who open the file: ``reading``, ``event`` and so on."""
    statements = []
    for name in GENERATION:
        whole = " UNION ALL ".join(f"FROM {table(name, number)}" for number in generations)
        statements.append(f"CREATE OR REPLACE VIEW {name} AS {whole};")
    return "".join(statements)
