"""TCP server that an alarm panel calls."""

import asyncio
from contextlib import suppress
from typing import Final

from contracts.errors import DependencyUnavailable, DeviceUnreachable
from gateway.driver import Sink
from gateway.drivers.sia_dc09.frame import Junk, StreamSplitter
from gateway.drivers.sia_dc09.receiver import Receiver
from gateway.drivers.sia_dc09.settings import Settings
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

MOST_CONNECTIONS: Final = 8
"""A panel has one connection, or two where it reports on two paths; a further one replaces the oldest."""

_MOST_FLAWS_IN_A_ROW: Final = 16
_READ_BYTES: Final = 4096
_REPLY_TIMEOUT_S: Final = 5.0
_CLOSE_TIMEOUT_S: Final = 1.0
_LONGEST_TICK_S: Final = 10.0


class Dc09Driver:
    """Listens for one panel. It never calls the panel, so a panel that is silent is ``link/state`` down, no error.

    What is known of the panel outlives :meth:`run` and the process.
    """

    protocol = "dc09"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._receiver = Receiver(settings, clock)
        self._open: dict[asyncio.StreamWriter, None] = {}

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled.

        Raises:
            DeviceUnreachable: the address cannot be listened on.
            DependencyUnavailable: the outbox cannot be read, so nobody knows which messages were taken.
        """
        await self._receiver.recall(sink)
        host, port = self._settings.listen_host, self._settings.listen_port
        connections = asyncio.TaskGroup()
        listening = True

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not listening:
                writer.transport.abort()
                return
            while len(self._open) >= MOST_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                oldest.transport.abort()
            self._open[writer] = None
            connections.create_task(self._serve(reader, writer, sink), name=f"dc09 connection on {port}")

        try:
            server = await asyncio.start_server(accept, host, port, start_serving=False, limit=_READ_BYTES)
        except OSError as error:
            raise DeviceUnreachable(
                f"cannot listen for the alarm panel on {host}:{port}: {error.strerror or error}; free the port or change "
                "listen_host or listen_port"
            ) from error
        try:
            async with connections:
                try:
                    await server.start_serving()
                    await self._watch_link(sink)
                finally:
                    listening = False
                    server.close()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await server.wait_closed()

    async def _watch_link(self, sink: Sink) -> None:
        tick_s = min(self._settings.supervision_s / 3, _LONGEST_TICK_S)
        while True:
            try:
                await self._receiver.report_link(sink)
            except DependencyUnavailable as error:
                _log.warning("link report not taken", account=self._settings.account, error=str(error))
                await asyncio.sleep(tick_s)
            else:
                await asyncio.sleep(min(tick_s, self._receiver.seconds_to_verdict()))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sink: Sink) -> None:
        splitter = StreamSplitter()
        try:
            await self._converse(reader, writer, splitter, sink)
        except (TimeoutError, OSError) as error:
            # Panels hang up as they like; what counts is the age of the last message.
            _log.debug("connection ended", account=self._settings.account, error=str(error) or type(error).__name__)
        finally:
            left = splitter.end()
            if left is not None:
                self._receiver.refuse_junk(left, sink)
            self._open.pop(writer, None)
            writer.close()  # and not abort: a reply may still be on its way
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await writer.wait_closed()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, splitter: StreamSplitter, sink: Sink
    ) -> None:
        flaws = 0
        while True:
            async with asyncio.timeout(self._settings.idle_timeout_s):
                chunk = await reader.read(_READ_BYTES)
            if not chunk:
                return
            for piece in splitter.feed(chunk):
                if isinstance(piece, Junk):
                    self._receiver.refuse_junk(piece, sink)
                    flaws += 1
                else:
                    answer = await self._receiver.take(piece, sink)
                    flaws = 0 if answer.is_good else flaws + 1
                    if answer.reply:
                        async with asyncio.timeout(_REPLY_TIMEOUT_S):
                            writer.write(answer.reply)
                            await writer.drain()
                if flaws >= _MOST_FLAWS_IN_A_ROW:
                    _log.warning(
                        "connection closed after nothing but flaws", account=self._settings.account, flaws=flaws
                    )
                    return
