"""The regular review of every gateway: holes asked for or given up, missing packs and connection reported."""

from dataclasses import dataclass

from collector.columns import Columns
from collector.fleet import Fleet
from collector.gaps import Gaps
from collector.holes import Hole, HolePolicy, HoleWatch, Reach, Review
from collector.intervals import IntervalSet
from collector.ledger import Ledger
from collector.metrics import IntakeMetrics
from collector.patience import Patience
from collector.presence import Presence
from collector.uplink import UplinkSignals
from contracts.gateway_messages import ResendRequest
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OpenHoles:
    """Holes of a gateway, over all its boot identities."""

    holes: int = 0
    missing_packs: int = 0


class IntakeReview:
    """Goes over all gateways; the intake calls it between batches."""

    def __init__(
        self,
        policy: HolePolicy,
        fleet: Fleet,
        ledger: Ledger,
        gaps: Gaps,
        uplink: UplinkSignals,
        presence: Presence,
        clock: Clock,
        metrics: IntakeMetrics,
        patience: Patience,
    ) -> None:
        self._policy = policy
        self._fleet = fleet
        self._ledger = ledger
        self._gaps = gaps
        self._uplink = uplink
        self._presence = presence
        self._clock = clock
        self._metrics = metrics
        self._patience = patience
        self._watches: dict[tuple[str, str], HoleWatch] = {}
        self._boots: dict[str, list[str]] = {}
        self.open: dict[str, OpenHoles] = {}
        """As of the last review, by branch."""

    async def review(self, *, connected: bool) -> list[tuple[str, ResendRequest]]:
        """Look at every gateway once.

        Args:
            connected: whether our own connection to the broker stands. Without it nobody can be asked, and nothing can be
                said of the gateways' connections either.

        Returns:
            What to ask for, with the branch to ask.
        """
        now_ms = self._clock.now_ms()
        columns = Columns()
        requests: list[tuple[str, ResendRequest]] = []
        self._presence.listen(now_ms, connected=connected)
        await self._look_for_gateways(now_ms, columns)
        found: dict[str, OpenHoles] = {branch_id: OpenHoles() for branch_id in self._fleet.gateways}
        for (branch_id, boot), settled in list(self._ledger.settled().items()):
            if self._watch(branch_id, boot).is_quiet(settled, self._gaps.of(branch_id, boot)):
                self._gaps.times.forget(branch_id, boot)
                continue
            review = await self._review_one(branch_id, boot, settled, now_ms, connected)
            if review.request:
                requests.append((branch_id, ResendRequest(boot=boot, resend=review.request)))
            before = found.get(branch_id, OpenHoles())
            found[branch_id] = OpenHoles(before.holes + review.holes, before.missing_packs + review.missing)
        self.open = found
        for branch_id, holes in found.items():
            self._uplink.missing_packs(branch_id, holes.missing_packs, now_ms, columns)
            state = self._fleet.gateways.get(branch_id)
            if connected and state is not None:
                self._uplink.connection(branch_id, online=state.online, at_ms=now_ms, columns=columns)
        await self._ledger.commit(columns.batch(), ())
        return requests

    def overdue(self, branch_id: str) -> list[tuple[str, Hole]]:
        """Holes of a gateway that are older than the grace time, with the identity of the outbox."""
        now_ms = self._clock.now_ms()
        return [
            (boot, hole)
            for boot in self._boots.get(branch_id, ())
            for hole in self._watches[branch_id, boot].holes
            if now_ms - hole.since_ms >= self._policy.grace_ms
        ]

    async def _look_for_gateways(self, now_ms: int, columns: Columns) -> None:
        """Count those disconnected of which nothing is heard, and those connected that go on sending."""
        for branch_id in list(self._fleet.gateways):
            async with self._fleet.judging:
                state = self._presence.look(self._fleet.gateways[branch_id], now_ms)
                if state is None:
                    continue
                _log.warning("gateway is heard again" if state.online else "gateway is silent", branch_id=branch_id)
                await self._patience.insist("ops database", lambda state=state: self._fleet.hear(state))  # type: ignore[misc]
            self._uplink.connection(branch_id, online=state.online, at_ms=state.since_ms, columns=columns)
        for branch_id, boot in self._presence.take_returned():
            self._watch(branch_id, boot).ask_once_more(now_ms)

    def _watch(self, branch_id: str, boot: str) -> HoleWatch:
        watch = self._watches.get((branch_id, boot))
        if watch is None:
            watch = self._watches[branch_id, boot] = HoleWatch(self._policy)
            self._boots.setdefault(branch_id, []).append(boot)
        return watch

    async def _review_one(
        self, branch_id: str, boot: str, settled: IntervalSet, now_ms: int, connected: bool
    ) -> Review:
        gaps = self._gaps.of(branch_id, boot)
        review = self._watch(branch_id, boot).review(
            settled, gaps, now_ms, self._reach(branch_id, boot, now_ms, connected)
        )
        if review.gaps:
            _log.error("packs given up", branch_id=branch_id, boot=boot, ranges=review.gaps)
            await self._patience.insist("ops database", lambda: self._gaps.record(branch_id, boot, review.gaps))
        if review.request:
            packs = sum(high - low + 1 for low, high in review.request)
            self._metrics.requested.inc(packs)
            _log.info("packs asked for again", branch_id=branch_id, boot=boot, packs=packs)
        return review

    def _reach(self, branch_id: str, boot: str, now_ms: int, connected: bool) -> Reach:
        state = self._fleet.gateways.get(branch_id)
        silent = self._presence.is_silent(branch_id, now_ms)
        if not connected or silent or (state is not None and not state.online):
            return Reach.OFFLINE
        # One that sends packs without a status is asked, too: the broker may have forgotten what it retained.
        return Reach.ASKABLE if state is None or state.boot == boot else Reach.OTHER_BOOT
