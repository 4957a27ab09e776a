"""What the console asks of the services; they meet these ports without knowing of them.

All of it may be called at any time from the console's loop. Methods that wait raise ``DependencyUnavailable`` where the
database or store behind them does not answer, and ``NotFound`` for ids that do not exist.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from collector.fleet import Device, GatewayState
from collector.missing import Missing
from collector.quarantine import QuarantineEntry, RefusalCount
from collector.queries import DeviceEvent, History, LatestReading, PathBuckets
from collector.status import GatewayIntake, StoreState
from contracts.work_orders import WorkOrderState
from maintenance.order import WorkOrder
from maintenance.work_orders import CommandRequest
from rules.faults import FaultFilter, FaultView
from runtime.event_log import Event


class Fleet(Protocol):
    """Devices and gateways as announced, from memory."""

    def device(self, full_device_id: str) -> Device | None:
        """A device, also a removed one; ``None`` where no inventory ever named it."""
        ...

    def devices(self, branch_id: str | None = None) -> Sequence[Device]:
        """The devices that exist now, ordered by id."""
        ...

    @property
    def gateways(self) -> Mapping[str, GatewayState]:
        """State of each gateway that ever said something, by branch."""
        ...


class Readings(Protocol):
    """Readings of devices."""

    def latest(self, device_id: str) -> Sequence[LatestReading]:
        """Newest reading of each signal, ordered by path, from memory."""
        ...

    async def history(self, device_id: str, path: str, from_ms: int, to_ms: int, limit: int = ...) -> History:
        """Readings with ``from_ms <= observed_at < to_ms`` in order; the newest ``limit`` where there are more."""
        ...

    async def buckets(
        self, device_id: str, paths: Sequence[str], from_ms: int, to_ms: int, bucket_ms: int
    ) -> Sequence[PathBuckets]:
        """Some signals summed up by stretches of ``bucket_ms``, in the order of ``paths``."""
        ...

    async def events(self, device_id: str, from_ms: int, to_ms: int, limit: int = ...) -> Sequence[DeviceEvent]:
        """Events in order; the newest ``limit`` where there are more."""
        ...


class Quarantine(Protocol):
    """What the intake refused."""

    async def entries(
        self, branch_id: str | None = ..., code: str | None = ..., before_id: int | None = ..., limit: int = ...
    ) -> Sequence[QuarantineEntry]:
        """Rows, newest first."""
        ...

    async def payload(self, entry_id: int) -> bytes:
        """The kept bytes of a row."""
        ...

    async def counts(self) -> Sequence[RefusalCount]:
        """Refusals since ever, by gateway and reason."""
        ...


class MissingReadings(Protocol):
    """What gateways should have sent and did not."""

    async def of_gateway(self, branch_id: str, before_id: int | None = ..., limit: int = ...) -> Sequence[Missing]:
        """First what is asked for, then what was recorded, newest first."""
        ...

    async def within(self, branch_id: str, from_ms: int, to_ms: int) -> Sequence[Missing]:
        """What may be missing of a time."""
        ...


class IntakeStatus(Protocol):
    """What arrived from each gateway, and how the store behind it stands."""

    def store_state(self) -> StoreState:
        """How the time-series store stands, from memory."""
        ...

    def intake_status(self) -> Sequence[GatewayIntake]:
        """Every gateway that announced itself or sent a pack, ordered by branch, from memory."""
        ...


class WorkOrders(Protocol):
    """Work orders and the commands that move them."""

    async def list(
        self,
        *,
        states: Collection[WorkOrderState] = ...,
        branch_id: str | None = ...,
        device_id: str | None = ...,
        assignee: str | None = ...,
        limit: int = ...,
        before_id: int | None = ...,
    ) -> Sequence[WorkOrder]:
        """Orders, newest first; all states where none is given."""
        ...

    async def get(self, order_id: int) -> WorkOrder:
        """One order."""
        ...

    async def faults(self, order_id: int) -> Sequence[int]:
        """Ids of the faults that joined an order, oldest first."""
        ...

    async def history(self, order_id: int) -> Sequence[Event]:
        """Everything that happened to an order, oldest first."""
        ...

    async def command(self, order_id: int, request: CommandRequest, actor: str) -> WorkOrder:
        """Carry out a person's command, idempotent by its id; a ``DomainError`` where state or revision do not allow it."""
        ...


class Faults(Protocol):
    """Faults and what people do about them."""

    async def list(
        self,
        state: FaultFilter = ...,
        *,
        branch_id: str | None = ...,
        device_id: str | None = ...,
        rule_id: str | None = ...,
        limit: int = ...,
        before_id: int | None = ...,
    ) -> Sequence[FaultView]:
        """Faults, newest first."""
        ...

    async def get(self, fault_id: int) -> FaultView:
        """One fault."""
        ...

    async def acknowledge(self, fault_id: int, actor: str, comment: str = ...) -> FaultView:
        """Say that somebody has seen it; a ``DomainError`` where somebody said so before."""
        ...

    async def reset(self, fault_id: int, actor: str, comment: str = ...) -> FaultView:
        """Release a latch whose condition is gone; a ``DomainError`` where there is none."""
        ...
