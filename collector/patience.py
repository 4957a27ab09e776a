"""Back-pressure: whatever does not answer is asked again until it does, and nothing moves on meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from contracts.errors import DependencyUnavailable
from runtime.logs import get_logger
from runtime.supervisor import Backoff

_log = get_logger(__name__)
_T = TypeVar("_T")


class Patience:
    """Tries again and tells what it waits for; whoever reads batches and whoever commits them may wait at the same time.

    Args:
        backoff: waits between tries.
        on_waiting: told ``True`` when a wait begins and ``False`` when it is over.
    """

    def __init__(self, backoff: Backoff, on_waiting: Callable[[bool], None]) -> None:
        self._backoff = backoff
        self._on_waiting = on_waiting
        self._waits: dict[object, str] = {}

    @property
    def waits_for(self) -> str | None:
        """What is waited for, the longest wait where there are several; ``None`` where nothing is."""
        return next(iter(self._waits.values()), None)

    async def insist(self, what: str, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Call ``attempt`` until it does not raise ``DependencyUnavailable``; other errors pass.

        Args:
            what: who is waited for, for the log and for readiness.
            attempt: idempotent.
        """
        failures = 0
        wait = object()
        try:
            while True:
                try:
                    return await attempt()
                except DependencyUnavailable as error:
                    failures += 1
                    self._begin(wait, what)
                    _log.warning("intake waits", waits_for=what, tries=failures, error=str(error))
                    await asyncio.sleep(self._backoff.delay_s(failures))
        finally:
            self._end(wait)

    def _begin(self, wait: object, what: str) -> None:
        if not self._waits:
            self._on_waiting(True)
        self._waits[wait] = what

    def _end(self, wait: object) -> None:
        if self._waits.pop(wait, None) is not None and not self._waits:
            self._on_waiting(False)
