"""Addresses that panels call. Several panels of a gateway may call the same one; the account tells them apart.

A driver attends the posts of its panel while it runs. The first to attend opens the socket, the last to leave closes it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, cast
from weakref import WeakKeyDictionary

from contracts.errors import DeviceUnreachable
from gateway.drivers.sia_dc09.connection import READ_BYTES, Connection
from gateway.drivers.sia_dc09.frame import account_of
from gateway.drivers.sia_dc09.outcome import Answer
from gateway.drivers.sia_dc09.panel_inbox import PanelInbox
from gateway.drivers.sia_dc09.stream import Junk, StreamSplitter
from runtime.logs import get_logger

_log = get_logger(__name__)

MOST_CONNECTIONS: Final = 8
"""For each panel: it has one connection, or two where it reports on two paths; a further one replaces the oldest."""

_MOST_IN_A_DATAGRAM: Final = 16
_CLOSE_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where panels send to."""

    host: str
    port: int
    transport: Literal["tcp", "udp"]

    def __str__(self) -> str:
        return f"{self.transport} {self.host}:{self.port}"


class ListeningPost:
    """One address and who attends it.

    What belongs to nobody (noise, strangers) goes to the first panel's inbox, which refuses and counts it.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._reserved: set[str] = set()
        self._inboxes: dict[str, PanelInbox] = {}
        self._connections: dict[Connection, None] = {}
        self._server: asyncio.Server | None = None
        self._datagrams: _Datagrams | None = None
        self.changing = asyncio.Lock()

    # -- who attends -------------------------------------------------------------------------------------------------

    def reserve(self, account: str) -> None:
        """Claim an account of this address.

        Raises:
            DeviceUnreachable: another driver has it.
        """
        if account in self._reserved:
            raise DeviceUnreachable(
                f"two alarm panels of account {account} on {self._address}; give each panel an account or a port of its own"
            )
        self._reserved.add(account)

    def release(self, account: str) -> None:
        """Give an account up."""
        self._reserved.discard(account)

    @property
    def is_deserted(self) -> bool:
        """Whether no driver has a claim any more."""
        return not self._reserved

    async def admit(self, inbox: PanelInbox) -> None:
        """Let messages reach a panel's inbox; from now on they may come."""
        self._inboxes[inbox.account] = inbox
        if self._server is not None:
            await self._server.start_serving()

    def dismiss(self, inbox: PanelInbox) -> None:
        """Let no more messages reach it."""
        self._inboxes.pop(inbox.account, None)

    def inbox_of(self, raw: bytes) -> PanelInbox | None:
        """Whose a frame seems to be; that panel checks it. ``None`` where nobody attends."""
        inbox = self._inboxes.get(account_of(raw) or "")
        return inbox if inbox is not None else next(iter(self._inboxes.values()), None)

    # -- the socket --------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Bind the address, unless that was done.

        Raises:
            DeviceUnreachable: it cannot be bound.
        """
        if self._server is not None or self._datagrams is not None:
            return
        host, port = self._address.host, self._address.port
        try:
            if self._address.transport == "tcp":
                # Whoever calls before a panel's driver is ready waits in the queue of the system.
                self._server = await asyncio.start_server(
                    self._accept, host, port, start_serving=False, limit=READ_BYTES
                )
            else:
                loop = asyncio.get_running_loop()
                _, self._datagrams = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=(host, port)
                )
        except OSError as error:
            raise DeviceUnreachable(
                f"cannot listen for the alarm panel on {self._address}: {error.strerror or error}; free the port or change "
                "listen_host or listen_port"
            ) from error

    async def close(self) -> None:
        """Let the address go; connections have ended with the drivers they belonged to."""
        server, self._server = self._server, None
        datagrams, self._datagrams = self._datagrams, None
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                if server is not None:
                    server.close()
                    await server.wait_closed()
                if datagrams is not None:
                    datagrams.close()
                    await datagrams.closed.wait()

    # -- TCP ---------------------------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(iter(self._inboxes.values()), None)
        if first is None:
            writer.transport.abort()
            return
        self._make_room()
        connection = Connection(reader, writer, self.inbox_of)
        self._connections[connection] = None
        if not first.begin(self._serve(connection, first), f"dc09 connection on {self._address}"):
            self._drop(connection)

    def _make_room(self) -> None:
        """Drop the oldest connection where there are too many, those first that have not yet said whose they are."""
        if len(self._connections) >= MOST_CONNECTIONS * len(self._inboxes):
            strangers = (connection for connection in self._connections if connection.owner is None)
            self._drop(next(strangers, None) or next(iter(self._connections)))

    def _drop(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        connection.abort()

    async def _serve(self, connection: Connection, inbox: PanelInbox) -> None:
        """Serve a connection among the tasks of ``inbox``, until it is over or turns out to be another panel's."""
        moved = False
        try:
            owner = await connection.converse(inbox)
            if owner is not None:
                moved = owner.begin(self._serve(connection, owner), f"dc09 connection on {self._address}")
        except (TimeoutError, OSError) as error:
            # Panels hang up as they like; what counts is the age of the last message.
            _log.debug("connection ended", account=inbox.account, error=str(error) or type(error).__name__)
        finally:
            if not moved:
                self._connections.pop(connection, None)
                await connection.close(inbox)

    # -- UDP ---------------------------------------------------------------------------------------------------------

    def take_datagram(self, datagram: bytes, sender: Any) -> None:
        """Take a datagram, which has one frame, seldom more. What finds its inbox full is dropped: the panel repeats it."""
        first = next(iter(self._inboxes.values()), None)
        if first is None:
            return

        def answer(given: Answer) -> None:
            if given.reply and self._datagrams is not None:
                self._datagrams.send(given.reply, sender)

        splitter = StreamSplitter()
        pieces: list[bytes | Junk | None] = [*splitter.feed(datagram[:READ_BYTES]), splitter.end()]
        for piece in pieces[:_MOST_IN_A_DATAGRAM]:
            if isinstance(piece, Junk):
                first.refuse_junk(piece)
            elif piece is not None:
                inbox = self.inbox_of(piece)
                if inbox is not None:
                    inbox.offer(piece, answer)


class _Datagrams(asyncio.DatagramProtocol):
    """The socket of a post that listens on UDP."""

    def __init__(self, post: ListeningPost) -> None:
        self._post = post
        self._transport: asyncio.DatagramTransport | None = None
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # it is one, but does not derive from it

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._post.take_datagram(data, addr)

    def error_received(self, exc: Exception) -> None:
        _log.debug("reply not delivered", error=str(exc))  # the panel repeats its message

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (the signature is asyncio's)
        self.closed.set()

    def send(self, reply: bytes, receiver: Any) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(reply, receiver)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


_posts: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Address, ListeningPost]] = WeakKeyDictionary()
"""Posts in use, of each event loop: the drivers of a gateway know nothing of each other, but there is one port."""


@asynccontextmanager
async def attended(address: Address, account: str) -> AsyncIterator[ListeningPost]:
    """Have an address open, alone or with others; messages come once an inbox is admitted.

    Raises:
        DeviceUnreachable: it cannot be bound, or another driver has the account there.
    """
    posts = _posts.setdefault(asyncio.get_running_loop(), {})
    post = posts.get(address)
    if post is None:
        post = posts[address] = ListeningPost(address)
    post.reserve(account)
    try:
        async with post.changing:
            await post.open()
        yield post
    finally:
        post.release(account)
        async with post.changing:
            if post.is_deserted:
                await post.close()
            if post.is_deserted and posts.get(address) is post:  # nobody came while it closed
                del posts[address]
