"""A plain XFS4IoT client for the tests: it sends what it is told and keeps whatever comes back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

Json = dict[str, Any]
TIMEOUT_S = 5.0


class XfsClient:
    """One connection to one service."""

    def __init__(self, socket: ClientWebSocketResponse, major: int) -> None:
        self._socket = socket
        self._major = major
        self._request_id = 0
        self.events: list[Json] = []

    async def send(self, name: str, payload: Json | None = None, **header: Any) -> int:
        self._request_id += 1
        head: Json = {"type": "command", "name": name, "version": f"{self._major}.0", "requestId": self._request_id}
        if self._major > 1:
            head["timeout"] = 5000
        else:
            payload = {"timeout": 5000} | (payload or {})
        await self._socket.send_json({"header": head | header} | ({} if payload is None else {"payload": payload}))
        return self._request_id

    async def send_text(self, text: str) -> None:
        await self._socket.send_str(text)

    async def send_bytes(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    async def next(self) -> Json:
        """The next message of any type."""
        message = await self._socket.receive(TIMEOUT_S)
        assert message.type is WSMsgType.TEXT, message
        decoded: Json = json.loads(message.data)
        return decoded

    async def is_cut_off(self) -> bool:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                message = await self._socket.receive()
                if message.type is not WSMsgType.TEXT:
                    return True

    async def reply(self) -> Json:
        """The next message that is no event; events before it are kept."""
        while True:
            message = await self.next()
            if message["header"]["type"] in {"unsolicited", "event"}:
                self.events.append(message)
            else:
                return message

    async def ask(self, name: str, payload: Json | None = None) -> Json:
        """Send a command and return its completion; the acknowledgement before it must be a good one."""
        request_id = await self.send(name, payload)
        acknowledge = await self.reply()
        assert acknowledge["header"]["type"] == "acknowledge"
        assert acknowledge["header"]["requestId"] == request_id
        completion = await self.reply()
        assert completion["header"]["type"] == "completion"
        assert completion["header"]["requestId"] == request_id
        return completion

    async def event(self, name: str, fits: Callable[[Json], bool] = lambda _payload: True) -> Json:
        """Wait for an event of a name whose payload fits; returns the payload and drops what came before it."""
        async with asyncio.timeout(15):
            while True:
                message = self.events.pop(0) if self.events else await self.next()
                payload: Json = message.get("payload", {})
                if message["header"]["name"] == name and fits(payload):
                    return payload


@asynccontextmanager
async def connect(uri: str, major: int = 3) -> AsyncIterator[XfsClient]:
    async with ClientSession() as session, session.ws_connect(uri) as socket:
        yield XfsClient(socket, major)
