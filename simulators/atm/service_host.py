"""The machine's XFS4IoT server: a publisher that lists the services, and one WebSocket address for each of them."""

import asyncio
from typing import Final

from aiohttp import WSCloseCode, web

from contracts.errors import ConfigurationError
from simulators.atm.conversation import Answer, Conversation, Pace
from simulators.atm.machine import Machine
from simulators.atm.message_format import Command, Completion, Dialect, Json, MessageFormat
from simulators.atm.publication import Announcement, Publication
from simulators.atm.services import MAKER, PUBLISHER, SERVICES, Service, capabilities
from simulators.atm.status import status
from simulators.atm.storage import storage

PATH: Final = "/xfs4iot/v1.0"

_HEARTBEAT_S: Final = 20.0
_LARGEST_FRAME_BYTES: Final = 1 << 20
_STOP_TIMEOUT_S: Final = 2.0


class ServiceHost:
    """Serves a machine on one port.

    Args:
        machine: the machine.
        format_: message format it speaks.
        host: address to listen on.
        port: port to listen on, 0 for any free one; :attr:`port` tells which.
        pace: how long answers take.
    """

    def __init__(self, machine: Machine, format_: MessageFormat, host: str, port: int, pace: Pace) -> None:
        self.port = port
        self._machine = machine
        self._format = format_
        self._host = host
        self._pace = pace
        self._publication = Publication(machine, format_.major)
        self._services = {service.name: service for service in SERVICES}
        self._names = {service.module: service.name for service in SERVICES}
        self._conversations: dict[str, set[Conversation]] = {name: set() for name in (PUBLISHER, *self._services)}
        self._sockets: set[web.WebSocketResponse] = set()
        self._crashed: set[str] = set()
        self._runner: web.AppRunner | None = None

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
        try:
            await web.TCPSite(runner, self._host, self.port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"simulated ATM: cannot listen on {self._host}:{self.port}: {error.strerror}; choose a free port"
            ) from error
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Close every connection and the port; does nothing the second time."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for socket in tuple(self._sockets):
            try:
                async with asyncio.timeout(_STOP_TIMEOUT_S):
                    await socket.close(code=WSCloseCode.GOING_AWAY)
            except TimeoutError:
                continue  # the runner's cleanup below drops it
        await runner.cleanup()

    def publish(self) -> None:
        """Tell every connection of a service what is new there."""
        for announcement in self._publication.news():
            self._broadcast(announcement)

    def crash(self, service: str) -> None:
        """End one service's software: its connections break and new ones are refused."""
        self._crashed.add(service)
        for conversation in tuple(self._conversations[service]):
            conversation.cut()

    def restart(self, service: str) -> None:
        """Start a crashed service again."""
        self._crashed.discard(service)

    def _broadcast(self, announcement: Announcement) -> None:
        listeners = self._conversations[self._names[announcement.module]]
        if listeners:
            text = self._format.unsolicited(announcement.name, announcement.payload)
            for conversation in tuple(listeners):
                conversation.tell(text)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("service", PUBLISHER)
        if name not in self._conversations or (name == PUBLISHER and "service" in request.match_info):
            raise web.HTTPNotFound(text=f"no service {name}\n")
        if name in self._crashed:
            raise web.HTTPServiceUnavailable(text=f"service {name} is not running\n")
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST_FRAME_BYTES, timeout=_STOP_TIMEOUT_S
        )
        if not socket.can_prepare(request):
            raise web.HTTPBadRequest(text="this address speaks XFS4IoT over WebSocket\n")
        await socket.prepare(request)
        conversation = Conversation(
            socket, request, self._format, lambda command: self._answer(name, command), self._pace
        )
        self._conversations[name].add(conversation)
        self._sockets.add(socket)
        try:
            await conversation.hold()
        finally:
            self._conversations[name].discard(conversation)
            self._sockets.discard(socket)
        return socket

    def _answer(self, name: str, command: Command) -> Answer:
        service = self._services.get(name)
        if service is None:
            return self._answer_as_publisher(command)
        match command.name:
            case "Common.Status":
                return Answer(payload=status(self._machine, service.module, self._format.major))
            case "Common.Capabilities":
                return Answer(payload=capabilities(self._machine, service, self._format))
            case "Common.SetVersions":
                return self._set_versions(service, command)
            case "Storage.GetStorage" if service.storage:
                return Answer(payload={"storage": storage(self._machine, service.module)})
        return _unknown(command, known_interface=service.has_interface(command.name.partition(".")[0]))

    def _answer_as_publisher(self, command: Command) -> Answer:
        if command.name != f"{PUBLISHER}.GetServices":
            return _unknown(command, known_interface=command.name.partition(".")[0] in {PUBLISHER, "Common"})
        slash = "/" if self._format.dialect is Dialect.KAL else ""
        services: list[Json] = [{"serviceURI": f"{self.uri}/{service}{slash}"} for service in self._services]
        return Answer(payload={"vendorName": MAKER, "services": services})

    def _set_versions(self, service: Service, command: Command) -> Answer:
        """Take versions where they are the ones this machine speaks; it speaks one major of each message."""
        offered = capabilities(self._machine, service, self._format)["interfaces"]
        for sort in ("commands", "events"):
            wanted = command.payload.get(sort) or {}
            spoken = {message: entry["versions"] for interface in offered for message, entry in interface[sort].items()}
            if not isinstance(wanted, dict):
                return Answer(Completion.INVALID_DATA, description=f"{sort}: expected an object of name and major")
            for message, major in wanted.items():
                if not any(version.partition(".")[0] == str(major) for version in spoken.get(message, ())):
                    text = f"{message}: major {major} is not offered, expected one of {spoken.get(message, [])}"
                    return Answer(Completion.INVALID_DATA, description=text)
        return Answer()


def _unknown(command: Command, *, known_interface: bool) -> Answer:
    code = Completion.UNSUPPORTED_COMMAND if known_interface else Completion.INVALID_COMMAND
    return Answer(code, description=f"{command.name} is not a command of this service")
