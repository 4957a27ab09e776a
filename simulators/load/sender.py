"""Publishes the packs of many branches over a few connections, as their gateways would over one each."""

import asyncio
import contextlib
import math
import os
import random
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.errors import DependencyUnavailable
from contracts.gateway_messages import DeviceEntry, GatewayStatus, Inventory
from contracts.pack import Header, PackId
from contracts.topics import Channel, topic
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.mqtt import MqttClient
from runtime.settings import BrokerSettings
from simulators.load.rounds import DEVICES, VARIANTS, Share, live, pack, snapshot

_log = get_logger(__name__)

WINDOW: Final = 400
"""Messages published and not yet acknowledged on a connection; the broker's pace is the sender's then."""

_CONNECT_S: Final = 20.0
_ACKNOWLEDGE_S: Final = 60.0
_SAY_EVERY_S: Final = 5.0
_LOOK_EVERY: Final = 20

VERSION: Final = "load"
"""What the gateways call themselves."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was sent and acknowledged by the broker.

    Attributes:
        packs: packs of readings.
        readings: readings in them.
        seconds: from the first pack to the last acknowledgement.
        cpu_s: processor time of this process over that time, in seconds.
    """

    packs: int
    readings: int
    seconds: float
    cpu_s: float

    @property
    def packs_per_s(self) -> float:
        """Packs a second."""
        return self.packs / self.seconds if self.seconds else 0.0

    @property
    def readings_per_s(self) -> float:
        """Readings a second."""
        return self.readings / self.seconds if self.seconds else 0.0

    def line(self) -> str:
        """The report for a person at a terminal."""
        share = self.cpu_s / self.seconds if self.seconds else 0.0
        return (
            f"{self.packs} packs with {self.readings} readings in {self.seconds:.1f} s: {self.packs_per_s:,.0f} packs/s, "
            f"{self.readings_per_s:,.0f} readings/s, with {share:.2f} of a core"
        )


@dataclass(slots=True)
class _Gateway:
    """A gateway that is not there."""

    branch: bytes
    boot: str
    variant: int
    telemetry: str
    seq: int = 0

    def pack(self, share: Share, now_ms: int) -> bytes:
        self.seq += 1
        header = Header(PackId(self.branch.decode(), self.boot, self.seq), now_ms)
        return pack(self.branch, header, share, now_ms / 1000)


class _Wire:
    """A connection with a bounded number of messages under way."""

    def __init__(self, broker: BrokerSettings, name: str) -> None:
        self._client = MqttClient(broker, name)
        self._under_way: deque[asyncio.Future[None]] = deque()

    def start(self) -> None:
        self._client.start()

    async def wait_connected(self) -> None:
        await self._client.wait_connected(_CONNECT_S)

    async def stop(self) -> None:
        await self._client.stop()

    async def send(self, name: str, payload: bytes, *, retain: bool = False) -> None:
        while len(self._under_way) >= WINDOW:
            await self._oldest()
        self._under_way.append(self._client.publish(name, payload, retain=retain))
        while self._under_way and self._under_way[0].done():
            self._under_way.popleft().result()

    async def settle(self) -> None:
        while self._under_way:
            await self._oldest()

    async def _oldest(self) -> None:
        try:
            async with asyncio.timeout(_ACKNOWLEDGE_S):
                await self._under_way.popleft()
        except TimeoutError as error:
            raise DependencyUnavailable(
                f"the broker acknowledged nothing for {_ACKNOWLEDGE_S:g} s; does it still run, and is its disk full?"
            ) from error


class Load:
    """The gateways of many branches without devices: status, inventory and a snapshot of each, then the live stream.

    Each branch sends one pack a round, in the order of their numbers; rounds follow one another as fast as ``rate`` allows.
    The boot identities are new in each run, so that a server takes it for new gateways and no pack for a repeated one.
    Packs that a server asks for again are not kept.

    Args:
        branches: how many, ``LD00001`` and on.
        broker: where to publish.
        clock: stamps readings and packs.
        rate: readings a second; ``None`` for as many as the broker takes.
        pack_readings: about how many readings a live pack has.
        connections: connections they share.
        duration_s: seconds after which no further pack is sent; ``None`` until cancelled.
        seed: same seed, same values.
        say: told every few seconds what was achieved; ``None`` for nobody.
    """

    def __init__(
        self,
        branches: int,
        broker: BrokerSettings,
        clock: Clock,
        *,
        rate: float | None = None,
        pack_readings: int = 100,
        connections: int = 4,
        duration_s: float | None = None,
        seed: int = 1,
        say: Callable[[str], None] | None = None,
    ) -> None:
        boots = random.Random(uuid.uuid4().int)
        names = [f"LD{number:05d}" for number in range(1, branches + 1)]
        self._gateways = [
            _Gateway(
                name.encode(), str(uuid.UUID(int=boots.getrandbits(128), version=4)), index % VARIANTS,
                topic(name, Channel.TELEMETRY),
            )
            for index, name in enumerate(names)
        ]  # fmt: skip
        self._wires = [_Wire(broker, f"branchwatch-load-{os.getpid()}-{number}") for number in range(connections)]
        self._clock = clock
        self._rate = rate
        self._pack_readings = pack_readings
        self._duration_s = duration_s
        self._seed = seed
        self._say = say
        self._ended = asyncio.Event()
        self._packs = self._readings = 0
        self._began_s = self._began_cpu_s = self._said_s = 0.0

    def end(self) -> None:
        """End :meth:`run` in order with the next pack."""
        self._ended.set()

    async def run(self) -> LoadReport:
        """Publish until the time is over or :meth:`end` is called; every gateway then says that it goes.

        Raises:
            DependencyUnavailable: the broker does not answer, or acknowledges nothing.
        """
        for wire in self._wires:
            wire.start()
        try:
            for wire in self._wires:
                await wire.wait_connected()
            await self._announce()
            self._began_s = self._said_s = asyncio.get_running_loop().time()
            self._began_cpu_s = _cpu_s()
            await self._send_all()
            report = self._report()
            await self._say_goodbye()
        finally:
            for wire in self._wires:
                await wire.stop()
        return report

    async def _announce(self) -> None:
        """Status and inventory of every branch."""
        now_ms = self._clock.now_ms()
        devices = tuple(DeviceEntry(id=local_id, kind=kind, driver="load") for local_id, kind in DEVICES.items())
        for index, gateway in enumerate(self._gateways):
            name = gateway.branch.decode()
            inventory = Inventory(branch_id=name, devices=devices, announced_at=now_ms)
            wire = self._wire(index)
            await wire.send(topic(name, Channel.STATUS), self._status(gateway, online=True), retain=True)
            await wire.send(topic(name, Channel.INVENTORY), inventory.model_dump_json().encode(), retain=True)
        await self._settle()

    async def _say_goodbye(self) -> None:
        for index, gateway in enumerate(self._gateways):
            name = topic(gateway.branch.decode(), Channel.STATUS)
            await self._wire(index).send(name, self._status(gateway, online=False), retain=True)
        await self._settle()

    async def _send_all(self) -> None:
        snapshots = [snapshot(variant, self._seed, self._pack_readings) for variant in range(VARIANTS)]
        for index, gateway in enumerate(self._gateways):
            if not await self._send(index, gateway, snapshots[gateway.variant]):
                return
        number = 0
        while True:
            number += 1
            shares = [(live(number, variant, self._seed, self._pack_readings),) for variant in range(VARIANTS)]
            for index, gateway in enumerate(self._gateways):
                if not await self._send(index, gateway, shares[gateway.variant]):
                    return

    async def _send(self, index: int, gateway: _Gateway, shares: Sequence[Share]) -> bool:
        """Send packs of a gateway at the rate; tell whether the time is not over."""
        loop = asyncio.get_running_loop()
        wire = self._wire(index)
        for share in shares:
            await wire.send(gateway.telemetry, gateway.pack(share, self._clock.now_ms()))
            self._packs += 1
            self._readings += share.readings
        if self._rate is not None:
            due_s = self._began_s + self._readings / self._rate
            await self._rest(min(due_s, self._end_s) - loop.time())
        elif index % _LOOK_EVERY == 0:
            await asyncio.sleep(0)
        now_s = loop.time()
        if self._say is not None and now_s - self._said_s >= _SAY_EVERY_S:
            self._said_s = now_s
            self._say(self._so_far().line())
        if now_s >= self._end_s:
            self._ended.set()
        if self._ended.is_set():
            await self._settle()
        return not self._ended.is_set()

    @property
    def _end_s(self) -> float:
        return math.inf if self._duration_s is None else self._began_s + self._duration_s

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ended.wait()

    def _report(self) -> LoadReport:
        report = self._so_far()
        _log.info("load over", packs=report.packs, readings=report.readings)
        return report

    def _so_far(self) -> LoadReport:
        seconds = asyncio.get_running_loop().time() - self._began_s
        return LoadReport(self._packs, self._readings, seconds, _cpu_s() - self._began_cpu_s)

    async def _settle(self) -> None:
        for wire in self._wires:
            await wire.settle()

    def _wire(self, index: int) -> _Wire:
        return self._wires[index % len(self._wires)]

    def _status(self, gateway: _Gateway, *, online: bool) -> bytes:
        status = GatewayStatus(online=online, boot=gateway.boot, since=self._clock.now_ms(), version=VERSION)
        return status.model_dump_json().encode()


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system
