"""One task group a process, with a designed start and stop.

Services start in the order they are added: consumers before producers. They stop in the opposite order, each within its
bound: producers first, so that what is under way can drain.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from runtime.logs import get_logger

_log = get_logger(__name__)


class Service(Protocol):
    """Something that runs for the life of a process."""

    @property
    def name(self) -> str:
        """Name in logs and errors."""
        ...

    async def start(self) -> None:
        """Get ready; returned means ready for whoever starts next. Raises to refuse the start of the process."""
        ...

    async def run(self) -> None:
        """Work until cancelled. To return or raise ends the process, so retry inside what can be retried."""
        ...

    async def stop(self) -> None:
        """Finish what was accepted, then let go; called after ``run`` was cancelled, within ``stop_timeout_s``."""
        ...


class Restart(StrEnum):
    """Why a supervised loop ran again."""

    RETURNED = "returned"
    RAISED = "raised"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Growing waits between tries: ``first_s`` doubled up to ``most_s``."""

    first_s: float = 0.5
    most_s: float = 30.0

    def delay_s(self, failures: int) -> float:
        """Wait after so many failures in a row, from 1."""
        return float(min(self.most_s, self.first_s * 2 ** (failures - 1)))


class Supervisor:
    """Owns every task of a process."""

    def __init__(self, stop_timeout_s: float = 15.0) -> None:
        self._services: list[Service] = []
        self._stop_timeout_s = stop_timeout_s
        self._stopping = asyncio.Event()

    def add(self, service: Service) -> None:
        """Add a service; the order is the order of start."""
        self._services.append(service)

    def request_stop(self) -> None:
        """Ask for an orderly stop."""
        self._stopping.set()

    def stop_on_signals(self) -> None:
        """Stop in order on SIGINT and SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)

    async def run(self, on_started: Callable[[], None] | None = None) -> None:
        """Start all, run until a stop is asked for or a service ends, stop all.

        Args:
            on_started: called once when every service is ready.

        Raises:
            BaseExceptionGroup: a service failed; the others were stopped in order first.
        """
        started: list[tuple[Service, asyncio.Task[None]]] = []
        failure: list[BaseException] = []
        try:
            for service in self._services:
                if not await self._start(service):
                    break
                task = asyncio.create_task(self._guard(service, failure), name=service.name)
                started.append((service, task))
                _log.debug("service started", service=service.name)
            else:
                if on_started is not None:
                    on_started()
                await self._stopping.wait()
        finally:
            for service, task in reversed(started):
                await self._stop(service, task, failure)
        if failure:
            raise BaseExceptionGroup("services failed", failure)

    async def _start(self, service: Service) -> bool:
        """Start a service; a stop that is asked for meanwhile, or the failure of one that runs, breaks it off.

        Returns:
            Whether it started.
        """
        starting = asyncio.create_task(service.start(), name=f"start of {service.name}")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop while starting")
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not starting.done():
                starting.cancel()
                await asyncio.wait({starting}, timeout=self._stop_timeout_s)
        if not starting.cancelled():
            starting.result()
            return True
        _log.info("start broken off", service=service.name)
        with contextlib.suppress(
            Exception
        ):  # half started, it may not be able to stop in order; it lets go of what it can
            async with asyncio.timeout(self._stop_timeout_s):
                await service.stop()
        return False

    async def _guard(self, service: Service, failure: list[BaseException]) -> None:
        try:
            await service.run()
        except Exception as error:  # noqa: BLE001  (the last line of defence: any failure stops the process in order)
            _log.error("service failed", service=service.name, exc_info=error)
            failure.append(error)
        self._stopping.set()

    async def _stop(self, service: Service, task: asyncio.Task[None], failure: list[BaseException]) -> None:
        task.cancel()
        await asyncio.wait([task], timeout=self._stop_timeout_s)
        try:
            async with asyncio.timeout(self._stop_timeout_s):
                await service.stop()
        except Exception as error:  # noqa: BLE001  (one service's failure to stop must not keep the others from stopping)
            _log.error("service did not stop cleanly", service=service.name, exc_info=error)
            failure.append(error)
        _log.debug("service stopped", service=service.name)


async def retry_forever(
    what: str,
    attempt: Callable[[], Awaitable[None]],
    backoff: Backoff,
    *,
    steady_s: float = 60.0,
    on_restart: Callable[[Restart, float], None] | None = None,
) -> None:
    """Run ``attempt`` again and again, waiting longer after each failure in a row.

    Args:
        what: name for the log.
        attempt: returns or raises when it is over.
        backoff: the waits.
        steady_s: an attempt that lived this long forgets earlier failures.
        on_restart: told why it ended and how long the wait is, in seconds.
    """
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        began = loop.time()
        reason = Restart.RETURNED
        try:
            await attempt()
        except Exception as error:  # noqa: BLE001  (supervision: whatever ended the attempt, it is logged and tried again)
            reason = Restart.RAISED
            _log.warning("attempt failed", what=what, error=str(error) or type(error).__name__, failures=failures + 1)
        failures = 1 if loop.time() - began >= steady_s else failures + 1
        delay_s = backoff.delay_s(failures)
        if on_restart is not None:
            on_restart(reason, delay_s)
        await asyncio.sleep(delay_s)
