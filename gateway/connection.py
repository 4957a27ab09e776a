"""One driver's way to one device: the sink it hands over to, and whether it reaches the device."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.errors import DependencyUnavailable, DeviceError
from gateway.driver import Identity, Observation
from gateway.intake import DeviceIntake
from gateway.links import LINK_DOWN, LINK_STATE, Links
from gateway.metrics import GatewayMetrics
from gateway.outbox.file import RefusedInput
from gateway.outbox.memory import Keepsake
from gateway.refused import RAW_LIMIT, RefusedInputs
from gateway.report import clean
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

HELD_LIMIT: Final = 20_000
"""Observations of one driver held in memory while the outbox cannot be written, texts of more than 500 bytes counted more
often; some 10 MB at the very most."""

_AT_ONCE: Final = 200
"""Hand-overs that waited and are stored in one transaction."""


async def _nothing() -> None:
    return


def _always(_path: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _HandOver:
    observations: tuple[Observation, ...]
    keep: Mapping[str, str | None]

    @property
    def weight(self) -> int:
        """What it counts for against :data:`HELD_LIMIT`."""
        kept = sum(len(key) + len(text or "") for key, text in self.keep.items())
        said = sum(len(item.value) for item in self.observations if isinstance(item.value, str))
        return 1 + len(self.observations) + (kept + said) // 500


def _stamped(item: Observation, now_ms: int) -> Observation:
    """An observation that can wait: with the time it was seen, and no longer than what is stored of it."""
    at_ms = now_ms if item.observed_at_ms is None else item.observed_at_ms
    return replace(item, value=clean(item.value) if isinstance(item.value, str) else item.value, observed_at_ms=at_ms)


class Connection:
    """The :class:`~gateway.driver.Sink` of one driver of a device.

    Args:
        intake: the device.
        driver: short name of the driver's protocol.
        links: what all drivers of the device say of its link.
        refused: where refused inputs go.
        clock: time of refusals, and of observations that have to wait.
        metrics: the process's gateway metrics.
        leads: whether this driver's word on what the device is counts; one driver of a device does.
        holds: whether observations wait in memory while the outbox cannot be written. For protocols in which a device
            tells something once and waits for no answer; where it waits for one, a failure is passed on, so that it is
            not answered and says it again.
    """

    def __init__(
        self,
        intake: DeviceIntake,
        driver: str,
        links: Links,
        refused: RefusedInputs,
        clock: Clock,
        metrics: GatewayMetrics,
        *,
        leads: bool = True,
        holds: bool = False,
    ) -> None:
        self.intake = intake
        self.driver = driver
        self.taken = 0
        self.refused = 0
        self.overrun = 0
        self._links = links
        self._refused_inputs = refused
        self._clock = clock
        self._metrics = metrics
        self._leads = leads
        self._holds = holds
        self._held: deque[_HandOver] = deque()
        self._held_weight = 0
        self._leaving = 0  # how many of them are being stored
        self._releasing = asyncio.Lock()
        self._unsaid: Identity | None = None
        self._running = False
        self._heard = False
        self._on_first_word: Callable[[], Awaitable[None]] = _nothing
        self._ids = {"branch_id": intake.branch_id, "device_id": intake.device_id, "driver": driver}

    # -- the port ----------------------------------------------------------------------------------------------------

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        """Take observations and what to keep; see :class:`gateway.driver.Sink`."""
        merged = tuple(self._links.merged(self.driver, observations))
        if self._held or self._releasing.locked():  # order is kept: nothing passes what waits
            self._hold(merged, keep)
        else:
            try:
                await self._take(_HandOver(merged, keep))
            except DependencyUnavailable:
                if not self._holds:
                    raise
                self._hold(merged, keep)
        if self._running and not self._heard:
            self._heard = True
            await self._on_first_word()

    async def recall(self) -> Mapping[str, str]:
        """What the driver keeps of the device; see :class:`gateway.driver.Sink`."""
        async with self._releasing:
            kept = await self.intake.recall(self.driver)
            waiting = {key: text for given in self._held for key, text in given.keep.items()}
        return {key: text for key, text in {**kept, **waiting}.items() if text is not None}

    async def identify(self, identity: Identity) -> None:
        """Take what the device says it is; see :class:`gateway.driver.Sink`."""
        if not self._leads:
            return
        try:
            await self.intake.identify(identity)
        except DependencyUnavailable:
            if not self._holds:
                raise
            self._unsaid = identity

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:
        """Keep an input that broke the protocol; see :class:`gateway.driver.Sink`."""
        data = raw[:RAW_LIMIT].encode(errors="replace") if isinstance(raw, str) else bytes(raw)
        self._keep(error.code, str(error), data)

    # -- the gateway's side ------------------------------------------------------------------------------------------

    def began(self, on_first_word: Callable[[], Awaitable[None]] = _nothing) -> None:
        """The driver's run begins: nothing is known of the device until the driver speaks, which must not raise."""
        self._running, self._heard, self._on_first_word = True, False, on_first_word

    def ended(self) -> None:
        """The driver's run is over: values are no longer known to be current."""
        self._running = False

    def speaks_for(self, path: str) -> bool:
        """Whether it was this driver that told a signal."""
        return self._links.told_by(path) == self.driver

    @property
    def is_reachable(self) -> bool:
        """Whether the driver runs, has spoken in this run and does not say that the link is down."""
        return self._running and self._heard and self._links.state(self.driver) != LINK_DOWN

    async def link_down(self) -> None:
        """Report that this driver cannot reach the device."""
        down = self._links.merged(self.driver, [Observation(LINK_STATE, LINK_DOWN)])
        await self.intake.take(down)

    async def release(self) -> None:
        """Hand over what had to wait for the outbox, in order.

        Raises:
            DependencyUnavailable: the outbox still cannot be written; the rest waits on.
        """
        async with self._releasing:
            while self._held:
                self._leaving = min(len(self._held), _AT_ONCE)
                first = [self._held[index] for index in range(self._leaving)]
                try:
                    await self._take(
                        _HandOver(
                            tuple(item for given in first for item in given.observations),
                            {key: text for given in first for key, text in given.keep.items()},
                        ),
                        on_stored=self._let_go,
                    )
                finally:
                    self._leaving = 0
            if self._unsaid is not None:
                await self.intake.identify(self._unsaid)
                self._unsaid = None

    async def beat(self) -> None:
        """For a device that nobody but this connection reads: what waited, and what is due by the passing of time."""
        await self.release()
        await self.intake.beat(reachable=True, is_current=_always)

    async def snapshot(self) -> None:
        """Likewise: every current value."""
        await self.intake.snapshot(reachable=True, is_current=_always)

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _take(self, given: _HandOver, on_stored: Callable[[], object] = lambda: None) -> None:
        keepsake = Keepsake(self.intake.device_id, self.driver, dict(given.keep)) if given.keep else None
        report = await self.intake.take(given.observations, keepsake, on_stored)
        accepted = len(given.observations) - len(report.refusals)
        self.taken += accepted
        self._metrics.observations.labels(self.intake.branch_id, self.driver).inc(accepted)
        for refusal in report.refusals:
            self._keep(refusal.code, refusal.detail, refusal.path.encode(errors="replace"))

    def _hold(self, observations: Sequence[Observation], keep: Mapping[str, str | None]) -> None:
        """Let a hand-over wait, stamped with the time it was seen; the oldest gives way where too much waits."""
        now_ms = self._clock.now_ms()
        stamped = tuple(_stamped(item, now_ms) for item in observations)
        if not self._held:
            _log.error("outbox cannot be written; observations wait in memory", **self._ids)
        self._held.append(_HandOver(stamped, keep))
        self._held_weight += self._held[-1].weight
        while self._held_weight > HELD_LIMIT and len(self._held) > self._leaving + 1:
            oldest = self._leaving  # those before it are being stored
            lost = self._held[oldest]
            del self._held[oldest]
            after = self._held[oldest]
            heir = self._held[oldest] = _HandOver(after.observations, {**lost.keep, **after.keep})
            self._held_weight += heir.weight - after.weight - lost.weight
            self.overrun += len(lost.observations)
            self._metrics.overrun.labels(self.intake.branch_id, self.driver).inc(len(lost.observations))

    def _let_go(self) -> None:
        for _ in range(self._leaving):
            self._held_weight -= self._held.popleft().weight
        self._leaving = 0

    def _keep(self, code: str, detail: str, raw: bytes) -> None:
        self.refused += 1
        self._metrics.refused.labels(self.intake.branch_id, self.driver).inc()
        self._refused_inputs.add(
            RefusedInput(self._clock.now_ms(), self.intake.device_id, code, clean(detail), raw[:RAW_LIMIT])
        )
        _log.debug("input refused", **self._ids, code=code, detail=detail[:200])
