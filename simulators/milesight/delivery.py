"""How a sensor gets its reports out: a bounded memory, in order, each again until it was taken."""

import asyncio
import contextlib
import random
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from pydantic import SecretStr

from contracts.errors import DependencyUnavailable
from runtime.logs import get_logger
from runtime.mqtt import MqttClient
from runtime.settings import BrokerSettings
from runtime.supervisor import Backoff

_log = get_logger(__name__)

MEMORY = 1440
"""Reports kept while nobody takes them, a day of minutes; then the oldest is overwritten. Source: assumed."""

USUAL_LOST, USUAL_REPEATED = 0.003, 0.005
"""Shares of reports lost on the way, and delivered twice, as integrators see them. Source: assumed."""


class PushError(Exception):
    """The receiver did not take a report."""


@dataclass(frozen=True, slots=True)
class MqttTarget:
    """A broker to publish to.

    Attributes:
        host: its name or address.
        port: its port.
        topic: topic; ``$devsn``, ``$prdmd``, ``$devid`` and ``$siteid`` stand for serial number, model and the ids.
        username: user at the broker, ``None`` for nobody.
        password: that user's password.
    """

    host: str
    port: int
    topic: str
    username: str | None = None
    password: str | None = None


class Channel(Protocol):
    """Where reports go."""

    async def open(self) -> None:
        """Get ready; does not wait for the other side."""
        ...

    async def push(self, report: bytes) -> None:
        """Hand a report over; returned means it was taken.

        Raises:
            PushError: it was not, or nobody knows.
        """
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class HttpChannel:
    """Posts to an address.

    Args:
        url: where to.
        timeout_s: longest wait for the answer, seconds.
        credentials: name and password sent as Basic, ``None`` for none.
    """

    def __init__(self, url: str, timeout_s: float, credentials: tuple[str, str] | None) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/json"}
        if credentials is not None:
            self._headers["Authorization"] = aiohttp.encode_basic_auth(*credentials)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make a client; it connects with the first report."""
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)

    async def push(self, report: bytes) -> None:
        """Post it and wait for 200."""
        if self._session is None:
            raise PushError(f"{self._url}: not open")
        try:
            async with self._session.post(self._url, data=report) as response:
                if response.status != 200:
                    raise PushError(f"{self._url} answers {response.status}, expected 200")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PushError(f"{self._url}: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class MqttChannel:
    """Publishes with QoS 1.

    Args:
        target: broker and topic, with nothing left to replace.
        client_id: name at the broker.
        timeout_s: longest wait for the broker's acknowledgement, seconds.
    """

    def __init__(self, target: MqttTarget, client_id: str, timeout_s: float) -> None:
        self._target = target
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._client: MqttClient | None = None

    async def open(self) -> None:
        """Begin to connect."""
        password = None if self._target.password is None else SecretStr(self._target.password)
        settings = BrokerSettings(
            host=self._target.host, port=self._target.port, username=self._target.username, password=password
        )
        self._client = MqttClient(settings, self._client_id)
        self._client.start()

    async def push(self, report: bytes) -> None:
        """Publish it and wait for the broker's acknowledgement."""
        if self._client is None or not self._client.connected:
            raise PushError(f"broker {self._target.host}:{self._target.port}: not connected")
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.publish(self._target.topic, report)
        except (DependencyUnavailable, TimeoutError) as error:
            raise PushError(f"broker {self._target.host}:{self._target.port}: not acknowledged") from error

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()


@dataclass(slots=True)
class Counts:
    """What became of the reports."""

    delivered: int = 0
    failed: int = 0  # pushes, not reports
    lost: int = 0  # on purpose
    repeated: int = 0  # on purpose
    overwritten: int = 0


class Delivery:
    """Delivers reports one after the other.

    Args:
        channel: where to.
        chance: random source of losses and repetitions.
        lose: share of reports lost on purpose, 0 to 1.
        repeat: share of reports delivered twice on purpose, 0 to 1.
        pause: waits after a failed push.
    """

    def __init__(self, channel: Channel, chance: random.Random, *, lose: float, repeat: float, pause: Backoff) -> None:
        self.counts = Counts()
        self.online = True
        self._channel = channel
        self._chance = chance
        self._lose = lose
        self._repeat = repeat
        self._pause = pause
        self._reports: deque[bytes] = deque()
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Reports not yet delivered."""
        return len(self._reports)

    def take(self, report: bytes) -> None:
        """Take a report to deliver; one that chance loses is gone, and the oldest goes where there is no room."""
        if self._chance.random() < self._lose:
            self.counts.lost += 1
            return
        times = 1
        if self._chance.random() < self._repeat:
            self.counts.repeated += 1
            times = 2
        for _ in range(times):
            if len(self._reports) >= MEMORY:
                self._reports.popleft()
                self.counts.overwritten += 1
            self._reports.append(report)
        self._wake.set()

    def try_again(self) -> None:
        """Do not wait any longer after a failed push."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        failures = 0
        while True:
            if not self._reports or not self.online:
                self._wake.clear()
                await self._wake.wait()
                continue
            report = self._reports[0]
            try:
                await self._channel.push(report)
            except PushError as error:
                _log.debug("report not taken", error=str(error))
                self.counts.failed += 1
                failures += 1
                await self._sleep(self._pause.delay_s(failures))
                continue
            failures = 0
            self.counts.delivered += 1
            if self._reports and self._reports[0] is report:  # else it was overwritten meanwhile
                self._reports.popleft()

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
