"""What drivers keep between lives of the gateway, as rows beside the readings they belong to."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keepsake:
    """A change of what a driver keeps.

    Attributes:
        device_id: full device id.
        driver: short name of the driver.
        changes: key → text to keep, ``None`` to forget.
    """

    device_id: str
    driver: str
    changes: Mapping[str, str | None]


def write(connection: sqlite3.Connection, keep: Keepsake) -> None:
    """Make a change, inside the caller's transaction."""
    owner = (keep.device_id, keep.driver)
    connection.executemany(
        "INSERT INTO memory (device_id, driver, key, value) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET value = excluded.value",
        [(*owner, key, value) for key, value in keep.changes.items() if value is not None],
    )
    connection.executemany(
        "DELETE FROM memory WHERE device_id = ? AND driver = ? AND key = ?",
        [(*owner, key) for key, value in keep.changes.items() if value is None],
    )
