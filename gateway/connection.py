"""One driver's way to one device: the sink it hands over to, and whether it reaches the device."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.errors import DependencyUnavailable, DeviceError
from gateway.driver import Identity, Observation
from gateway.intake import DeviceIntake
from gateway.links import LINK_STATE, Links
from gateway.metrics import GatewayMetrics
from gateway.outbox.file import RefusedInput
from gateway.outbox.memory import Keepsake
from gateway.refused import RAW_LIMIT, RefusedInputs
from gateway.report import clean
from gateway.reporter import LINK_DOWN
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

HELD_LIMIT: Final = 20_000
"""Observations of one driver held in memory while the outbox cannot be written; some 10 MB at the very most."""


async def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class _HandOver:
    observations: tuple[Observation, ...]
    keep: Mapping[str, str | None]


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
        self._held_count = 0
        self._running = False
        self._heard = False
        self._on_first_word: Callable[[], Awaitable[None]] = _nothing
        self._ids = {"branch_id": intake.branch_id, "device_id": intake.device_id, "driver": driver}

    # -- the port ----------------------------------------------------------------------------------------------------

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        """Take observations and what to keep; see :class:`gateway.driver.Sink`."""
        merged = tuple(self._links.merged(self.driver, observations))
        if self._held:  # order is kept: nothing passes what waits
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
        await self.release()
        return await self.intake.recall(self.driver)

    async def identify(self, identity: Identity) -> None:
        """Take what the device says it is; see :class:`gateway.driver.Sink`."""
        if self._leads:
            await self.intake.identify(identity)

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
        while self._held:
            await self._take(self._held[0], on_stored=self._let_go)

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
        stamped = tuple(
            item if item.observed_at_ms is not None else replace(item, observed_at_ms=now_ms) for item in observations
        )
        if not self._held:
            _log.error("outbox cannot be written; observations wait in memory", **self._ids)
        self._held.append(_HandOver(stamped, keep))
        self._held_count += len(stamped)
        while self._held_count > HELD_LIMIT and len(self._held) > 1:
            lost = self._let_go()
            self._held[0] = replace(self._held[0], keep={**lost.keep, **self._held[0].keep})
            self.overrun += len(lost.observations)
            self._metrics.overrun.labels(self.intake.branch_id, self.driver).inc(len(lost.observations))

    def _let_go(self) -> _HandOver:
        gone = self._held.popleft()
        self._held_count -= len(gone.observations)
        return gone

    def _keep(self, code: str, detail: str, raw: bytes) -> None:
        self.refused += 1
        self._metrics.refused.labels(self.intake.branch_id, self.driver).inc()
        self._refused_inputs.add(
            RefusedInput(self._clock.now_ms(), self.intake.device_id, code, clean(detail), raw[:RAW_LIMIT])
        )
        _log.debug("input refused", **self._ids, code=code, detail=detail[:200])
