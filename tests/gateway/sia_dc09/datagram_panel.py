"""A panel's side of UDP for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast


class DatagramPanel(asyncio.DatagramProtocol):
    """Sends datagrams and keeps what comes back."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._replies: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # it is one, but does not derive from it

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._replies.put_nowait(data)

    def send(self, datagram: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(datagram)

    async def reply(self) -> bytes:
        async with asyncio.timeout(5):
            return await self._replies.get()

    async def ask(self, datagram: bytes) -> bytes:
        """Send until there is a reply, as a panel does: a datagram may be lost."""
        for _ in range(5):
            self.send(datagram)
            try:
                async with asyncio.timeout(2):
                    return await self._replies.get()
            except TimeoutError:
                continue
        raise AssertionError(f"no reply to {datagram!r}")

    @property
    def is_left_alone(self) -> bool:
        return self._replies.empty()

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


@asynccontextmanager
async def datagram_panel(port: int) -> AsyncIterator[DatagramPanel]:
    _, panel = await asyncio.get_running_loop().create_datagram_endpoint(DatagramPanel, remote_addr=("127.0.0.1", port))
    try:
        yield panel
    finally:
        panel.close()
        await asyncio.sleep(0)
