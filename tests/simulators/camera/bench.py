"""A camera on the bench: a clock the test moves, an ONVIF client that is not ours, and a plain RTSP client."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any

from lxml import etree  # type: ignore[import-untyped]
from onvif import ONVIFCamera, ONVIFService  # type: ignore[import-untyped]

from runtime.clock import ManualClock
from simulators.camera import CameraSimulator, Position
from simulators.world import CHINA, World

MORNING = datetime(2026, 11, 20, 10, 0, tzinfo=CHINA)
PASSWORD = "let-me-see"
WAIT_S = 20


@dataclass(frozen=True)
class Event:
    """A notification as the foreign client understood it."""

    topic: str
    operation: str | None
    at: datetime | None
    source: Mapping[str, str]
    data: Mapping[str, str]


class Bench:
    """A camera in a world whose clock the test moves."""

    def __init__(self, camera: CameraSimulator, clock: ManualClock) -> None:
        self.camera = camera
        self.clock = clock
        self._clients: list[ONVIFCamera] = []
        self._pull: ONVIFService | None = None
        self._subscription: ONVIFService | None = None

    async def client(self, password: str | None = None) -> ONVIFCamera:
        """The foreign client, having asked where the services are."""
        one = ONVIFCamera(
            "127.0.0.1",
            self.camera.http_port,
            "admin",
            password or PASSWORD,
            adjust_time=True,
            no_cache=True,
            nat_override=True,
        )
        self._clients.append(one)
        await one.update_xaddrs()
        return one

    async def subscribe(self, life: str = "PT600S", topics: str = "") -> Any:
        """Open a pull point of the bench; answers the times granted."""
        one = await self.client()
        events = await one.create_events_service()
        wanted: dict[str, Any] = {"InitialTerminationTime": life}
        if topics:
            wanted["Filter"] = _expression(topics)
        granted = await events.CreatePullPointSubscription(wanted)
        address = granted.SubscriptionReference.Address._value_1
        one.xaddrs["http://www.onvif.org/ver10/events/wsdl/PullPointSubscription"] = one.rewrite_url(address)
        self._pull = await one.create_pullpoint_service()
        self._subscription = await one.create_subscription_service("PullPointSubscription")
        return granted

    @property
    def pull_service(self) -> ONVIFService:
        assert self._pull is not None
        return self._pull

    @property
    def subscription(self) -> ONVIFService:
        assert self._subscription is not None
        return self._subscription

    async def pull(self, timeout_s: float = 0.05, limit: int = 100) -> list[Event]:
        """Pull once."""
        answer = await self.pull_service.PullMessages({"Timeout": timedelta(seconds=timeout_s), "MessageLimit": limit})
        return [_event(message) for message in answer.NotificationMessage]

    async def told(self) -> dict[str, str]:
        """Pull until nothing is left, and give the last value of each topic."""
        last: dict[str, str] = {}
        while events := await self.pull():
            last |= {event.topic: next(iter(event.data.values()), "") for event in events}
        return last

    async def close(self) -> None:
        for one in self._clients:
            await one.close()

    def url(self, path: str = "/stream/main", password: str = PASSWORD) -> str:
        return f"rtsp://admin:{password}@127.0.0.1:{self.camera.rtsp_port}{path}"


def _expression(topics: str) -> Any:
    dialect = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
    element = etree.Element("{http://docs.oasis-open.org/wsn/b-2}TopicExpression", Dialect=dialect)
    element.text = topics
    return {"_value_1": [element]}


def _event(message: Any) -> Event:
    inner = message.Message._value_1

    def items(part: Any) -> dict[str, str]:
        return {item.Name: item.Value for item in part.SimpleItem} if part is not None else {}

    return Event(
        message.Topic._value_1.removeprefix("tns1:"),
        inner.PropertyOperation,
        inner.UtcTime,
        items(inner.Source),
        items(inner.Data),
    )


@contextlib.asynccontextmanager
async def bench(begin: datetime = MORNING, *, pace: float = 1.0, seed: int = 1, **options: Any) -> AsyncIterator[Bench]:
    clock = ManualClock(int(begin.timestamp() * 1000))
    world = World(seed=seed, clock=clock, begin_at=begin, pace=pace)
    options.setdefault("position", Position.BACK_ROOM)
    camera = CameraSimulator("cam-01", world, 0, 0, password=PASSWORD, **options)
    await camera.start()
    one = Bench(camera, clock)
    try:
        async with asyncio.timeout(60):
            yield one
    finally:
        await one.close()
        await camera.stop()


@contextlib.asynccontextmanager
async def living(camera: CameraSimulator) -> AsyncIterator[None]:
    """The camera lives by itself meanwhile."""
    life = asyncio.create_task(camera.run())
    try:
        yield
    finally:
        life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life


@dataclass
class RtspAnswer:
    status: int
    headers: dict[str, str]
    body: str


@dataclass
class RtspClient:
    """A client that says one thing at a time, and keeps the packets that come between answers."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    password: str = PASSWORD
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    challenge: str = ""
    sequence: int = 0
    session: str = ""

    async def say(self, method: str, target: str, **headers: str) -> RtspAnswer:
        """Send a request and give its answer; credentials are added once they were asked for."""
        self.sequence += 1
        lines = [f"{method} {target} RTSP/1.0", f"CSeq: {self.sequence}"]
        if self.challenge:
            lines.append(f"Authorization: {_digest(self.challenge, method, target, self.password)}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return await self.send("\r\n".join((*lines, "", "")).encode())

    async def send(self, content: bytes) -> RtspAnswer:
        self.writer.write(content)
        async with asyncio.timeout(WAIT_S):
            await self.writer.drain()
            while (first := await self.reader.readexactly(1)) == b"$":
                await self._packet()
            head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        self.challenge = headers.get("www-authenticate", self.challenge)
        return RtspAnswer(int(status.split()[1]), headers, body.decode())

    async def listen(self, packets: int) -> list[bytes]:
        """RTP packets, so many from now on."""
        start = len(self.packets)
        async with asyncio.timeout(WAIT_S):
            while sum(channel == 0 for channel, _ in self.packets[start:]) < packets:
                assert await self.reader.readexactly(1) == b"$"
                await self._packet()
        return [packet for channel, packet in self.packets[start:] if channel == 0]

    async def _packet(self) -> None:
        head = await self.reader.readexactly(3)
        self.packets.append((head[0], await self.reader.readexactly(int.from_bytes(head[1:], "big"))))

    async def play(self, url: str) -> RtspAnswer:
        """From OPTIONS to PLAY."""
        assert (await self.say("OPTIONS", url)).status == 200
        assert (await self.say("DESCRIBE", url, Accept="application/sdp")).status == 401
        described = await self.say("DESCRIBE", url, Accept="application/sdp")
        assert described.status == 200
        set_up = await self.say("SETUP", f"{url}/trackID=1", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        assert set_up.status == 200
        self.session = set_up.headers["session"].partition(";")[0]
        played = await self.say("PLAY", url, Session=self.session)
        assert played.status == 200
        return played


def _digest(challenge: str, method: str, target: str, password: str) -> str:
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))

    def h(text: str) -> str:
        return md5(text.encode()).hexdigest()

    secret = h(f"admin:{fields['realm']}:{password}")
    response = h(f"{secret}:{fields['nonce']}:{h(f'{method}:{target}')}")
    return (
        f'Digest username="admin", realm="{fields["realm"]}", nonce="{fields["nonce"]}", '
        f'uri="{target}", response="{response}"'
    )


@contextlib.asynccontextmanager
async def rtsp(camera: CameraSimulator, password: str = PASSWORD) -> AsyncIterator[RtspClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", camera.rtsp_port)
    try:
        yield RtspClient(reader, writer, password)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
