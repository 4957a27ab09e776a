"""The fleet as gateways announce it: which gateways exist, which devices stand behind them, who is online."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, insert, select

from collector.tables import fleet_device, fleet_gateway
from contracts.gateway_messages import GatewayStatus, Inventory
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
        online: connected to the broker, as the broker says.
        boot: identity of its outbox.
        since_ms: when this state began, by the gateway's clock; for a gateway that vanished, when the broker said so.
        version: version of its software.
    """

    branch_id: str
    online: bool
    boot: str
    since_ms: int
    version: str


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
    """

    def __init__(self, database: Database, event_log: EventLog) -> None:
        self._database = database
        self._event_log = event_log
        self._devices: dict[str, Device] = {}
        self._gateways: dict[str, GatewayState] = {}

    async def load(self) -> None:
        """Read the cache afresh from the ops database.

        Raises:
            DependencyUnavailable: the database does not answer.
        """
        async with self._database.read() as connection:
            devices = [Device(**row) for row in (await connection.execute(select(fleet_device))).mappings()]
            gateways = [GatewayState(**row) for row in (await connection.execute(select(fleet_gateway))).mappings()]
        self._devices = {device.device_id: device for device in devices}
        self._gateways = {gateway.branch_id: gateway for gateway in gateways}

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
        """Take a branch's inventory, which replaces its earlier one.

        Args:
            inventory: as it arrived.
            now_ms: when it arrived, milliseconds since 1970 UTC.

        Returns:
            What changed; ``None`` where nothing did, and then nothing is written.

        Raises:
            DependencyUnavailable: the database does not answer; nothing changed.
        """
        before = {
            device.device_id: device for device in self._devices.values() if device.branch_id == inventory.branch_id
        }
        after = {device.device_id: device for device in _devices_of(inventory, now_ms)}
        change = _compare(inventory.branch_id, before, after)
        if change is None:
            return None
        written = [after[full_id] for full_id in (*change.added, *change.changed)]
        written += [replace(before[full_id], removed_at_ms=now_ms) for full_id in change.removed]
        async with self._database.write() as connection:
            await connection.execute(
                delete(fleet_device).where(fleet_device.c.device_id.in_([device.device_id for device in written]))
            )
            await connection.execute(insert(fleet_device), [_row(device) for device in written])
            await self._event_log.append(
                connection, FleetEventType.INVENTORY_CHANGED, f"branch/{inventory.branch_id}", change
            )
        self._devices.update((device.device_id, device) for device in written)
        await self._event_log.announce()
        return change

    async def hear(self, branch_id: str, status: GatewayStatus, since_ms: int) -> None:
        """Take a gateway's status; written only where it changed.

        Args:
            branch_id: its branch.
            status: as it arrived.
            since_ms: when this state began, milliseconds since 1970 UTC.

        Raises:
            DependencyUnavailable: the database does not answer; nothing changed.
        """
        known = self._gateways.get(branch_id)
        state = GatewayState(branch_id, status.online, status.boot, since_ms, status.version)
        if known is not None and replace(state, since_ms=known.since_ms) == known:
            return
        async with self._database.write() as connection:
            await connection.execute(delete(fleet_gateway).where(fleet_gateway.c.branch_id == branch_id))
            await connection.execute(
                insert(fleet_gateway).values(
                    branch_id=branch_id, online=state.online, boot=state.boot, since_ms=since_ms, version=state.version
                )
            )
        self._gateways[branch_id] = state


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
