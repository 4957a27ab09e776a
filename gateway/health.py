"""The gateway watches itself: what it can honestly say about its uplink, outbox, drivers and computer."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from contracts.errors import DependencyUnavailable
from gateway.connection import Connection
from gateway.driver import Observation
from gateway.host import Host, boot_id
from gateway.metrics import GatewayMetrics
from gateway.outbox.outbox import Outbox
from gateway.outbox.packing import Rank
from gateway.outbox.pruning import Dropped
from gateway.supervision import Supervision
from gateway.uplink import Uplink
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

EVENT: Final = "gateway/event"

_VERSION: Final = "version"


class Health:
    """A :class:`~runtime.supervisor.Service` that reports the gateway's own signals through its own intake.

    ``uplink/state`` and ``uplink/missing_packs`` are not here: only the collector can tell them.
    """

    def __init__(
        self,
        branch_id: str,
        version: str,
        gateway: Connection,
        outbox: Outbox,
        uplink: Uplink,
        supervision: Supervision,
        clock: Clock,
        metrics: GatewayMetrics,
        every_s: float,
        *,
        watch_host: bool = True,
    ) -> None:
        self.name = f"health of {branch_id}"
        self._branch_id = branch_id
        self._version = version
        self.gateway = gateway
        self._outbox = outbox
        self.uplink = uplink
        self._supervision = supervision
        self._clock = clock
        self._metrics = metrics
        self.every_s = every_s
        self._overrun_told = 0
        self._host = Host(outbox.path.parent) if watch_host else None

    async def start(self) -> None:
        """Report the start, and whether it is another version than the last."""
        self.gateway.began()
        await self._outbox.count_start(boot_id())
        before = (await self.gateway.recall()).get(_VERSION, self._version)
        told = [Observation(EVENT, f"start {self._version}")]
        if before != self._version:
            told.append(Observation(EVENT, f"update {before} -> {self._version}"))
        await self.gateway.observe(told, {_VERSION: self._version})

    async def run(self) -> None:
        """Look every ``every_s`` until cancelled."""
        while True:
            try:
                await self.look()
            except DependencyUnavailable as error:
                _log.error("health waits for the outbox", branch_id=self._branch_id, error=str(error))
            await asyncio.sleep(self.every_s)

    async def stop(self) -> None:
        """Report a last look and the stop."""
        await self.look()
        await self.gateway.intake.drain()
        await self.gateway.observe([Observation(EVENT, f"stop {self._version}")])
        self.gateway.ended()

    async def look(self) -> None:
        """Report everything once; what did not change is not sent.

        Raises:
            DependencyUnavailable: the outbox cannot be read or written.
        """
        figures = await self._outbox.statistics()
        backfill_left = await self._outbox.unacknowledged_readings(self.uplink.backlog_upto)
        self._metrics.pending.labels(self._branch_id).set(figures.pending_readings)
        oldest_ms = figures.oldest_pending_ms
        age_s = 0.0 if oldest_ms is None else max(0.0, (self._clock.now_ms() - oldest_ms) / 1000)
        observations = [
            Observation("uplink/reconnects", max(0, self.uplink.sessions - 1)),
            Observation("uplink/packs_sent", figures.acknowledged_packs),
            Observation("uplink/resends", figures.resent_packs),
            Observation("uplink/backfill_left", backfill_left),
            Observation("outbox/pending", figures.pending_readings),
            Observation("outbox/bytes", figures.bytes),
            Observation("outbox/oldest_age", age_s),
            Observation("outbox/dropped", figures.dropped_readings + self._supervision.overrun()),
            Observation("host/app/restarts", max(0, figures.starts - 1)),
            *self._supervision.all_observations(),
        ]
        overrun = self._supervision.overrun()
        if overrun > self._overrun_told:
            lost, self._overrun_told = overrun - self._overrun_told, overrun
            observations.append(Observation(EVENT, f"gap: {lost} observations lost, the outbox could not be written"))
        dropped = self._outbox.take_dropped()
        if dropped.readings:
            observations.append(Observation(EVENT, _told(dropped)))
        if self._host is not None:
            observations += [Observation("host/reboots", figures.host_reboots), *self._host.observations()]
        if self.uplink.round_trip_s is not None:
            observations.append(Observation("uplink/round_trip", self.uplink.round_trip_s))
        commit_s = self._outbox.commit_time_s()
        if commit_s is not None:
            observations.append(Observation("outbox/commit_time", commit_s))
        await self.gateway.observe(observations)


def _told(dropped: Dropped) -> str:
    first, last = (
        datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
        for at_ms in (dropped.first_ms, dropped.last_ms)
    )
    return (
        f"gap: {dropped.readings} readings stored from {first} to {last} dropped unsent, outbox full:"
        f" {dropped.of(Rank.NUMBER)} gauges and counters, {dropped.of(Rank.STATE)} states, {dropped.of(Rank.EVENT)} events"
    )
