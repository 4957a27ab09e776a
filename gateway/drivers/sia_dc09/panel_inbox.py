"""The messages of one panel that wait for their turn, whichever way they came."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final

from gateway.driver import Sink
from gateway.drivers.sia_dc09.outcome import Answer, Outcome
from gateway.drivers.sia_dc09.receiver import Receiver
from gateway.drivers.sia_dc09.stream import Junk
from runtime.logs import get_logger

_log = get_logger(__name__)

MOST_WAITING: Final = 64
"""A panel sends one message at a time and repeats it for want of a reply; more than this is a flood, and is dropped."""

_LONGEST_WAIT_S: Final = 60.0
"""No panel waits longer for a reply; the commit goes on without anybody to tell."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    raw: bytes
    on_answer: Callable[[Answer], None]


class PanelInbox:
    """Hands the frames of a panel to its receiver, one after the other, in a task of the panel's own driver.

    So a frame that came on another panel's connection is finished, or was never begun, when this panel's driver ends.

    Args:
        account: the panel's, in upper case.
        receiver: takes the frames.
        sink: where they go.
        tasks: of the driver's run; all that is begun here ends with it.
        idle_timeout_s: a silent connection of this panel is closed after this.
    """

    def __init__(
        self, account: str, receiver: Receiver, sink: Sink, tasks: asyncio.TaskGroup, idle_timeout_s: float
    ) -> None:
        self.account = account
        self.idle_timeout_s = idle_timeout_s
        self._receiver = receiver
        self._sink = sink
        self._tasks = tasks
        self._context = copy_context()  # whoever accepts a connection may be another panel, with its own ids in the log
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(MOST_WAITING)
        self._is_flooded = False

    def begin(self, work: Coroutine[object, object, None], name: str) -> bool:
        """Begin a task of the driver's run.

        Returns:
            Whether it was begun; not where the run is about to end.
        """
        try:
            self._tasks.create_task(work, name=name, context=self._context.copy())
        except RuntimeError:
            work.close()
            return False
        return True

    def offer(self, raw: bytes, on_answer: Callable[[Answer], None]) -> bool:
        """Let a frame wait for its turn.

        Args:
            raw: what stood between LF and CR.
            on_answer: called with the answer; never where the driver's run ends before.

        Returns:
            Whether it waits; not where too many do.
        """
        try:
            self._waiting.put_nowait(_Waiting(raw, on_answer))
        except asyncio.QueueFull:
            if not self._is_flooded:
                self._context.copy().run(
                    _log.warning, "messages dropped, too many at once", account=self.account, waiting=MOST_WAITING
                )
            self._is_flooded = True
            return False
        self._is_flooded = False
        return True

    async def ask(self, raw: bytes) -> Answer:
        """Have a frame taken and wait for the answer, which is silence where it takes too long."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def tell(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        if not self.offer(raw, tell):
            return Answer(Outcome.NOT_ASKED)
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                return await answered
        except TimeoutError:
            return Answer(Outcome.NOT_ASKED)

    def refuse_junk(self, junk: Junk) -> None:
        """Count bytes that are no frame, and keep a sample of them."""
        self._receiver.refuse_junk(junk, self._sink)

    async def work(self) -> None:
        """Take what waits, until cancelled."""
        while True:
            waiting = await self._waiting.get()
            waiting.on_answer(await self._receiver.take(waiting.raw, self._sink))
