"""A Branchwatch process started by another one, ended by its id."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from contracts.errors import DependencyUnavailable
from runtime.logs import get_logger
from runtime.process import die_with_parent
from runtime.settings import ENV_PREFIX

_log = get_logger(__name__)


class Child:
    """One process running a Branchwatch command.

    Args:
        name: name in logs and errors.
        arguments: arguments of the ``branchwatch`` command.
        log_path: file its output is appended to.
        environment: variables on top of this process's own, of which those that are settings are left out: they are for
            this process.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], log_path: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._arguments = tuple(arguments)
        self._log_path = log_path
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        self._environment = {**inherited, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False

    @property
    def pid(self) -> int:
        """Process id."""
        return self._running().pid

    async def start(self) -> None:
        """Start the process; it ends with this one, even where this one is killed."""
        self._ending = False
        with self._log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "branchwatch", *self._arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                start_new_session=True,  # Ctrl+C is for the parent, which ends its children in order
                preexec_fn=die_with_parent,
            )  # fmt: skip

    async def run(self) -> None:
        """Watch for an end that nobody asked for.

        Raises:
            DependencyUnavailable: it ended; the message quotes the end of its log.
        """
        code = await self._running().wait()
        if self._ending:
            await asyncio.Event().wait()
        raise DependencyUnavailable(f"{self.name} ended with status {code}; its log ends:\n{self.last_words()}")

    async def stop(self) -> None:
        """Ask it to end in order, where it was started; see :meth:`end`."""
        if self._process is not None:
            await self.end()

    async def end(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, and SIGKILL where it does not end within ``timeout_s``; tells its exit status."""
        process = self._running()
        self._ending = True
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(timeout_s):
                    await process.wait()
            except TimeoutError:
                _log.warning("process did not end in time and is killed", process=self.name, pid=process.pid)
                process.kill()
                await process.wait()
        return process.returncode if process.returncode is not None else -signal.SIGKILL

    async def kill(self) -> None:
        """SIGKILL: no time for anything."""
        process = self._running()
        self._ending = True
        if process.returncode is None:
            process.kill()
        await process.wait()

    def last_words(self, lines: int = 12) -> str:
        """End of its log."""
        return "\n".join(self._log_path.read_text(errors="replace").splitlines()[-lines:])

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process
