"""What a gateway says of itself at the broker, retained: that it is there, which devices it has, and that it goes."""

import asyncio
from collections.abc import Callable
from typing import Final

from contracts.errors import DependencyUnavailable
from contracts.gateway_messages import GatewayStatus, Inventory
from contracts.topics import Channel, topic
from gateway.outbox.outbox import Outbox
from gateway.stamps import Stamps
from runtime.clock import Clock
from runtime.mqtt import MqttClient, Will

GREETING_TIMEOUT_S: Final = 10.0


class Announcements:
    """Status and inventory of one gateway, each with a time that is later than any before.

    Args:
        branch_id: the branch.
        version: of the gateway.
        outbox: whose boot identity the status tells.
        clock: the time.
        inventory: gives the devices behind the gateway as they are now.
    """

    def __init__(
        self, branch_id: str, version: str, outbox: Outbox, clock: Clock, inventory: Callable[[], Inventory]
    ) -> None:
        self._branch_id = branch_id
        self._version = version
        self._outbox = outbox
        self._stamps = Stamps(branch_id, outbox, clock)
        self._inventory = inventory
        self._inventory_changed = asyncio.Event()
        self._since_ms = 0

    async def begin(self) -> Will:
        """Begin a connection, whose time its will and its hello carry."""
        self._since_ms = await self._stamps.next_ms()
        return Will(topic(self._branch_id, Channel.STATUS), self._status(online=False, since_ms=self._since_ms))

    async def say_hello(self, client: MqttClient) -> None:
        """Say that the gateway is there, then which devices it has.

        Raises:
            DependencyUnavailable: not acknowledged in time.
        """
        await self._publish(client, Channel.STATUS, self._status(online=True, since_ms=self._since_ms))
        await self.say_inventory(client)

    async def say_inventory(self, client: MqttClient) -> None:
        """Say which devices there are; raises as :meth:`say_hello`."""
        self._inventory_changed.clear()
        announced_at_ms = await self._stamps.next_ms()
        inventory = self._inventory().model_copy(update={"announced_at": announced_at_ms})
        await self._publish(client, Channel.INVENTORY, inventory.model_dump_json().encode())

    async def say_goodbye(self, client: MqttClient) -> None:
        """Say that the gateway goes; the caller bounds the wait."""
        goodbye = self._status(online=False, since_ms=await self._stamps.next_ms())
        await client.publish(topic(self._branch_id, Channel.STATUS), goodbye, retain=True)

    def inventory_changed(self) -> None:
        """Note that the inventory has to be said again."""
        self._inventory_changed.set()

    async def wait_inventory_changed(self) -> None:
        """Wait until the inventory has to be said again."""
        await self._inventory_changed.wait()

    async def _publish(self, client: MqttClient, channel: Channel, payload: bytes) -> None:
        try:
            async with asyncio.timeout(GREETING_TIMEOUT_S):
                await client.publish(topic(self._branch_id, channel), payload, retain=True)
        except (TimeoutError, DependencyUnavailable) as error:
            raise DependencyUnavailable(f"{channel} was not acknowledged within {GREETING_TIMEOUT_S:g} s") from error

    def _status(self, *, online: bool, since_ms: int) -> bytes:
        status = GatewayStatus(online=online, boot=self._outbox.boot, since=since_ms, version=self._version)
        return status.model_dump_json().encode()
