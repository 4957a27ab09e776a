"""Inputs that broke a protocol, on their way to the outbox file where people can look at them."""

from collections import deque
from typing import Final

from gateway.outbox.file import RefusedInput
from gateway.outbox.outbox import Outbox

RAW_LIMIT: Final = 4096
"""Bytes kept of a refused input."""

_WAITING_LIMIT: Final = 200


class RefusedInputs:
    """The newest few refused inputs that are not written yet, and a count of all."""

    def __init__(self) -> None:
        self._waiting: deque[RefusedInput] = deque(maxlen=_WAITING_LIMIT)
        self._counted = 0

    def add(self, refused: RefusedInput) -> None:
        """Take one; the oldest waiting one gives way where there are too many."""
        self._waiting.append(refused)
        self._counted += 1

    async def flush(self, outbox: Outbox) -> None:
        """Write what waits.

        Raises:
            DependencyUnavailable: the outbox cannot be written; everything waits on.
        """
        if not self._counted:
            return
        batch, counted = tuple(self._waiting), self._counted
        await outbox.keep_refused(batch, counted)
        self._counted -= counted
        for refused in batch:
            if self._waiting and self._waiting[0] is refused:
                self._waiting.popleft()
