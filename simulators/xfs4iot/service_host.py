"""The machine's XFS4IoT server: a publisher that lists the services, and one WebSocket address for each of them."""

import asyncio
from typing import Final

from aiohttp import WSCloseCode, web

from contracts.errors import ConfigurationError
from simulators.xfs4iot.announcements import Announcement
from simulators.xfs4iot.conversation import Answer, Conversation, Pace
from simulators.xfs4iot.message_format import Command, Completion, Json, MessageFormat
from simulators.xfs4iot.publication import Publication
from simulators.xfs4iot.quirks import Quirks
from simulators.xfs4iot.service import MAKER, PUBLISHER, ServedMachine, Service, capabilities

PATH: Final = "/xfs4iot/v1.0"

_HEARTBEAT_S: Final = 20.0
_LARGEST_FRAME_BYTES: Final = 1 << 20
_STOP_TIMEOUT_S: Final = 2.0


class _Dead(asyncio.Protocol):
    """What is left of a machine without power: a connection to it breaks at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


class ServiceHost:
    """Serves a machine on one port.

    Args:
        machine: the machine.
        quirks: how its server differs from the newest standard.
        host: address to listen on.
        port: port to listen on, 0 for any free one; :attr:`port` tells which.
        pace: how long answers take.

    Attributes:
        dark: the computer is off, or off the net.
    """

    def __init__(self, machine: ServedMachine, quirks: Quirks, host: str, port: int, pace: Pace) -> None:
        self.port = port
        self.dark = False
        self._machine = machine
        self._quirks = quirks
        self._host = host
        self._pace = pace
        self._publication = Publication(machine, quirks.message_major)
        self._services = {service.name: service for service in machine.services}
        self._names = {service.module: service.name for service in machine.services}
        self._conversations: dict[str, set[Conversation]] = {name: set() for name in (PUBLISHER, *self._services)}
        self._sockets: set[web.WebSocketResponse] = set()
        self._crashed: set[str] = set()
        self._hanging: set[str] = set()
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def uri(self) -> str:
        """Address of the publisher, where a client begins."""
        return f"ws://{self._host}:{self.port}{PATH}"

    @property
    def clients(self) -> int:
        """Open connections, the publisher's included."""
        return sum(len(conversations) for conversations in self._conversations.values())

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port cannot be had.
        """
        application = web.Application()
        application.router.add_get(PATH, self._serve)
        application.router.add_get(PATH + "/", self._serve)
        application.router.add_get(PATH + "/{service}", self._serve)
        application.router.add_get(PATH + "/{service}/", self._serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_STOP_TIMEOUT_S)
        await runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: self._connection(runner), self._host, self.port)
        except OSError as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"simulated {self._machine.model}: cannot listen on {self._host}:{self.port}: {error.strerror}; "
                f"choose a free port"
            ) from error
        self._runner = runner
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection and the port; does nothing the second time."""
        runner, self._runner = self._runner, None
        server, self._server = self._server, None
        if runner is None or server is None:
            return
        server.close()
        for socket in tuple(self._sockets):
            try:
                async with asyncio.timeout(_STOP_TIMEOUT_S):
                    await socket.close(code=WSCloseCode.GOING_AWAY)
            except TimeoutError:
                continue  # the runner's cleanup below drops it
        await runner.cleanup()

    def go_dark(self) -> None:
        """The computer loses its power or its net: connections break, and so does every new one at once."""
        self.dark = True
        for name in self._conversations:
            self._cut(name)

    def light_up(self) -> None:
        """The computer is back."""
        self.dark = False

    def _connection(self, runner: web.AppRunner) -> asyncio.BaseProtocol:
        """Who talks on a new connection. A dark machine keeps its port, so that nobody else has it when it is back."""
        assert runner.server is not None  # set up before anything listens
        return _Dead() if self.dark else runner.server()

    def publish(self) -> None:
        """Tell every connection of a service what is new there."""
        for announcement in self._publication.news():
            self._broadcast(announcement)

    def crash(self, service: str) -> None:
        """End one service's software: its connections break and new ones are refused."""
        self._crashed.add(service)
        self._cut(service)

    def hang(self, service: str) -> None:
        """One service's software acknowledges commands and never answers them, nor tells anything."""
        self._hanging.add(service)

    def restart(self, service: str) -> None:
        """Start a crashed or hanging service again."""
        if service in self._hanging:
            self._cut(service)
        self._crashed.discard(service)
        self._hanging.discard(service)

    def _cut(self, service: str) -> None:
        for conversation in tuple(self._conversations[service]):
            conversation.cut()

    def _broadcast(self, announcement: Announcement) -> None:
        service = self._names[announcement.module]
        if service in self._hanging:
            return
        texts: dict[MessageFormat, str] = {}
        for conversation in tuple(self._conversations[service]):
            format_ = conversation.format
            if format_ not in texts:
                texts[format_] = format_.unsolicited(announcement.name, announcement.payload)
            conversation.tell(texts[format_])
            if self._quirks.extra_properties and announcement.name == "Common.StatusChangedEvent":
                conversation.tell(format_.unsolicited("VendorDiagnostics.TraceEvent", {"code": 17}))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("service", PUBLISHER)
        if name not in self._conversations or (name == PUBLISHER and "service" in request.match_info):
            raise web.HTTPNotFound(text=f"no service {name}\n")
        if name in self._crashed or self.dark:
            raise web.HTTPServiceUnavailable(text=f"service {name} is not running\n")
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST_FRAME_BYTES, timeout=_STOP_TIMEOUT_S
        )
        if not socket.can_prepare(request):
            raise web.HTTPBadRequest(text="this address speaks XFS4IoT over WebSocket\n")
        await socket.prepare(request)
        conversation = Conversation(
            socket,
            request,
            MessageFormat(self._quirks),
            lambda own, command: self._answer(own, name, command),
            self._pace,
        )
        self._conversations[name].add(conversation)
        self._sockets.add(socket)
        try:
            await conversation.hold()
        finally:
            self._conversations[name].discard(conversation)
            self._sockets.discard(socket)
        return socket

    def _answer(self, conversation: Conversation, name: str, command: Command) -> Answer | None:
        if name in self._hanging:
            return None
        service = self._services.get(name)
        if service is None:
            return self._answer_as_publisher(command)
        major = self._quirks.message_major
        match command.name:
            case "Common.Status":
                return Answer(payload=self._machine.status(service.module, major))
            case "Common.Capabilities":
                return Answer(payload=capabilities(self._machine, service, conversation.format))
            case "Common.SetVersions":
                return self._set_versions(conversation.format, service, command)
            case "Storage.GetStorage" if service.storage:
                return Answer(payload={"storage": self._machine.storage(service.module, major)})
        return _unknown(command, known_interface=service.has_interface(command.name.partition(".")[0]))

    def _answer_as_publisher(self, command: Command) -> Answer:
        if command.name != f"{PUBLISHER}.GetServices":
            return _unknown(command, known_interface=command.name.partition(".")[0] in {PUBLISHER, "Common"})
        slash = "/" if self._quirks.trailing_slash else ""
        services: list[Json] = [{"serviceURI": f"{self.uri}/{service}{slash}"} for service in self._services]
        if self._quirks.services_by_event:
            events = [
                (f"{PUBLISHER}.ServiceDetailEvent", {"vendorName": MAKER, "services": [service]})
                for service in services
            ]
            return Answer(payload={"vendorName": MAKER, "services": []}, events=events)
        return Answer(payload={"vendorName": MAKER, "services": services})

    def _set_versions(self, format_: MessageFormat, service: Service, command: Command) -> Answer:
        """Take versions where they are among those this machine speaks."""
        offered = capabilities(self._machine, service, format_)["interfaces"]
        chosen: dict[str, int] = {}
        for sort in ("commands", "events"):
            wanted = command.payload.get(sort) or {}
            spoken = {message: entry["versions"] for interface in offered for message, entry in interface[sort].items()}
            if not isinstance(wanted, dict):
                return Answer(Completion.INVALID_DATA, description=f"{sort}: expected an object of name and major")
            for message, major in wanted.items():
                if not any(version.partition(".")[0] == str(major) for version in spoken.get(message, ())):
                    text = f"{message}: major {major} is not offered, expected one of {spoken.get(message, [])}"
                    return Answer(Completion.INVALID_DATA, description=text)
                chosen[message] = int(major)
        return Answer(format_=format_.with_majors(chosen))


def _unknown(command: Command, *, known_interface: bool) -> Answer:
    code = Completion.UNSUPPORTED_COMMAND if known_interface else Completion.INVALID_COMMAND
    return Answer(code, description=f"{command.name} is not a command of this service")
