"""Maintenance as a server runs it: the consumer of fault events and the clock that opens and verifies."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.errors import DependencyUnavailable
from maintenance.fault_intake import CONSUMER, EVENT_TYPES, FaultIntake
from maintenance.offers import Offers
from maintenance.order import OpenOrderExists
from maintenance.verification import Verification, VerificationBounds
from maintenance.work_orders import WorkOrders
from runtime.clock import Clock
from runtime.database import Database
from runtime.event_log import Consumer, EventLog
from runtime.logs import get_logger
from runtime.settings import Section
from runtime.supervisor import Service

_log = get_logger(__name__)


class MaintenanceSettings(Section):
    """Settings of work orders."""

    tick_s: float = Field(default=1.0, gt=0, le=60, description="how often waits and verifications are looked at")
    offer_timeout_s: float = Field(
        default=300.0, gt=0, description="how long a technician has to accept before the offer expires"
    )
    verification_longest_wait_s: float = Field(
        default=1800.0, gt=0, description="how long a repair may take to show in telemetry before the order goes back"
    )


class Step(Protocol):
    """Something that time alone brings about."""

    async def step(self, connection: AsyncConnection) -> int:
        """Do what is due inside the tick's transaction; tells how many orders moved."""
        ...


class _Ticks:
    """Opens orders whose wait is over, lets offers expire and verifies repairs, every ``tick_s``."""

    name = "maintenance ticks"

    def __init__(
        self,
        tick_s: float,
        database: Database,
        event_log: EventLog,
        intake: FaultIntake,
        steps: Sequence[Step],
    ) -> None:
        self._tick_s = tick_s
        self._database = database
        self._event_log = event_log
        self._intake = intake
        self._steps = tuple(steps)

    async def start(self) -> None:
        """Nothing to prepare: all state is in the database."""

    async def run(self) -> None:
        while True:
            try:
                await self.tick()
            except (DependencyUnavailable, OpenOrderExists) as error:
                _log.warning("maintenance waits", error=str(error))
            await asyncio.sleep(self._tick_s)

    async def tick(self) -> None:
        """Do what is due, in one transaction."""
        async with self._database.write() as connection:
            done = await self._intake.open_due(connection)
            for step in self._steps:
                done += await step.step(connection)
        if done:
            await self._event_log.announce()

    async def stop(self) -> None:
        """Nothing is held between ticks."""


class Maintenance:
    """Work orders of one server process.

    Attributes:
        work_orders: commands and queries, for the console.
    """

    def __init__(
        self,
        settings: MaintenanceSettings,
        database: Database,
        event_log: EventLog,
        clock: Clock,
    ) -> None:
        self.work_orders = WorkOrders(database, event_log, clock)
        intake = FaultIntake(self.work_orders, event_log, clock)
        bounds = VerificationBounds(longest_wait_ms=round(settings.verification_longest_wait_s * 1000))
        verification = Verification(self.work_orders, clock, bounds)
        offers = Offers(self.work_orders, clock, round(settings.offer_timeout_s * 1000))
        self._services: tuple[Service, ...] = (
            _Ticks(settings.tick_s, database, event_log, intake, (offers, verification)),
            Consumer(CONSUMER, EVENT_TYPES, intake.handle, database, event_log),
        )

    def services(self) -> tuple[Service, ...]:
        """In the order of their start."""
        return self._services
