"""The collector put together: what it is made of, in which order it starts, and what others may ask it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from collector.decoding import Decoder
from collector.fleet import Fleet
from collector.gaps import Gaps
from collector.holes import HolePolicy
from collector.intake import Intake
from collector.latest import LatestValues
from collector.ledger import Ledger
from collector.listener import BatchListener, NobodyListens
from collector.metrics import IntakeMetrics
from collector.missing import MissingReadings
from collector.patience import Patience
from collector.presence import Presence
from collector.quarantine import Quarantine
from collector.queries import Readings
from collector.reception import Reception
from collector.review import IntakeReview
from collector.series import SeriesRegistry
from collector.settings import CollectorSettings
from collector.status import GatewayIntake, IntakeStatus, StoreState
from collector.store import Audit, Damage, Latency, TimeSeriesStore
from collector.stores import make_store
from collector.upkeep import StoreUpkeep
from collector.uplink import UplinkSignals
from contracts.errors import DependencyUnavailable
from runtime.clock import Clock
from runtime.database import Database
from runtime.event_log import EventLog
from runtime.settings import BrokerSettings
from runtime.supervisor import Backoff, Service


class Collector:
    """Takes readings in and answers for them.

    Args:
        settings: section ``collector`` of the settings.
        broker: where gateways publish.
        database: ops database, with its tables.
        event_log: for changed inventories and gaps.
        clock: source of arrival times.
        registry: for metrics; one collector a registry.
        data_dir: directory of the time-series store.
        listener: told of every commit; ``None`` for a collector that only stores.

    Attributes:
        fleet: gateways and devices.
        readings: latest values, history and events.
        missing: what gateways should have sent and did not.
        quarantine: what was refused.
        reception: takes messages, for those who bring them by another way than a broker.
    """

    def __init__(
        self,
        settings: CollectorSettings,
        broker: BrokerSettings,
        database: Database,
        event_log: EventLog,
        clock: Clock,
        registry: CollectorRegistry,
        data_dir: Path,
        listener: BatchListener | None = None,
    ) -> None:
        listener = listener if listener is not None else NobodyListens()
        metrics = IntakeMetrics(registry)
        self._patience = Patience(Backoff(first_s=0.2, most_s=5.0), metrics.waiting.set)
        series, latest = SeriesRegistry(), LatestValues()
        self._store = make_store(settings, data_dir, database, clock)
        self.fleet = Fleet(database, event_log)
        gaps = Gaps(database, event_log, clock)
        self.quarantine = Quarantine(
            database, settings.quarantine_sample_rows, settings.quarantine_sample_bytes, settings.quarantine_held_rows
        )
        ledger = Ledger(self._store, series, latest, listener, clock, metrics, self._patience)
        uplink = UplinkSignals(series, latest)
        presence = Presence(round(settings.silence_s * 1000))
        decoder = Decoder(self.fleet, series, settings.pack_bytes, round(settings.future_s * 1000))
        self.reception = Reception(
            self.fleet, self.quarantine, gaps, decoder, ledger, uplink, presence, listener, clock, metrics, self._patience,
            settings.owns,
        )  # fmt: skip
        review = IntakeReview(
            hole_policy(settings), self.fleet, ledger, gaps, uplink, presence, clock, metrics, self._patience
        )  # fmt: skip
        self._intake = Intake(settings, broker, self.reception, review, self._patience)
        self._upkeep = StoreUpkeep(self._store, clock, metrics)
        self.readings = Readings(self.fleet, series, latest, self._store, clock)
        self._records = Records(
            self._store, self.fleet, gaps, self.quarantine, ledger, self.reception, self.readings.newest_ms
        )  # fmt: skip
        self.missing = MissingReadings(self.fleet, ledger, gaps, review)
        self._series = series
        self._settings = settings
        self._status = IntakeStatus(self.fleet, ledger, gaps, self.reception, review)
        metrics.watch(lambda: self._intake.waiting, lambda: self._intake.connected)

    def services(self) -> list[Service]:
        """The collector's services in order of start. The listener has to be ready before them, gateways come after."""
        return [self._records, self._upkeep, self._intake]

    @property
    def store(self) -> TimeSeriesStore:
        """The time-series store, for those who read it in bulk."""
        return self._store

    def intake_status(self) -> list[GatewayIntake]:
        """How the intake of each gateway stands, ordered by branch."""
        return self._status.all()

    def damages(self) -> Sequence[Damage]:
        """Parts of the store that cannot be read."""
        return self._store.damages()

    def unavailable(self) -> list[str]:
        """What the collector waits for now: ``broker``, ``store``, ``listener`` or ``ops database``; empty when ready."""
        waits = [] if self._intake.connected else ["broker"]
        return waits if self._patience.waits_for is None else [*waits, self._patience.waits_for]

    async def check_ready(self) -> None:
        """Return where the collector waits for nothing.

        Raises:
            DependencyUnavailable: it waits; the message names for what.
        """
        waits = self.unavailable()
        if waits:
            raise DependencyUnavailable(f"waits for {', '.join(waits)}")

    def store_state(self) -> StoreState:
        """How the time-series store stands."""
        return StoreState(
            kind=self._settings.store,
            position=self._store.position,
            replayable_from=self._store.replayable_from,
            series=len(self._series.all()),
            retention=self._settings.retention,
            waits_for=self.unavailable(),
            damages=self._store.damages(),
        )

    def inbox(self) -> int:
        """Messages received and not yet taken; 0 once all is drained and the last batch is on its way."""
        return self._intake.waiting

    async def audit(self) -> Audit:
        """Count what is stored, by queries on the store."""
        return await self._store.audit()

    async def latency(self) -> Latency:
        """Observation to commit of live readings, by a query on the store."""
        return await self._store.latency()


class Records:
    """The service that opens the store and fills the memory from it and from the ops database, and closes it last."""

    name = "time-series store"

    def __init__(
        self,
        store: TimeSeriesStore,
        fleet: Fleet,
        gaps: Gaps,
        quarantine: Quarantine,
        ledger: Ledger,
        reception: Reception,
        newest_ms: Callable[[str], int | None],
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._gaps = gaps
        self._quarantine = quarantine
        self._ledger = ledger
        self._reception = reception
        self._newest_ms = newest_ms

    async def start(self) -> None:
        """Open and load, then let the listener catch up and release what waited for a device known by now.

        Raises:
            DependencyUnavailable: store or ops database cannot be opened.
        """
        try:
            await self._store.open()
            await self._fleet.load()
            await self._gaps.load()
            await self._quarantine.load()
            await self._ledger.load()
            highest = {key: runs.highest or 0 for key, runs in self._ledger.committed.items()}
            self._gaps.times.begin(highest, self._newest_ms)
            await self._reception.tell_devices()
            await self._reception.forget_unsettled()
            await self._reception.release()
        except BaseException:
            await self._store.close()
            raise

    async def run(self) -> None:
        """Nothing of its own to do; the intake writes."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Close the store after the commit under way."""
        await self._store.close()


def hole_policy(settings: CollectorSettings) -> HolePolicy:
    """When to ask for packs again, from the settings."""
    return HolePolicy(
        grace_ms=round(settings.hole_grace_s * 1000),
        backoff=Backoff(settings.hole_retry_first_s, settings.hole_retry_most_s),
        tries=settings.hole_tries,
        abandon_ms=round(settings.hole_abandon_s * 1000),
    )
