"""What goes out behind the live stream: packs from before this connection, and packs the collector asks for again."""

import asyncio
import contextlib
from collections import deque
from typing import Final

from pydantic import ValidationError

from contracts.errors import DependencyUnavailable
from contracts.gateway_messages import ResendRequest
from gateway.outbox.outbox import Outbox
from gateway.outbox.packing import StoredPack
from runtime.logs import get_logger

_log = get_logger(__name__)

_BATCH: Final = 20
"""Packs read from the outbox at once; at 200 readings each well under 1 MB."""

_RANGES_LIMIT: Final = 1000
"""Ranges waiting to be sent again; the collector asks again for what is left out."""


_REQUEST_BYTES_LIMIT: Final = 64 * 1024
"""A request with all the ranges the contract allows stays below 40 KB."""


class Backlog:
    """Gives older packs oldest first, at a bounded rate, backlog and requests in turn.

    Args:
        outbox: where they are.
        readings_per_s: bound of the rate.
    """

    def __init__(self, outbox: Outbox, readings_per_s: float) -> None:
        self.upto_seq = 0
        self._resent = 0
        self._unavailable = 0
        self._outbox = outbox
        self._readings_per_s = readings_per_s
        self._sent_seq = 0
        self._ranges: deque[tuple[int, int]] = deque(maxlen=_RANGES_LIMIT)
        self._work = asyncio.Event()
        self._free_at_s = 0.0

    def begin(self, upto_seq: int) -> None:
        """Start over at a new connection: everything unacknowledged up to a number is backlog."""
        self.upto_seq = upto_seq
        self._sent_seq = 0
        self._work.set()

    def request(self, payload: bytes, boot: str) -> bool:
        """Take a request of the collector.

        Returns:
            Whether it could be read. One for another boot identity is read and concerns nothing that is here.
        """
        if len(payload) > _REQUEST_BYTES_LIMIT:
            _log.warning("resend request ignored: too long", bytes=len(payload), most=_REQUEST_BYTES_LIMIT)
            return False
        try:
            request = ResendRequest.model_validate_json(payload)
        except ValidationError as error:
            _log.warning("resend request ignored", error=str(error.errors(include_url=False)[0]["msg"]))
            return False
        if request.boot == boot:
            self._ranges.extend(request.resend)
            self._work.set()
        return True

    async def next_packs(self) -> list[StoredPack]:
        """The next few packs to send, none where there is nothing left to do.

        Raises:
            DependencyUnavailable: the outbox cannot be read; nothing is skipped.
        """
        packs = await self._outbox.unacknowledged(self._sent_seq, self.upto_seq, _BATCH)
        again = await self._requested()
        if packs:
            self._sent_seq = packs[-1].seq
        return packs + again

    async def _requested(self) -> list[StoredPack]:
        """Packs asked for; those not acknowledged yet are on their way and not sent twice."""
        if not self._ranges:
            return []
        first, last = self._ranges.popleft()
        try:
            upto = min(last, (await self._outbox.statistics()).last_seq)
            packs = await self._outbox.acknowledged(first - 1, upto, _BATCH)
            if len(packs) == _BATCH:
                upto = packs[-1].seq
                self._ranges.appendleft((upto + 1, last))
            missing = max(0, upto - first + 1) - await self._outbox.kept(first, upto)
        except DependencyUnavailable:
            self._ranges.appendleft((first, last))
            raise
        if missing:
            _log.warning("packs asked for are no longer kept", first=first, last=upto, packs=missing)
        self._resent += len(packs)
        self._unavailable += missing
        return packs

    def take_counts(self) -> tuple[int, int]:
        """Packs sent again and packs no longer kept since the last call."""
        counts = self._resent, self._unavailable
        self._resent = self._unavailable = 0
        return counts

    async def pace(self, pack: StoredPack) -> None:
        """Wait as long as the pack takes at the bounded rate."""
        now_s = asyncio.get_running_loop().time()
        self._free_at_s = max(now_s, self._free_at_s) + pack.readings / self._readings_per_s
        await asyncio.sleep(self._free_at_s - now_s)

    async def wait_for_work(self) -> None:
        """Wait for a request, at most a minute."""
        if not self._ranges:
            self._work.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60):
                    await self._work.wait()
