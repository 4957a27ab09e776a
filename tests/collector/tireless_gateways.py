"""Gateways of a kill loop: they publish on and on, keep every pack, send again what is asked for, and know what they said."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from contracts.devices import ATM
from contracts.gateway_messages import DeviceEntry, GatewayStatus, Inventory, ResendRequest
from contracts.identity import device_id
from contracts.pack import Header, PackId, encode_pack, encode_readings
from contracts.reading import Reading
from contracts.topics import Channel, every_branch, parse, topic
from runtime.clock import Clock, SystemClock
from runtime.mqtt import Message, MqttClient
from runtime.settings import BrokerSettings

DEVICE: Final = "atm-01"
GAUGES: Final = ("cdm/unit1/count", "cdm/unit2/count")
COUNTER: Final = "cdm/presents"
STATE: Final = "cdm/shutter"
EVENT: Final = "cdm/error"

MOMENTS: Final = 12
READINGS: Final = MOMENTS * 4 + 1
"""Of a pack: two gauges, a counter and a state at each moment, and an event."""

DAY_MS: Final = 86_400_000
_LATE_EVERY: Final = 5
_CONNECTIONS: Final = 2
_STEP_S: Final = 0.05
_WORDS: Final = ("closed", "open")


@dataclass
class TirelessGateway:
    """One gateway: what it sent, and what it said.

    Attributes:
        packs: payload of each pack by seq from 1.
        numbers: (observed_at_ms, value) of each path, a state's ordinal.
        texts: (observed_at_ms, text) of each event.
    """

    branch_id: str
    boot: str
    packs: list[bytes] = field(default_factory=list)
    numbers: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    texts: list[tuple[int, str]] = field(default_factory=list)
    _last_ms: int = 0

    @property
    def device_id(self) -> str:
        return device_id(self.branch_id, DEVICE)

    def pack(self, now_ms: int) -> tuple[Channel, bytes]:
        """The next pack. Every fifth comes late, from one of three days before; no two readings share series and time."""
        seq = len(self.packs) + 1
        late = seq % _LATE_EVERY == 0
        days = 1 + seq // _LATE_EVERY % 3 if late else 0
        readings: list[Reading] = []
        first_ms = max(self._last_ms + 1, now_ms - MOMENTS)
        self._last_ms = first_ms + MOMENTS - 1
        for moment in range(MOMENTS):
            at_ms = first_ms + moment - days * DAY_MS
            readings += [self._number(path, seq + moment / 100, at_ms) for path in GAUGES]
            readings.append(self._number(COUNTER, seq * MOMENTS + moment, at_ms))
            readings.append(self._state(_WORDS[(seq + moment) % 2], at_ms))
        text = f"{self.branch_id} says {seq}"
        self.texts.append((at_ms, text))
        readings.append(Reading(self.device_id, EVENT, text, at_ms))
        header = Header(PackId(self.branch_id, self.boot, seq), now_ms)
        self.packs.append(encode_pack(header, [encode_readings(readings)]))
        return Channel.BACKFILL if late else Channel.TELEMETRY, self.packs[-1]

    def _number(self, path: str, value: float, at_ms: int) -> Reading:
        self.numbers.setdefault(path, []).append((at_ms, value))
        return Reading(self.device_id, path, value, at_ms)

    def _state(self, word: str, at_ms: int) -> Reading:
        signal = ATM.signal(STATE)
        ordinal = None if signal is None else signal.ordinal(word)
        assert ordinal is not None
        self.numbers.setdefault(STATE, []).append((at_ms, float(ordinal)))
        return Reading(self.device_id, STATE, word, at_ms)


class TirelessGateways:
    """Many gateways over a few connections.

    Args:
        broker: where they publish, and go on when it is away.
        branches: how many gateways.
        rate: readings a second of all of them.
        deaf: they do not hear what they are asked for.

    Attributes:
        gateways: each of them.
        resent: packs that were asked for and sent again.
    """

    def __init__(
        self, broker: BrokerSettings, branches: int, rate: float, *, deaf: bool = False, clock: Clock | None = None
    ) -> None:
        self.gateways = [TirelessGateway(f"KL{number:04d}", f"boot-{number}") for number in range(branches)]
        self.resent = 0
        self._by_branch = {gateway.branch_id: gateway for gateway in self.gateways}
        self._packs_per_s = rate / READINGS
        self._clock = clock or SystemClock()
        self._clients: list[MqttClient] = []
        subscriptions = [] if deaf else [every_branch(Channel.REQUEST)]
        for number in range(_CONNECTIONS):
            client = MqttClient(broker, f"tireless-gateways-{number}", subscriptions=subscriptions, reconnect_s=(1, 1))
            client.on_connection(lambda connected, number=number: self._announce(number, connected=connected))  # type: ignore[misc]
            self._clients.append(client)

    @property
    def readings(self) -> int:
        """Readings and events said so far."""
        return self.packs * READINGS

    @property
    def packs(self) -> int:
        """Packs sent so far, each counted once."""
        return sum(len(gateway.packs) for gateway in self.gateways)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["TirelessGateways"]:
        """On line: they answer what is asked of them."""
        for client in self._clients:
            client.start()
        try:
            for client in self._clients:
                await client.wait_connected(20)
            async with asyncio.TaskGroup() as group:
                answering = [group.create_task(self._answer(number)) for number in range(_CONNECTIONS)]
                try:
                    yield self
                finally:
                    for task in answering:
                        task.cancel()
        finally:
            for client in self._clients:
                await client.stop()

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[None]:
        """While this lasts they publish at their rate, whatever the broker does."""
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(self._publish())
            try:
                yield
            finally:
                publishing.cancel()

    async def publish_one_each(self) -> None:
        """One more pack of each, so that none of the packs before is the last and missed by nobody."""
        for number in range(len(self.gateways)):
            self._send(number)

    async def _publish(self) -> None:
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        while True:
            due = int((loop.time() - began) * self._packs_per_s)
            for number in range(sent, due):
                self._send(number % len(self.gateways))
            sent = due
            await asyncio.sleep(_STEP_S)

    def _send(self, number: int) -> None:
        gateway = self.gateways[number]
        channel, payload = gateway.pack(self._clock.now_ms())
        self._client_of(number).publish(topic(gateway.branch_id, channel), payload)

    def _client_of(self, number: int) -> MqttClient:
        return self._clients[number % _CONNECTIONS]

    def _announce(self, connection: int, *, connected: bool) -> None:
        if not connected:
            return
        now_ms = self._clock.now_ms()
        for gateway in self.gateways[connection::_CONNECTIONS]:
            devices = (
                DeviceEntry(id="gateway", kind="gateway", driver="gateway"),
                DeviceEntry(id=DEVICE, kind="atm", driver="xfs"),
            )
            inventory = Inventory(branch_id=gateway.branch_id, devices=devices, announced_at=now_ms)
            status = GatewayStatus(online=True, boot=gateway.boot, since=now_ms, version="0.1.0")
            for channel, message in ((Channel.INVENTORY, inventory), (Channel.STATUS, status)):
                payload = message.model_dump_json().encode()
                self._clients[connection].publish(topic(gateway.branch_id, channel), payload, retain=True)

    async def _answer(self, connection: int) -> None:
        client = self._clients[connection]
        own = {gateway.branch_id for gateway in self.gateways[connection::_CONNECTIONS]}
        while True:
            messages = await client.receive(100)
            for message in messages:
                if parse(message.topic).branch_id in own:
                    self._send_again(client, message)
            client.acknowledge(messages)

    def _send_again(self, client: MqttClient, message: Message) -> None:
        gateway = self._by_branch[parse(message.topic).branch_id]
        request = ResendRequest.model_validate_json(message.payload)
        assert request.boot == gateway.boot
        for low, high in request.resend:
            for payload in _within(gateway.packs, low, high):
                client.publish(topic(gateway.branch_id, Channel.BACKFILL), payload)
                self.resent += 1


def _within(packs: Sequence[bytes], low: int, high: int) -> Sequence[bytes]:
    return packs[low - 1 : high]
