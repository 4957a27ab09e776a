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
    """Retries one thing at a time and tells what it waits for.

    Args:
        backoff: waits between tries.
        on_waiting: told ``True`` when a wait begins and ``False`` when it is over.
    """

    def __init__(self, backoff: Backoff, on_waiting: Callable[[bool], None]) -> None:
        self._backoff = backoff
        self._on_waiting = on_waiting
        self.waits_for: str | None = None

    async def insist(self, what: str, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Call ``attempt`` until it does not raise ``DependencyUnavailable``; other errors pass.

        Args:
            what: who is waited for, for the log and for readiness.
            attempt: idempotent.
        """
        failures = 0
        while True:
            try:
                result = await attempt()
            except DependencyUnavailable as error:
                failures += 1
                self._tell(what)
                _log.warning("intake waits", waits_for=what, tries=failures, error=str(error))
                await asyncio.sleep(self._backoff.delay_s(failures))
            else:
                self._tell(None)
                return result

    def _tell(self, what: str | None) -> None:
        if what != self.waits_for:
            self.waits_for = what
            self._on_waiting(what is not None)
