"""Where a driver hands over what it saw of one device: checked, reported by exception, stored before it returns."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from contracts.errors import BranchwatchError, DeviceError
from contracts.gateway_messages import DeviceEntry
from contracts.identity import device_id
from contracts.signals import DeviceKind
from gateway.driver import Identity, Observation
from gateway.metrics import GatewayMetrics
from gateway.outbox.file import RefusedInput
from gateway.outbox.memory import Keepsake
from gateway.outbox.outbox import Outbox
from gateway.report import Report, clean
from gateway.reporter import LINK_DOWN, LINK_STATE, Reporter
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

RAW_LIMIT: Final = 4096
"""Bytes kept of a refused input."""

_WAITING_LIMIT: Final = 200

_FIELDS: Final = ("maker", "model", "serial", "firmware")


async def _nothing() -> None:
    return


class RefusedInputs:
    """Refused inputs on their way to the outbox file: the newest few, and a count of all."""

    def __init__(self) -> None:
        self._waiting: deque[RefusedInput] = deque(maxlen=_WAITING_LIMIT)
        self._counted = 0

    def add(self, refused: RefusedInput) -> None:
        """Take one; the oldest waiting one gives way where there are too many."""
        self._waiting.append(refused)
        self._counted += 1

    async def flush(self, outbox: Outbox) -> None:
        """Write what waits.

        Raises:
            DependencyUnavailable: the outbox cannot be written; everything waits on.
        """
        if not self._counted:
            return
        batch, counted = tuple(self._waiting), self._counted
        await outbox.keep_refused(batch, counted)
        self._counted -= counted
        for refused in batch:
            if self._waiting and self._waiting[0] is refused:
                self._waiting.popleft()


class DeviceIntake:
    """The sink of one device's driver.

    Args:
        branch_id: the branch.
        entry: the device as the settings name it.
        kind: its kind in the device catalogue.
        outbox: where readings are stored, started.
        refused: where refused inputs go.
        clock: time of observations that carry none.
        metrics: the process's gateway metrics.
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
        refused: RefusedInputs,
        clock: Clock,
        metrics: GatewayMetrics,
        *,
        floor_ms: int = 0,
        known: Identity | None = None,
        on_identity: Callable[[], None] = lambda: None,
    ) -> None:
        self.device_id = device_id(branch_id, entry.id)
        self.entry = entry
        self.taken = 0
        self.refused = 0
        self._running = False
        self._heard = False
        self._on_first_word: Callable[[], Awaitable[None]] = _nothing
        self._branch_id = branch_id
        self._outbox = outbox
        self._refused_inputs = refused
        self._clock = clock
        self._metrics = metrics
        self._reporter = Reporter(self.device_id, kind, floor_ms)
        self._known = known or Identity()
        self._on_identity = on_identity
        self._lock = asyncio.Lock()
        self._apply_identity()

    # -- the port ----------------------------------------------------------------------------------------------------

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        """Take observations and what to keep; see :class:`gateway.driver.Sink`."""
        async with self._lock:
            report = self._reporter.take(observations, self._clock.now_ms())
            await self._store(report, Keepsake(self.device_id, self.entry.driver, dict(keep)) if keep else None)
        accepted = len(observations) - len(report.refusals)
        self.taken += accepted
        self._metrics.observations.labels(self._branch_id, self.entry.driver).inc(accepted)
        for refusal in report.refusals:
            self._keep(refusal.code, refusal.detail, refusal.path.encode(errors="replace"))
        if self._running and not self._heard:
            self._heard = True
            await self._on_first_word()

    async def recall(self) -> Mapping[str, str]:
        """What the driver keeps of the device; see :class:`gateway.driver.Sink`."""
        async with self._lock:
            return await self._outbox.recall(self.device_id, self.entry.driver)

    async def identify(self, identity: Identity) -> None:
        """Take what the device says it is; see :class:`gateway.driver.Sink`."""
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
            await self._store(self._reporter.take(changes, self._clock.now_ms()))
            self._known = merged
            await self._outbox.keep_identity(self.device_id, merged)
        self._apply_identity()
        self._on_identity()

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:
        """Keep an input that broke the protocol; see :class:`gateway.driver.Sink`."""
        data = raw[:RAW_LIMIT].encode(errors="replace") if isinstance(raw, str) else bytes(raw)
        self._keep(error.code, str(error), data)

    # -- the gateway's side ------------------------------------------------------------------------------------------

    def began(self, on_first_word: Callable[[], Awaitable[None]]) -> None:
        """The driver's run begins: nothing is known of the device until the driver speaks, which must not raise."""
        self._running, self._heard, self._on_first_word = True, False, on_first_word

    def ended(self) -> None:
        """The driver's run is over: values are no longer known to be current."""
        self._running = False

    @property
    def is_reachable(self) -> bool:
        """Whether the driver runs, has spoken in this run and does not say that the link is down."""
        return self._running and self._heard and self._reporter.current(LINK_STATE) != LINK_DOWN

    async def link_down(self) -> None:
        """Report that the device cannot be reached."""
        async with self._lock:
            await self._store(self._reporter.take([Observation(LINK_STATE, LINK_DOWN)], self._clock.now_ms()))

    async def beat(self) -> None:
        """Report what is due by the passing of time."""
        async with self._lock:
            await self._store(self._reporter.beat(self._clock.now_ms(), reachable=self.is_reachable))

    async def drain(self) -> None:
        """Report what was held back, before a stop."""
        async with self._lock:
            await self._store(self._reporter.drain())

    async def snapshot(self) -> None:
        """Report every current value."""
        async with self._lock:
            await self._store(self._reporter.snapshot(self._clock.now_ms(), reachable=self.is_reachable))

    async def _store(self, report: Report, keep: Keepsake | None = None) -> None:
        """Store a report and then remember it, so that what could not be stored is reported again."""
        await self._outbox.store(
            report.readings, urgent=report.urgent, on_stored=lambda: self._reporter.accept(report), keep=keep
        )

    def _keep(self, code: str, detail: str, raw: bytes) -> None:
        self.refused += 1
        self._metrics.refused.labels(self._branch_id, self.entry.driver).inc()
        self._refused_inputs.add(
            RefusedInput(self._clock.now_ms(), self.device_id, code, clean(detail), raw[:RAW_LIMIT])
        )
        _log.debug("input refused", device_id=self.device_id, code=code, detail=detail[:200])

    def _apply_identity(self) -> None:
        said = {field: getattr(self._known, field) for field in _FIELDS if getattr(self._known, field)}
        self.entry = self.entry.model_copy(update=said)


def reason_of(error: BaseException) -> str:
    """One line on why a driver ended."""
    if isinstance(error, BranchwatchError):
        return str(error)
    return f"{type(error).__name__}: {error}"
