"""The rules as a service: takes what the collector committed, makes faults of it, and lets delays end.

Fault changes, the engine's state and the position they belong to are one transaction, so a restart goes on from there:
it puts the conditions back, learns the newest readings as of that position and takes every commit after it again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from contracts.errors import DependencyUnavailable
from contracts.readings import ReadingBatch, SeriesInfo
from rules import fault_changes
from rules.adapters import condition_rows, fault_rows
from rules.engine import Engine
from rules.faults import Faults
from rules.figures import Figures
from rules.files import load_rules
from rules.instance import Change
from rules.opening_hours import OpeningHours
from rules.overrides import apply_overrides
from rules.pace import Pace
from rules.ports import Device, History
from rules.rule import Rule
from rules.settings import RulesSettings
from runtime.clock import Clock
from runtime.database import Database
from runtime.event_log import EventLog
from runtime.logs import get_logger

_log = get_logger(__name__)

_REPLAY_FLUSH: Final = 200
"""Commits taken again between two transactions while catching up."""


class Rules:
    """Evaluates the rules over committed readings; a service, and the collector's listener.

    The collector calls :meth:`restore`, :meth:`devices_changed` and :meth:`take`, one at a time; ticks come in between.
    ``DependencyUnavailable`` from any of them means: call again with the same arguments, nothing takes effect twice.

    Raises:
        ConfigurationError: a rule file or an override is wrong.
    """

    name: Final = "rules"

    def __init__(
        self,
        settings: RulesSettings,
        database: Database,
        event_log: EventLog,
        clock: Clock,
        registry: CollectorRegistry,
    ) -> None:
        loaded = apply_overrides(load_rules(settings.directory), settings.overrides)
        self.rules: Final[Mapping[str, Rule]] = {rule.id: rule for rule in loaded}
        self._settings = settings
        self._database = database
        self._event_log = event_log
        self._clock = clock
        self._figures = Figures(registry)
        self.faults: Final = Faults(self.rules, database, event_log, clock, self._figures)
        self._hours = OpeningHours.of(settings.opening_hours, settings.zone)
        self._lock = asyncio.Lock()
        self._engine = Engine(loaded, self._hours)
        self._pace = self._new_pace()
        self._pending: list[Change] = []
        self._position = 0
        self._stored = condition_rows.Checkpoint(0, 0)
        self._stored_at_ms = 0
        self._tried = 0
        self._restored = False
        self._has_devices = False

    async def start(self) -> None:
        """Nothing to prepare: the collector restores the rules before it takes readings."""

    async def run(self) -> None:
        """Let delays end, until cancelled."""
        unavailable = False
        while True:
            await asyncio.sleep(self._settings.tick_s)
            try:
                await self.tick()
            except DependencyUnavailable as error:
                if not unavailable:
                    _log.warning("faults wait for the database", error=str(error))
                unavailable = True
            else:
                unavailable = False

    async def stop(self) -> None:
        """Store the position, so that the next start has nothing to take again."""
        async with self._lock:
            if self._restored:
                await self._flush(checkpoint=True)

    async def restore(self, history: History) -> None:
        """Catch up with the store. Begins anew whenever it is called."""
        async with self._lock:
            self._restored = False
            self._engine = Engine(list(self.rules.values()), self._hours)
            self._pending = []
            self._tried = 0
            self._pace = self._new_pace()
            await self._end_without_rule()
            async with self._database.read() as connection:
                checkpoint = await condition_rows.load_checkpoint(connection)
                stored = await condition_rows.load_conditions(connection)
                counts = await fault_rows.count_by_rule(connection)
            self._figures.active.set(sum(active for _, _, active in counts))
            self._resume(stored)
            self._stored = checkpoint or condition_rows.Checkpoint(history.position, 0)
            self._position = max(min(self._stored.position, history.position), history.replayable_from)
            if self._stored.position < self._position:
                _log.warning(
                    "the rules' checkpoint is older than the commits the store can give again: it was restored from a backup",
                    checkpoint=self._stored.position,
                    replayed_from=self._position,
                )
            if self._stored.position > history.position:
                _log.warning(
                    "the store is older than the rules' checkpoint: it was restored from a backup, or is another one",
                    checkpoint=self._stored.position,
                    position=history.position,
                )
            self._pending += self._engine.prime(await history.newest_live(self._position), history.series())
            taken = 0
            async for position, batch in history.scan_since(self._position):
                self._evaluate(batch, history.series())
                self._position = position
                taken += 1
                if taken % _REPLAY_FLUSH == 0:
                    await self._flush()
            await self._flush(checkpoint=True)
            self._restored = True
            _log.info("rules restored", rules=len(self.rules), conditions=len(stored), commits_taken_again=taken)

    async def devices_changed(self, devices: Sequence[Device]) -> None:
        """Learn the devices that now exist, of all branches."""
        async with self._lock:
            self._pending += self._engine.set_devices(devices, self._clock.now_ms())
            self._has_devices = True
            await self._flush()

    async def take(self, batch: ReadingBatch, series: Sequence[SeriesInfo], position: int) -> None:
        """Evaluate one commit of the store; returned means that its faults are stored.

        Args:
            batch: the readings.
            series: all series known so far; the index is the series number.
            position: of the commit; one that was taken before has no effect.
        """
        async with self._lock:
            if position > self._position:
                self._pace.took(batch, series, self._clock.now_ms())
                with self._figures.evaluation_s.time():
                    self._evaluate(batch, series)
                self._position = position
            await self._flush()

    async def tick(self) -> None:
        """Let delays end that are due by now."""
        async with self._lock:
            if not (self._restored and self._has_devices):
                return
            horizon_ms = self._pace.horizon_ms(self._clock.now_ms())
            if horizon_ms is not None:
                self._pending += self._engine.tick(horizon_ms)
            await self._flush()

    def _new_pace(self) -> Pace:
        settings = self._settings
        return Pace(round(settings.late_s * 1000), round(settings.catch_up_s * 1000), self._clock.now_ms())

    async def _end_without_rule(self) -> None:
        """End what belongs to rules that are no longer loaded."""
        async with self._database.write() as connection:
            ended = await fault_changes.end_without_rule(
                connection, self._event_log, self.rules.keys(), self._clock.now_ms()
            )
            await condition_rows.drop_without_rule(connection, self.rules.keys())
        if ended.active:
            _log.info("faults ended: their rules are no longer loaded", faults=-ended.active)
            await self._event_log.announce()

    def _resume(self, stored: Sequence[condition_rows.StoredCondition]) -> None:
        for condition in stored:
            same = self.rules[condition.key.rule_id].fingerprint == condition.fingerprint
            memories = condition.memories if same else None
            self._engine.resume(condition.key, condition.state, condition.at_ms, memories)

    def _evaluate(self, batch: ReadingBatch, series: Sequence[SeriesInfo]) -> None:
        self._pending += self._engine.take(batch, series)

    async def _flush(self, *, checkpoint: bool = False) -> None:
        """Store what changed, in one transaction; where nothing did, the position alone and only now and then.

        What could not be stored stays pending for the next call.
        """
        now_ms = self._clock.now_ms()
        dirty = list(self._engine.dirty)
        if not (self._pending or dirty):
            due = checkpoint or now_ms - self._stored_at_ms >= self._settings.checkpoint_s * 1000
            if self._position == self._stored.position or not due:
                return
        async with self._database.write() as connection:
            known = await condition_rows.load_checkpoint(connection)
            if known is not None and known.revision > self._stored.revision:
                # The transaction before was committed, though nobody saw its end: its changes are made.
                self._stored = known
                del self._pending[: self._tried]
            self._tried = len(self._pending)
            stored = condition_rows.Checkpoint(self._position, self._stored.revision + 1)
            applied = await fault_changes.apply(connection, self._event_log, self._pending, now_ms)
            await condition_rows.store_conditions(connection, dirty)
            await condition_rows.store_checkpoint(connection, stored)
        self._stored, self._stored_at_ms, self._tried = stored, now_ms, 0
        self._engine.dirty.clear()
        if self._pending:
            self._pending = []
            self._figures.count(applied)
            await self._event_log.announce()
