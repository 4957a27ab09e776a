"""One TCP connection that somebody opened to a listening post."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.drivers.sia_dc09.panel_inbox import PanelInbox
from gateway.drivers.sia_dc09.stream import Junk, StreamSplitter
from runtime.logs import get_logger

_log = get_logger(__name__)

READ_BYTES: Final = 4096

_MOST_FLAWS_IN_A_ROW: Final = 16
_REPLY_TIMEOUT_S: Final = 5.0
_CLOSE_TIMEOUT_S: Final = 1.0


class Connection:
    """Reads frames, has them taken and sends the replies, one at a time.

    Args:
        reader: from the peer.
        writer: to the peer.
        inbox_of: whose a frame seems to be.

    Attributes:
        owner: the panel it turned out to be, by a message that only this panel can have sent.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        inbox_of: Callable[[bytes], PanelInbox | None],
    ) -> None:
        self.owner: PanelInbox | None = None
        self._reader = reader
        self._writer = writer
        self._inbox_of = inbox_of
        self._splitter = StreamSplitter()
        self._flaws = 0

    async def converse(self, inbox: PanelInbox) -> PanelInbox | None:
        """Serve until the peer is done, or until it turns out to be another panel than ``inbox`` is for.

        Returns:
            That panel's inbox, to go on with; ``None`` where the conversation is over.

        Raises:
            TimeoutError: the peer was silent, or did not take a reply.
            OSError: the connection broke.
        """
        while True:
            async with asyncio.timeout(inbox.idle_timeout_s):
                chunk = await self._reader.read(READ_BYTES)
            if not chunk:
                return None
            for piece in self._splitter.feed(chunk):
                await self._take(piece, inbox)
                if self._flaws >= _MOST_FLAWS_IN_A_ROW:
                    _log.warning("connection closed after nothing but flaws", account=inbox.account, flaws=self._flaws)
                    return None
            if self.owner is not None and self.owner is not inbox:
                return self.owner

    async def _take(self, piece: bytes | Junk, inbox: PanelInbox) -> None:
        if isinstance(piece, Junk):
            (self.owner or inbox).refuse_junk(piece)
            self._flaws += 1
            return
        addressed = self._inbox_of(piece)
        if addressed is None:  # the last driver is leaving
            return
        answer = await addressed.ask(piece)
        if answer.is_good:
            self._flaws = 0
            self.owner = self.owner or addressed
        else:
            self._flaws += 1
        if answer.reply:
            async with asyncio.timeout(_REPLY_TIMEOUT_S):
                self._writer.write(answer.reply)
                await self._writer.drain()

    def abort(self) -> None:
        """Break the connection off; whoever serves it finds it ended."""
        self._writer.transport.abort()

    async def close(self, inbox: PanelInbox) -> None:
        """Hang up; ``inbox`` hears of half a frame that was left."""
        left = self._splitter.end()
        if left is not None:
            inbox.refuse_junk(left)
        self._writer.close()  # and not abort: a reply may still be on its way
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._writer.wait_closed()
