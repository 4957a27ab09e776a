"""A machine for conversations: a real WebSocket server whose answers a test writes down."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from contracts.errors import DeviceError
from gateway.driver import Identity, Observation
from tests.gateway.xfs4iot.examples import acknowledge, completion, event

WAIT_S = 20.0
"""Long for a loaded machine, and shorter than the driver's polls of 30 s: what is seen by then was told by an event."""


@dataclass
class ScriptedService:
    """Answers of one service, by command; a command without an answer is never completed."""

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_up: bool = True
    understands: frozenset[int] = frozenset({1, 2, 3})


class ScriptedMachine:
    """Serves a publisher and services on one loopback port and remembers what it was sent."""

    def __init__(
        self,
        port: int,
        major: int = 3,
        tls: ssl.SSLContext | None = None,
        scheme: str = "ws",
        routes_end: tuple[str, ...] = ("",),
        listed_end: str = "",
    ) -> None:
        self._routes_end = routes_end  # "/" where the machine knows its addresses with a slash at the end
        self._listed_end = listed_end
        self.port = port
        self.major = major
        self.scheme = scheme
        self._tls = tls
        self.services: dict[str, ScriptedService] = {}
        self.listed: list[str] | None = None
        self.announced: list[str] = []  # told in ServiceDetailEvents only
        self.received: list[dict[str, Any]] = []
        self.connections: dict[str, list[web.WebSocketResponse]] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        for end in self._routes_end:
            app.router.add_get(f"/xfs4iot/v1.0{end}", self._publisher)
            app.router.add_get(f"/xfs4iot/v1.0/{{name}}{end}", self._service)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls).start()

    async def stop(self) -> None:
        for name in list(self.connections):
            await self.drop(name)
        if self._runner is not None:
            await self._runner.cleanup()

    async def send(self, name: str, frame: str) -> None:
        for socket in self.connections.get(name, []):
            await socket.send_str(frame)

    async def send_bytes(self, name: str, frame: bytes) -> None:
        for socket in self.connections.get(name, []):
            await socket.send_bytes(frame)

    async def tell(self, name: str, event_name: str, payload: dict[str, Any]) -> None:
        await self.send(name, event(event_name, payload, self.major))

    async def drop(self, name: str) -> None:
        for socket in self.connections.pop(name, []):
            await socket.close()

    def commands(self, name: str | None = None) -> list[str]:
        return [item["header"]["name"] for item in self.received if name is None or item["at"] == name]

    async def _publisher(self, request: web.Request) -> web.StreamResponse:
        listed = self.services if self.listed is None else self.listed
        root = f"{self.scheme}://machine.invalid:{self.port}/xfs4iot/v1.0"
        uris = [{"serviceURI": f"{root}/{name}{self._listed_end}"} for name in listed]
        answer = {"ServicePublisher.GetServices": {"vendorName": "Sim Vendor", "services": uris}}
        return await self._converse(request, "publisher", ScriptedService(answer))

    async def _service(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        service = self.services.get(name)
        if service is None or not service.is_up:
            raise web.HTTPServiceUnavailable
        return await self._converse(request, name, service)

    async def _converse(self, request: web.Request, name: str, service: ScriptedService) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections.setdefault(name, []).append(socket)
        async for received in socket:
            if received.type is not WSMsgType.TEXT:
                continue
            command = json.loads(received.data)
            self.received.append({"at": name, **command})
            header = command["header"]
            if int(header["version"].partition(".")[0]) not in service.understands:
                await socket.send_str(acknowledge(header["name"], header["requestId"], self.major, "invalidMessage"))
                continue
            await socket.send_str(acknowledge(header["name"], header["requestId"], self.major))
            if name == "publisher":
                for other in self.announced:
                    detail = {"services": [{"serviceURI": f"{self.scheme}://x:{self.port}/xfs4iot/v1.0/{other}"}]}
                    await socket.send_str(event("ServicePublisher.ServiceDetailEvent", detail, self.major))
            answer = service.answers.get(header["name"])
            if answer is not None:
                await socket.send_str(completion(header["name"], header["requestId"], answer, self.major))
        if socket in self.connections.get(name, []):
            self.connections[name].remove(socket)
        return socket


class Recorder:
    """A sink that keeps what it is told and lets a test wait for it."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.identities: list[Identity] = []
        self.refused: list[tuple[bytes | str, DeviceError]] = []
        self.memory: dict[str, str] = {}
        self._news = asyncio.Event()

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        self.seen += observations
        self.memory = {key: text for key, text in {**self.memory, **keep}.items() if text is not None}
        self._news.set()

    async def recall(self) -> Mapping[str, str]:
        return dict(self.memory)

    async def identify(self, identity: Identity) -> None:
        self.identities.append(identity)
        self._news.set()

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:
        self.refused.append((raw, error))
        self._news.set()

    def last(self, path: str) -> float | str | None:
        return next((item.value for item in reversed(self.seen) if item.path == path), None)

    async def until(self, path: str, value: float | str, timeout_s: float = WAIT_S) -> None:
        """Wait until a signal was last seen with a value."""
        await self._until(lambda: self.last(path) == value, f"{path} = {value!r}", timeout_s, path)

    async def until_refused(self, count: int, timeout_s: float = WAIT_S) -> None:
        await self._until(lambda: len(self.refused) >= count, f"{count} refusals", timeout_s, "")

    async def _until(self, met: Any, what: str, timeout_s: float, path: str) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not met():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not seen in {timeout_s} s: {what}; last was {self.last(path)!r}") from None
