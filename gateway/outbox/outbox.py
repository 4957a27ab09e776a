"""The outbox as the rest of the gateway uses it: asynchronous, with one thread that owns the file."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from contracts.errors import DependencyUnavailable
from contracts.reading import Reading
from gateway.driver import Identity
from gateway.metrics import GatewayMetrics
from gateway.outbox.figures import OutboxStatistics
from gateway.outbox.file import OutboxFile, RefusedInput
from gateway.outbox.memory import Keepsake
from gateway.outbox.packing import StoredPack
from gateway.outbox.pruning import NOTHING_DROPPED, Dropped
from gateway.outbox.retention import Retention
from gateway.settings import OutboxSettings
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

PRUNE_EVERY_S: Final = 30.0


class Outbox:
    """Keeps readings until they are acknowledged, and packs for a retention time after.

    A :class:`~runtime.supervisor.Service`: :meth:`start` opens the file, :meth:`run` prunes it, :meth:`stop` closes it.
    Calls from several tasks are safe and take effect in the order they were made.
    """

    def __init__(
        self,
        path: Path,
        branch_id: str,
        settings: OutboxSettings,
        clock: Clock,
        metrics: GatewayMetrics,
        pack_readings: int,
    ) -> None:
        self.path = path
        self.name = f"outbox of {branch_id}"
        self._branch_id = branch_id
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._pack_readings = pack_readings
        self._executor: ThreadPoolExecutor | None = None
        self._opened: OutboxFile | None = None
        self._arrived = asyncio.Event()
        self._uncut = 0
        self._uncut_since_s: float | None = None
        self._urgent = False
        self._dropped = NOTHING_DROPPED
        self._retention = Retention()
        self.under_way: Callable[[], Collection[int]] = tuple
        """Gives the packs that are being sent, which are not to be thinned."""
        self._commit_s: deque[float] = deque(maxlen=200)

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the file.

        Raises:
            ConfigurationError: it belongs to another branch.
            DependencyUnavailable: it cannot be opened.
        """
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"outbox-{self._branch_id}")
        try:
            loop = asyncio.get_running_loop()
            self._opened = await loop.run_in_executor(
                self._executor, OutboxFile, self.path, self._branch_id, self._clock.now_ms()
            )
            uncut = await self._call(self._file.uncut_readings)
            self._retention = Retention((await self.statistics()).newest_ms)
        except BaseException:
            await self.stop()
            raise
        self._note_arrival(uncut, urgent=False)

    async def run(self) -> None:
        """Delete what is no longer kept, until cancelled."""
        self._past_before_ms()  # from here on it is seen when the clock is set
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            try:
                await self.prune()
            except DependencyUnavailable as error:
                _log.error("outbox cannot be pruned", branch_id=self._branch_id, error=str(error))

    async def stop(self) -> None:
        """Close the file; what it holds stays for the next start."""
        executor, self._executor = self._executor, None
        opened, self._opened = self._opened, None
        if executor is None:
            return
        if opened is not None:
            await asyncio.get_running_loop().run_in_executor(executor, opened.close)
        executor.shutdown()  # its last job is done, so this does not wait

    def change(self, settings: OutboxSettings, pack_readings: int) -> None:
        """Keep by other bounds from now on."""
        self._settings = settings
        self._pack_readings = pack_readings

    @property
    def boot(self) -> str:
        """Identity under which packs are numbered; new only with a new file."""
        return self._file.boot

    # -- storing -----------------------------------------------------------------------------------------------------

    async def store(
        self,
        readings: Sequence[Reading],
        *,
        urgent: bool,
        on_stored: Callable[[], None] = lambda: None,
        keep: Keepsake | None = None,
    ) -> None:
        """Store readings; returned means they survive this process, and urgent ones the loss of power.

        Args:
            readings: readings of one device or several, in order.
            urgent: commit durably and send at once.
            on_stored: called once when the commit is done, also where the caller was cancelled while it ran; not called
                where nothing was stored. Cancellation waits for the running commit.
            keep: change of a driver's memory that goes with the readings, in the same transaction.

        Raises:
            DependencyUnavailable: disk full, read-only or failing; nothing was stored.
        """
        if not readings and keep is None:
            on_stored()
            return
        began_s = time.monotonic()

        def settle(job: "asyncio.Future[int]") -> None:
            if job.cancelled() or job.exception() is not None:
                self._metrics.outbox_failures.labels(self._branch_id).inc()
                return
            elapsed_s = time.monotonic() - began_s
            self._commit_s.append(elapsed_s)
            self._metrics.commit_s.labels(self._branch_id).observe(elapsed_s)
            self._metrics.readings.labels(self._branch_id).inc(len(readings))
            self._note_arrival(len(readings), urgent=urgent)
            on_stored()

        job = self._submit(
            self._file.store, readings, self._clock.now_ms(), self._pack_readings, durable=urgent, keep=keep
        )
        job.add_done_callback(settle)
        try:
            await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait([job])
            raise

    def _note_arrival(self, count: int, *, urgent: bool) -> None:
        if not count:
            return
        self._uncut += count
        self._urgent = self._urgent or urgent
        if self._uncut_since_s is None:
            self._uncut_since_s = time.monotonic()
        self._arrived.set()

    async def wait_for_pack(self, flush_s: float) -> None:
        """Wait until a pack is due: a full one is there, something urgent is, or the oldest reading waited ``flush_s``."""
        while True:
            self._arrived.clear()
            wait_s = 60.0
            if self._uncut_since_s is not None:
                wait_s = self._uncut_since_s + flush_s - time.monotonic()
                if wait_s <= 0 or self._urgent or self.has_full_pack:
                    return
            try:
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()
            except TimeoutError:
                continue

    @property
    def has_full_pack(self) -> bool:
        """Whether enough readings wait to fill a pack."""
        return self._uncut >= self._pack_readings

    async def cut(self, *, everything: bool) -> list[StoredPack]:
        """Number the readings that are in no pack yet; see :meth:`OutboxFile.cut`."""
        self._urgent = False
        job = self._submit(self._cut, everything=everything)
        job.add_done_callback(self._note_cut)
        packs, _ = await asyncio.shield(job)
        return packs

    def _cut(self, *, everything: bool) -> tuple[list[StoredPack], int]:
        packs = self._file.cut(self._pack_readings, everything=everything)
        return packs, self._file.uncut_readings()

    def _note_cut(self, job: "asyncio.Future[tuple[list[StoredPack], int]]") -> None:
        """Take over how much is left. Jobs are noted in the order they ran, so arrivals are neither missed nor doubled."""
        if not job.cancelled() and job.exception() is None:
            _, self._uncut = job.result()
            self._uncut_since_s = time.monotonic() if self._uncut else None

    # -- sending -----------------------------------------------------------------------------------------------------

    async def unacknowledged(self, after_seq: int, upto_seq: int, limit: int) -> list[StoredPack]:
        """Packs of a range not acknowledged yet, oldest first."""
        return await self._call(self._file.unacknowledged, after_seq, upto_seq, limit)

    async def acknowledged(self, after_seq: int, upto_seq: int, limit: int) -> list[StoredPack]:
        """Packs of a range acknowledged and still kept, oldest first."""
        return await self._call(self._file.acknowledged, after_seq, upto_seq, limit)

    async def unacknowledged_readings(self, upto_seq: int) -> int:
        """Readings in packs up to a number that are not acknowledged."""
        return await self._call(self._file.unacknowledged_readings, upto_seq)

    async def kept(self, first_seq: int, last_seq: int) -> int:
        """How many packs of an inclusive range are still here."""
        return await self._call(self._file.kept, first_seq, last_seq)

    async def mark_acknowledged(self, seqs: Iterable[int]) -> None:
        """Note that the broker has these packs."""
        await self._call(self._file.mark_acknowledged, tuple(seqs), self._clock.now_ms())

    async def count_resend(self, resent: int, unavailable: int) -> None:
        """Count packs sent again on request, and packs asked for that are no longer here."""
        await self._call(self._file.count_resend, resent, unavailable)

    # -- keeping -----------------------------------------------------------------------------------------------------

    async def prune(self) -> None:
        """Delete what is beyond the retention time or the size bound."""
        older_than_ms = self._past_before_ms()
        before = self._dropped.readings
        while True:
            pruned = await self._call(
                self._file.prune, older_than_ms, self._settings.max_bytes, frozenset(self.under_way())
            )
            if pruned.is_over:
                break
            self._dropped += pruned.dropped
        if self._dropped.readings > before:
            _log.error(
                "outbox at its size bound: readings dropped unsent",
                branch_id=self._branch_id,
                readings=self._dropped.readings - before,
                max_bytes=self._settings.max_bytes,
            )

    def _past_before_ms(self) -> int:
        retention_ms = int(self._settings.retention_h * 3_600_000)
        return self._retention.past_before_ms(self._clock.now_ms(), time.monotonic(), retention_ms)

    def take_dropped(self) -> Dropped:
        """What was dropped unsent since the last call."""
        dropped, self._dropped = self._dropped, NOTHING_DROPPED
        return dropped

    async def keep_refused(self, refused: Sequence[RefusedInput], counted: int) -> None:
        """Keep refused inputs for inspection."""
        await self._call(self._file.keep_refused, refused, counted)

    async def refused(self, limit: int) -> list[RefusedInput]:
        """Refused inputs, newest first."""
        return await self._call(self._file.refused, limit)

    async def count_start(self, host_boot: str) -> None:
        """Count a start of the gateway, and a restart of the computer where its boot id is a new one."""
        await self._call(self._file.count_start, host_boot)

    async def recall(self, device_id: str, driver: str) -> dict[str, str]:
        """What a driver keeps of a device, by key."""
        return await self._call(self._file.recall, device_id, driver)

    async def identities(self) -> dict[str, Identity]:
        """What each device last said it is, by full device id."""
        return await self._call(self._file.identities)

    async def keep_identity(self, device_id: str, identity: Identity) -> None:
        """Remember what a device says it is."""
        await self._call(self._file.keep_identity, device_id, identity)

    async def statistics(self) -> OutboxStatistics:
        """Figures as they stand."""
        return await self._call(self._file.statistics)

    def commit_time_s(self) -> float | None:
        """Time of a commit in seconds that 95 % of the last 200 stayed under; ``None`` before the first."""
        ordered = sorted(self._commit_s)
        return ordered[int(len(ordered) * 0.95)] if ordered else None

    # -- the thread --------------------------------------------------------------------------------------------------

    @property
    def _file(self) -> OutboxFile:
        if self._opened is None:
            raise DependencyUnavailable(f"outbox {self.path}: not open")
        return self._opened

    def _submit(self, job: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "asyncio.Future[_T]":
        if self._executor is None:
            raise DependencyUnavailable(f"outbox {self.path}: closed")
        call: Callable[[], Any] = partial(job, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def _call(self, job: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._submit(job, *args, **kwargs)
