"""Where what drivers saw of one device becomes readings: checked, reported by exception, stored before it returns."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from contracts.errors import BranchwatchError
from contracts.gateway_messages import DeviceEntry
from contracts.identity import device_id
from contracts.signals import DeviceKind
from gateway.driver import Identity, Observation
from gateway.outbox.memory import Keepsake
from gateway.outbox.outbox import Outbox
from gateway.report import Report, clean
from gateway.reporter import IsCurrent, Reporter
from runtime.clock import Clock

_FIELDS: Final = ("maker", "model", "serial", "firmware")


class DeviceIntake:
    """What the gateway knows of one device, however many drivers read it.

    Args:
        branch_id: the branch.
        entry: the device as the settings name it.
        kind: its kind in the device catalogue.
        outbox: where readings are stored, started.
        clock: time of observations that carry none.
        floor_ms: newest reading time of the outbox's earlier life.
        known: what the device last said it is.
        on_identity: called when the inventory entry changed.
    """

    def __init__(
        self,
        branch_id: str,
        entry: DeviceEntry,
        kind: DeviceKind,
        outbox: Outbox,
        clock: Clock,
        *,
        floor_ms: int = 0,
        known: Identity | None = None,
        on_identity: Callable[[], None] = lambda: None,
    ) -> None:
        self.device_id = device_id(branch_id, entry.id)
        self.branch_id = branch_id
        self.entry = entry
        self._outbox = outbox
        self._clock = clock
        self._reporter = Reporter(self.device_id, kind, floor_ms)
        self._known = known or Identity()
        self._on_identity = on_identity
        self._lock = asyncio.Lock()
        self._apply_identity()

    async def take(
        self,
        observations: Sequence[Observation],
        keep: Keepsake | None = None,
        on_stored: Callable[[], object] = lambda: None,
    ) -> Report:
        """Store what observations are worth, and what to keep, in one transaction.

        Args:
            observations: what was seen, in order.
            keep: change of a driver's memory.
            on_stored: called once when it is stored, also where the caller was cancelled meanwhile.

        Returns:
            What became of them, refusals included.

        Raises:
            DependencyUnavailable: the outbox cannot be written; nothing was taken.
        """
        async with self._lock:
            report = self._reporter.take(observations, self._clock.now_ms())
            await self._store(report, keep, on_stored)
        return report

    async def recall(self, driver: str) -> dict[str, str]:
        """What a driver keeps of the device, once everything under way is stored.

        Raises:
            DependencyUnavailable: the outbox cannot be read.
        """
        async with self._lock:
            return await self._outbox.recall(self.device_id, driver)

    async def identify(self, identity: Identity) -> None:
        """Take what the device says it is.

        Raises:
            DependencyUnavailable: the outbox cannot be written; nothing was taken.
        """
        async with self._lock:
            known = self._known
            merged = Identity(*(clean(getattr(identity, field)[:128]) or getattr(known, field) for field in _FIELDS))
            if merged == known:
                return
            changes = [
                Observation("link/identity", f"{field}: {getattr(known, field)} -> {getattr(merged, field)}")
                for field in _FIELDS
                if getattr(known, field) and getattr(known, field) != getattr(merged, field)
            ]
            await self._outbox.keep_identity(self.device_id, merged)
            self._known = merged
            await self._store(self._reporter.take(changes, self._clock.now_ms()))
        self._apply_identity()
        self._on_identity()

    async def beat(self, *, reachable: bool, is_current: IsCurrent) -> None:
        """Report what is due by the passing of time."""
        async with self._lock:
            await self._store(self._reporter.beat(self._clock.now_ms(), reachable=reachable, is_current=is_current))

    async def drain(self) -> None:
        """Report what was held back, before a stop."""
        async with self._lock:
            await self._store(self._reporter.drain())

    async def snapshot(self, *, reachable: bool, is_current: IsCurrent) -> None:
        """Report every current value."""
        async with self._lock:
            report = self._reporter.snapshot(self._clock.now_ms(), reachable=reachable, is_current=is_current)
            await self._store(report)

    async def _store(
        self, report: Report, keep: Keepsake | None = None, on_stored: Callable[[], object] = lambda: None
    ) -> None:
        """Store a report and then remember it, so that what could not be stored is reported again."""

        def accept() -> None:
            self._reporter.accept(report)
            on_stored()

        await self._outbox.store(report.readings, urgent=report.urgent, on_stored=accept, keep=keep)

    def _apply_identity(self) -> None:
        said = {field: getattr(self._known, field) for field in _FIELDS if getattr(self._known, field)}
        self.entry = self.entry.model_copy(update=said)


def reason_of(error: BaseException) -> str:
    """One line on why a driver ended."""
    if isinstance(error, BranchwatchError):
        return str(error)
    return f"{type(error).__name__}: {error}"
