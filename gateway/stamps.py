"""Times that order what a gateway says of itself: each is later than any before, over restarts and a clock put back, too."""

from typing import Final

from contracts.errors import DependencyUnavailable
from contracts.identity import GATEWAY_DEVICE, device_id
from gateway.outbox.memory import Keepsake
from gateway.outbox.outbox import Outbox
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

_OWNER: Final = "uplink"
_KEY: Final = "last_stamp_ms"


class Stamps:
    """Gives times and remembers the last one in the outbox.

    Args:
        branch_id: the branch.
        outbox: where the last one is kept.
        clock: the time, where it is later than the last one.
    """

    def __init__(self, branch_id: str, outbox: Outbox, clock: Clock) -> None:
        self._device_id = device_id(branch_id, GATEWAY_DEVICE)
        self._outbox = outbox
        self._clock = clock
        self._last_ms = 0
        self._recalled = False

    async def next_ms(self) -> int:
        """A time later than any before, milliseconds since 1970 UTC.

        An outbox that cannot be read or written keeps nobody waiting: within this process the order holds without it.
        """
        try:
            await self._recall()
            stamp_ms = self._step()
            keep = Keepsake(self._device_id, _OWNER, {_KEY: str(stamp_ms)})
            await self._outbox.store([], urgent=True, keep=keep)
        except DependencyUnavailable as error:
            _log.warning(
                "time of what the gateway says of itself not kept", device_id=self._device_id, error=str(error)
            )
            return self._step()
        return stamp_ms

    async def _recall(self) -> None:
        if not self._recalled:
            kept = await self._outbox.recall(self._device_id, _OWNER)
            self._last_ms = max(self._last_ms, int(kept.get(_KEY, "0")))
            self._recalled = True

    def _step(self) -> int:
        self._last_ms = max(self._clock.now_ms(), self._last_ms + 1)
        return self._last_ms
