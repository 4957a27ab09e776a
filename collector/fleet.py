"""The fleet as gateways announce it: which gateways exist, which devices stand behind them, who is online."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from collector.tables import fleet_device, fleet_gateway, fleet_inventory
from contracts.gateway_messages import Inventory, is_overtaken
from contracts.identity import GATEWAY_DEVICE, branch_of, device_id
from runtime.database import Database
from runtime.event_log import EventLog


@dataclass(frozen=True, slots=True)
class Device:
    """A device as its gateway announced it.

    Attributes:
        device_id: full id, ``BR0421/atm-01``.
        branch_id: its branch.
        local_id: id inside the branch.
        kind: name of its kind in the device catalogue.
        name: what people call it.
        maker: manufacturer.
        model: model.
        serial: serial number.
        firmware: firmware version.
        driver: driver that reads it.
        announced_at_ms: arrival of the inventory that last changed it.
        removed_at_ms: arrival of the inventory that left it out; ``None`` while it exists.
    """

    device_id: str
    branch_id: str
    local_id: str
    kind: str
    name: str
    maker: str
    model: str
    serial: str
    firmware: str
    driver: str
    announced_at_ms: int
    removed_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GatewayState:
    """What is known of a gateway's connection.

    Attributes:
        branch_id: its branch.
        online: connected to the broker.
        boot: identity of its outbox.
        since_ms: when this state began: by the gateway's clock where it said so, never after ours; for one that vanished,
            when the broker said so, or when the last of it was heard.
        version: version of its software.
        session_ms: ``since`` of the status that is known, by the gateway's clock; an earlier one is no news.
        silent: not online because nothing is heard of it, though nobody said that it is gone.
    """

    branch_id: str
    online: bool
    boot: str
    since_ms: int
    version: str
    session_ms: int
    silent: bool = False


class FleetEventType(StrEnum):
    """Types of fleet events in the event log."""

    INVENTORY_CHANGED = "fleet.inventory_changed"


class InventoryChanged(BaseModel):
    """Payload of :attr:`FleetEventType.INVENTORY_CHANGED`: full ids of the devices it is about."""

    model_config = ConfigDict(frozen=True)

    branch_id: str
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


GATEWAY_KIND: Final = "gateway"


class Fleet:
    """Gateways and devices, kept in the ops database and cached here; the intake is the only writer.

    A removed device stays known, because its back-filled readings may still arrive.

    Attributes:
        judging: to be held while a gateway's state is judged and written: both who reads statuses and who reviews gateways
            do so, and neither may judge by a state that the other is about to replace.
    """

    def __init__(self, database: Database, event_log: EventLog) -> None:
        self._database = database
        self._event_log = event_log
        self._devices: dict[str, Device] = {}
        self._gateways: dict[str, GatewayState] = {}
        self._announced_ms: dict[str, int] = {}
        self.judging = asyncio.Lock()

    async def load(self) -> None:
        """Read the cache afresh from the ops database.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        async with self._database.read() as connection:
            devices = [Device(**row) for row in (await connection.execute(select(fleet_device))).mappings()]
            gateways = [GatewayState(**row) for row in (await connection.execute(select(fleet_gateway))).mappings()]
            announced = (await connection.execute(select(fleet_inventory))).all()
        self._devices = {device.device_id: device for device in devices}
        self._gateways = {gateway.branch_id: gateway for gateway in gateways}
        self._announced_ms = {row.branch_id: row.announced_at_ms for row in announced}

    # -- reading -----------------------------------------------------------------------------------------------------

    def device(self, full_device_id: str) -> Device | None:
        """A device by its full id, also a removed one; ``None`` where no inventory ever named it."""
        return self._devices.get(full_device_id)

    def devices(self, branch_id: str | None = None) -> list[Device]:
        """The devices that exist now, ordered by id."""
        found = (
            device
            for device in self._devices.values()
            if device.removed_at_ms is None and branch_id in {None, device.branch_id}
        )
        return sorted(found, key=lambda device: device.device_id)

    def kind_of(self, full_device_id: str) -> str | None:
        """Kind of a device; a gateway's is known without an inventory."""
        device = self._devices.get(full_device_id)
        if device is not None:
            return device.kind
        return GATEWAY_KIND if full_device_id == device_id_of_gateway(branch_of(full_device_id)) else None

    @property
    def gateways(self) -> Mapping[str, GatewayState]:
        """State of each gateway that ever said something, by branch."""
        return MappingProxyType(self._gateways)

    # -- writing -----------------------------------------------------------------------------------------------------

    async def announce(self, inventory: Inventory, now_ms: int) -> InventoryChanged | None:
        """Take a branch's inventory, which replaces its earlier one; one that a newer one has overtaken is left.

        Args:
            inventory: as it arrived.
            now_ms: when it arrived, milliseconds since 1970 UTC.

        Returns:
            What changed; ``None`` where no device did.

        Raises:
            DependencyUnavailable: the database does not answer; nothing changed.
        """
        announced_ms = now_ms if inventory.announced_at is None else inventory.announced_at
        known_ms = self._announced_ms.get(inventory.branch_id)
        if known_ms is not None and inventory.announced_at is not None and is_overtaken(announced_ms, known_ms, now_ms):
            return None
        before = {
            device.device_id: device for device in self._devices.values() if device.branch_id == inventory.branch_id
        }
        after = {device.device_id: device for device in _devices_of(inventory, now_ms)}
        change = _compare(inventory.branch_id, before, after)
        if change is None and announced_ms == known_ms:
            return None
        async with self._database.write() as connection:
            await connection.execute(delete(fleet_inventory).where(fleet_inventory.c.branch_id == inventory.branch_id))
            await connection.execute(
                insert(fleet_inventory).values(branch_id=inventory.branch_id, announced_at_ms=announced_ms)
            )
            written = [] if change is None else await self._write(connection, change, before, after, now_ms)
        self._announced_ms[inventory.branch_id] = announced_ms
        self._devices.update((device.device_id, device) for device in written)
        if change is not None:
            await self._event_log.announce()
        return change

    async def _write(
        self,
        connection: AsyncConnection,
        change: InventoryChanged,
        before: Mapping[str, Device],
        after: Mapping[str, Device],
        now_ms: int,
    ) -> list[Device]:
        written = [after[full_id] for full_id in (*change.added, *change.changed)]
        written += [replace(before[full_id], removed_at_ms=now_ms) for full_id in change.removed]
        await connection.execute(
            delete(fleet_device).where(fleet_device.c.device_id.in_([device.device_id for device in written]))
        )
        await connection.execute(insert(fleet_device), [_row(device) for device in written])
        await self._event_log.append(connection, FleetEventType.INVENTORY_CHANGED, f"branch/{change.branch_id}", change)
        return written

    async def hear(self, state: GatewayState) -> None:
        """Take what became of a gateway's connection; written only where it changed.

        Raises:
            DependencyUnavailable: the database does not answer; nothing changed.
        """
        if self._gateways.get(state.branch_id) == state:
            return
        async with self._database.write() as connection:
            await connection.execute(delete(fleet_gateway).where(fleet_gateway.c.branch_id == state.branch_id))
            await connection.execute(insert(fleet_gateway).values(asdict(state)))
        self._gateways[state.branch_id] = state


def device_id_of_gateway(branch_id: str) -> str:
    """Full device id of a branch's gateway."""
    return f"{branch_id}/{GATEWAY_DEVICE}"


def _devices_of(inventory: Inventory, now_ms: int) -> list[Device]:
    return [
        Device(
            device_id=device_id(inventory.branch_id, entry.id),
            branch_id=inventory.branch_id,
            local_id=entry.id,
            announced_at_ms=now_ms,
            **entry.model_dump(exclude={"id"}),
        )
        for entry in inventory.devices
    ]


def _compare(branch_id: str, before: Mapping[str, Device], after: Mapping[str, Device]) -> InventoryChanged | None:
    existing = {full_id: device for full_id, device in before.items() if device.removed_at_ms is None}
    changed = [
        full_id
        for full_id in after
        if full_id in existing
        and replace(after[full_id], announced_at_ms=existing[full_id].announced_at_ms) != existing[full_id]
    ]
    change = InventoryChanged(
        branch_id=branch_id,
        added=tuple(sorted(after.keys() - existing.keys())),
        changed=tuple(sorted(changed)),
        removed=tuple(sorted(existing.keys() - after.keys())),
    )
    return change if change.added or change.changed or change.removed else None


def _row(device: Device) -> dict[str, object]:
    return {column.name: getattr(device, column.name) for column in fleet_device.columns}
