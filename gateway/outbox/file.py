"""The outbox file: every transaction on it, from one thread.

What a method has returned from survives the death of this process; what was written ``durable`` survives the loss of
power too. Packs are cut in a durable transaction, because a number that was sent must never be given to other readings.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.reading import Reading
from gateway.driver import Identity
from gateway.outbox import memory
from gateway.outbox.figures import OutboxStatistics, read_statistics
from gateway.outbox.lock import OutboxLock
from gateway.outbox.memory import Keepsake
from gateway.outbox.packing import StoredPack, fragments_of, packs_of
from gateway.outbox.pruning import Pruned, Pruning
from gateway.outbox.schema import connect
from gateway.outbox.sql import Sql

REFUSED_LIMIT: Final = 1000
"""Refused inputs kept for inspection, the newest."""


@dataclass(frozen=True, slots=True)
class RefusedInput:
    """An input kept for inspection."""

    at_ms: int
    device_id: str
    code: str
    detail: str
    raw: bytes


class OutboxFile:
    """All reading and writing of one outbox file; used from the thread that opened it.

    Args:
        path: the file, made where it does not exist.
        branch_id: whose it is.
        now_ms: now, for a new file.

    Raises:
        ConfigurationError: the file is another branch's, or another process has it open.
        DependencyUnavailable: it cannot be opened.
    """

    def __init__(self, path: Path, branch_id: str, now_ms: int) -> None:
        self._lock = OutboxLock(path)
        try:
            self._sql = Sql(connect(path, branch_id, now_ms), path)
        except BaseException:
            self._lock.release()
            raise
        self._pruning = Pruning(self._sql)
        self.boot = str(self._sql.one("SELECT boot FROM outbox"))

    def close(self) -> None:
        """Close the file; the last call."""
        self._sql.connection.close()
        self._lock.release()

    # -- storing -----------------------------------------------------------------------------------------------------

    def store(
        self, readings: Sequence[Reading], now_ms: int, most: int, *, durable: bool, keep: Keepsake | None = None
    ) -> int:
        """Add readings, as fragments of at most ``most`` readings, and change a driver's memory, in one transaction.

        Returns:
            Bytes stored.
        """
        fragments = list(fragments_of(readings, most))
        size = sum(len(payload) for _, _, payload in fragments)
        newest_ms = max((reading.observed_at_ms for reading in readings), default=0)
        with self._sql.transaction(durable=durable):
            self._sql.connection.executemany(
                "INSERT INTO fragment (stored_at_ms, rank, readings, payload) VALUES (?, ?, ?, ?)",
                [(now_ms, rank, count, payload) for rank, count, payload in fragments],
            )
            self._sql.connection.execute(
                "UPDATE outbox SET produced = produced + ?, bytes = bytes + ?, newest_ms = max(newest_ms, ?)",
                (len(readings), size, newest_ms),
            )
            if keep is not None:
                memory.write(self._sql.connection, keep)
        return size

    def uncut_readings(self) -> int:
        """Readings stored and in no pack yet."""
        return int(
            self._sql.one(
                "SELECT coalesce(sum(readings), 0) FROM fragment WHERE id > (SELECT last_cut_fragment FROM outbox)"
            )
        )

    def cut(self, most: int, *, everything: bool) -> list[StoredPack]:
        """Number what is in no pack yet: packs of at most ``most`` readings, at least one fragment each.

        Args:
            most: readings in a pack.
            everything: also the rest that does not fill a pack.

        Returns:
            The new packs in order.
        """
        rows = self._sql.all(
            "SELECT id, stored_at_ms, readings, payload FROM fragment"
            " WHERE id > (SELECT last_cut_fragment FROM outbox) ORDER BY id"
        )
        groups = packs_of(rows, most)
        if groups and not everything:
            groups.pop()
        if not groups:
            return []
        seq = int(self._sql.one("SELECT last_seq FROM outbox"))
        packs = []
        with self._sql.transaction(durable=True):
            for group in groups:
                seq += 1
                count, size = sum(row[2] for row in group), sum(len(row[3]) for row in group)
                self._sql.connection.execute(
                    "INSERT INTO pack (seq, first_fragment, last_fragment, readings, bytes, stored_at_ms)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (seq, group[0][0], group[-1][0], count, size, group[0][1]),
                )
                packs.append(StoredPack(seq, count, tuple(row[3] for row in group)))
            self._sql.connection.execute(
                "UPDATE outbox SET last_seq = ?, last_cut_fragment = ?", (seq, groups[-1][-1][0])
            )
        return packs

    # -- sending -----------------------------------------------------------------------------------------------------

    def unacknowledged(self, after_seq: int, upto_seq: int, limit: int) -> list[StoredPack]:
        """Packs of a range not acknowledged yet, oldest first."""
        return self._load("acked_at_ms IS NULL AND seq > ? AND seq <= ?", after_seq, upto_seq, limit)

    def acknowledged(self, after_seq: int, upto_seq: int, limit: int) -> list[StoredPack]:
        """Packs of a range acknowledged by the broker and still kept, oldest first."""
        return self._load("acked_at_ms IS NOT NULL AND seq > ? AND seq <= ?", after_seq, upto_seq, limit)

    def unacknowledged_readings(self, upto_seq: int) -> int:
        """Readings in packs up to a number that are not acknowledged."""
        return int(
            self._sql.one(
                "SELECT coalesce(sum(readings), 0) FROM pack WHERE acked_at_ms IS NULL AND seq <= ?", upto_seq
            )
        )

    def kept(self, first_seq: int, last_seq: int) -> int:
        """How many packs of an inclusive range are still here."""
        return int(self._sql.one("SELECT count(*) FROM pack WHERE seq BETWEEN ? AND ?", first_seq, last_seq))

    def mark_acknowledged(self, seqs: Iterable[int], now_ms: int) -> None:
        """Note that the broker has these packs; doing it again changes nothing."""
        with self._sql.transaction(durable=False):
            for seq in seqs:
                row = self._sql.connection.execute(
                    "UPDATE pack SET acked_at_ms = ? WHERE seq = ? AND acked_at_ms IS NULL RETURNING readings",
                    (now_ms, seq),
                ).fetchone()
                if row is not None:
                    self._sql.connection.execute(
                        "UPDATE outbox SET acknowledged_packs = acknowledged_packs + 1,"
                        " acknowledged_readings = acknowledged_readings + ?",
                        row,
                    )

    def count_resend(self, resent: int, unavailable: int) -> None:
        """Count packs sent again on request, and packs asked for that are no longer here."""
        with self._sql.transaction(durable=False):
            self._sql.connection.execute(
                "UPDATE outbox SET resent_packs = resent_packs + ?, unavailable_packs = unavailable_packs + ?",
                (resent, unavailable),
            )

    # -- keeping -----------------------------------------------------------------------------------------------------

    def prune(self, older_than_ms: int, most_bytes: int, under_way: Collection[int] = ()) -> Pruned:
        """Delete one batch of what is no longer kept; see :meth:`gateway.outbox.pruning.Pruning.prune`."""
        return self._pruning.prune(older_than_ms, most_bytes, under_way)

    def keep_refused(self, refused: Sequence[RefusedInput], counted: int) -> None:
        """Keep refused inputs for inspection, the newest :data:`REFUSED_LIMIT`; ``counted`` includes those left out."""
        with self._sql.transaction(durable=False):
            self._sql.connection.executemany(
                "INSERT INTO refused (at_ms, device_id, code, detail, raw) VALUES (?, ?, ?, ?, ?)",
                [(item.at_ms, item.device_id, item.code, item.detail, item.raw) for item in refused],
            )
            self._sql.connection.execute(
                "DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?", (REFUSED_LIMIT,)
            )
            self._sql.connection.execute("UPDATE outbox SET refused_inputs = refused_inputs + ?", (counted,))

    def refused(self, limit: int) -> list[RefusedInput]:
        """Refused inputs, newest first."""
        rows = self._sql.all("SELECT at_ms, device_id, code, detail, raw FROM refused ORDER BY id DESC LIMIT ?", limit)
        return [RefusedInput(*row) for row in rows]

    # -- memory between lives ----------------------------------------------------------------------------------------

    def count_start(self, host_boot: str) -> None:
        """Count a start of the gateway, and a restart of the computer where its boot id is a new one."""
        with self._sql.transaction(durable=False):
            self._sql.connection.execute(
                "UPDATE outbox SET starts = starts + 1, host_boot = ?1,"
                " host_reboots = host_reboots + (host_boot <> '' AND ?1 <> '' AND host_boot <> ?1)",
                (host_boot,),
            )

    def recall(self, device_id: str, driver: str) -> dict[str, str]:
        """What a driver keeps of a device, by key."""
        rows = self._sql.all("SELECT key, value FROM memory WHERE device_id = ? AND driver = ?", device_id, driver)
        return dict(rows)

    def identities(self) -> dict[str, Identity]:
        """What each device last said it is, by full device id."""
        rows = self._sql.all("SELECT device_id, maker, model, serial, firmware FROM identity")
        return {row[0]: Identity(*row[1:]) for row in rows}

    def keep_identity(self, device_id: str, identity: Identity) -> None:
        """Remember what a device says it is."""
        with self._sql.transaction(durable=False):
            self._sql.connection.execute(
                "INSERT OR REPLACE INTO identity VALUES (?, ?, ?, ?, ?)",
                (device_id, identity.maker, identity.model, identity.serial, identity.firmware),
            )

    def statistics(self) -> OutboxStatistics:
        """Figures as they stand."""
        with self._sql.translated():
            return read_statistics(self._sql.connection)

    # -- SQLite ------------------------------------------------------------------------------------------------------

    def _load(self, condition: str, after_seq: int, upto_seq: int, limit: int) -> list[StoredPack]:
        rows = self._sql.all(
            f"SELECT seq, readings, first_fragment, last_fragment, dropped FROM pack WHERE {condition} ORDER BY seq LIMIT ?",  # noqa: S608
            after_seq,
            upto_seq,
            limit,
        )
        packs = []
        for seq, readings, first, last, dropped in rows:
            parts = self._sql.all("SELECT payload FROM fragment WHERE id BETWEEN ? AND ? ORDER BY id", first, last)
            packs.append(StoredPack(seq, readings, tuple(part[0] for part in parts), dropped))
        return packs
