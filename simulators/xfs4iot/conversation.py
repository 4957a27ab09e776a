"""One client on one service: reads commands, acknowledges, answers each in its time, and passes events on."""

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import WSMsgType, web

from runtime.logs import get_logger
from simulators.xfs4iot.message_format import Command, Completion, Json, Malformed, MessageFormat, Refusal
from simulators.xfs4iot.service import MAXIMUM_REQUESTS

_log = get_logger(__name__)

_OUTGOING_LIMIT: Final = 1000
_SEND_TIMEOUT_S: Final = 5.0
_ANSWER_SIGMA: Final = math.log(10) / 2.326  # the slowest of 100 takes ten times the median
_ANSWER_MOST_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of a command.

    Attributes:
        code: how it ended.
        payload: what it found out.
        description: why it failed.
        events: names and payloads of the events before the completion.
        format_: how the connection goes on after it; ``None`` for as before.
    """

    code: Completion = Completion.SUCCESS
    payload: Json | None = None
    description: str = ""
    events: Sequence[tuple[str, Json]] = ()
    format_: MessageFormat | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a machine takes to answer.

    Attributes:
        median_s: median; the slowest of 100 answers takes ten times that. 0 answers at once.
        chance: random source.
    """

    median_s: float
    chance: random.Random

    def next_s(self) -> float:
        """Seconds until the next answer."""
        if self.median_s == 0:
            return 0.0
        return min(_ANSWER_MOST_S, self.chance.lognormvariate(math.log(self.median_s), _ANSWER_SIGMA))


class Conversation:
    """One WebSocket from its opening to its end.

    Queries run side by side, as in the machines. What waits to be sent is bounded: a client that does not read is cut
    off, because a monitor that misses an event without noticing is worse than one that has to connect again.

    Args:
        socket: prepared WebSocket.
        request: the request it came from.
        format_: how messages are written at first.
        answer: carries out a command; ``None`` where the service hangs and never answers.
        pace: how long that takes.

    Attributes:
        format: how messages are written now.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        format_: MessageFormat,
        answer: Callable[["Conversation", Command], Answer | None],
        pace: Pace,
    ) -> None:
        self._socket = socket
        self._request = request
        self.format = format_
        self._answer = answer
        self._pace = pace
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(_OUTGOING_LIMIT)
        self._open: set[int] = set()

    async def hold(self) -> None:
        """Talk until the client leaves or is cut off."""
        async with asyncio.TaskGroup() as group:
            sender = group.create_task(self._send())
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._take(group, message.data)
                elif message.type is WSMsgType.BINARY:
                    self.tell(self.format.acknowledge(None, None, Refusal.INVALID_MESSAGE))
            sender.cancel()

    def tell(self, text: str) -> None:
        """Queue a message; a client whose queue is full is cut off."""
        try:
            self._outgoing.put_nowait(text)
        except asyncio.QueueFull:
            _log.warning("client does not read; cutting it off", peer=self._request.remote, waiting=_OUTGOING_LIMIT)
            self.cut()

    def cut(self) -> None:
        """Drop the connection without a word, as a crash does."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def _take(self, group: asyncio.TaskGroup, frame: str) -> None:
        command = self.format.read(frame)
        if isinstance(command, Malformed):
            refusal = Refusal.INVALID_MESSAGE
            self.tell(self.format.acknowledge(command.name, command.request_id, refusal))
        elif command.request_id in self._open:
            self.tell(self.format.acknowledge(command.name, command.request_id, Refusal.INVALID_REQUEST_ID))
        elif len(self._open) >= MAXIMUM_REQUESTS:
            self.tell(self.format.acknowledge(command.name, command.request_id, Refusal.TOO_MANY_REQUESTS))
        else:
            self._open.add(command.request_id)
            self.tell(self.format.acknowledge(command.name, command.request_id))
            group.create_task(self._carry_out(command))

    async def _carry_out(self, command: Command) -> None:
        await asyncio.sleep(self._pace.next_s())
        answer = self._answer(self, command)
        if answer is None:
            return
        self._open.discard(command.request_id)
        for name, payload in answer.events:
            self.tell(self.format.event(command, name, payload))
        self.tell(self.format.complete(command, answer.code, answer.description, answer.payload))
        self.format = answer.format_ or self.format

    async def _send(self) -> None:
        while True:
            text = await self._outgoing.get()
            try:
                async with asyncio.timeout(_SEND_TIMEOUT_S):
                    await self._socket.send_str(text)
            except (TimeoutError, ConnectionError):
                self.cut()
                return
