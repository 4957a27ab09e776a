"""Figures of an outbox, readable beside a running gateway and after it stopped."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.errors import DependencyUnavailable


@dataclass(frozen=True, slots=True)
class OutboxStatistics:
    """Figures of an outbox since it was made.

    Attributes:
        branch_id: whose it is.
        boot: identity under which its packs are numbered.
        last_seq: number of the newest pack, 0 where there is none.
        produced: readings ever stored, each counted once in the transaction that stored it.
        acknowledged_readings: of those, readings the broker has acknowledged.
        acknowledged_packs: packs the broker has acknowledged.
        resent_packs: packs sent again on request.
        unavailable_packs: packs asked for that are no longer kept.
        dropped_readings: readings deleted unsent at the size bound.
        refused_inputs: inputs refused.
        pending_readings: readings stored, neither acknowledged nor dropped.
        pending_packs: packs cut and not acknowledged.
        bytes: size of the readings kept.
        oldest_pending_ms: when the oldest pending reading was stored, ``None`` where nothing is pending.
        newest_ms: newest time ever given to a reading.
        starts: how often a gateway opened the file.
        host_reboots: how often the computer had been restarted when it did.
    """

    branch_id: str
    boot: str
    last_seq: int
    produced: int
    acknowledged_readings: int
    acknowledged_packs: int
    resent_packs: int
    unavailable_packs: int
    dropped_readings: int
    refused_inputs: int
    pending_readings: int
    pending_packs: int
    bytes: int
    oldest_pending_ms: int | None
    newest_ms: int
    starts: int
    host_reboots: int


_COLUMNS: Final = (
    "branch_id, boot, last_seq, produced, acknowledged_readings, acknowledged_packs, resent_packs, unavailable_packs,"
    " dropped_readings, refused_inputs, produced - acknowledged_readings - dropped_readings,"
    " (SELECT count(*) FROM pack WHERE acked_at_ms IS NULL), bytes,"
    " coalesce((SELECT stored_at_ms FROM pack WHERE acked_at_ms IS NULL ORDER BY seq LIMIT 1),"
    " (SELECT stored_at_ms FROM fragment WHERE id > last_cut_fragment ORDER BY id LIMIT 1)),"
    " newest_ms, starts, host_reboots"
)


def read_statistics(connection: sqlite3.Connection) -> OutboxStatistics:
    """Read the figures over an open connection."""
    return OutboxStatistics(*connection.execute(f"SELECT {_COLUMNS} FROM outbox").fetchone())  # noqa: S608  (constants)


def statistics(path: Path) -> OutboxStatistics:
    """Read the figures of an outbox whose gateway runs or is stopped; changes nothing.

    Raises:
        DependencyUnavailable: there is no outbox, or it cannot be read.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return read_statistics(connection)
    except sqlite3.Error as error:
        raise DependencyUnavailable(f"outbox {path}: cannot be read: {error}; did its gateway ever start?") from error
