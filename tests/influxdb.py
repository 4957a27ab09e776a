"""Debian's InfluxDB 1.6, and the v2 write route that it lacks: InfluxDB has it since 1.8."""

import asyncio
import base64
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

import aiohttp
from aiohttp import web

from runtime.process import die_with_parent

_CONFIGURATION: Final = """\
reporting-disabled = true
bind-address = "127.0.0.1:{backup_port}"
[meta]
  dir = "{directory}/meta"
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {auth}
"""

_WAIT_S: Final = 60.0
_HOP_BY_HOP: Final = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "content-encoding"}


class InfluxServer:
    """A server in a directory of its own, which can be killed and started again on the same port.

    Args:
        directory: where it keeps everything.
        port: where it answers.
        backup_port: another it needs.
        auth: whether it asks who one is.
    """

    def __init__(self, directory: Path, port: int, backup_port: int, *, auth: bool = False) -> None:
        self.port = port
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._configuration = directory / "influxdb.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(directory=directory, port=port, backup_port=backup_port, auth=str(auth).lower())
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers, without the v2 write route."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.begin()
        end = time.monotonic() + _WAIT_S
        while not self.answers():
            assert self._process is not None
            assert self._process.poll() is None, (self._directory / "influxd.log").read_text()[-2000:]
            assert time.monotonic() < end, "influxd does not answer"
            time.sleep(0.02)  # between two questions, up to _WAIT_S

    def begin(self) -> None:
        """Start it and do not wait."""
        program = shutil.which("influxd")
        assert program is not None, "influxd is missing: run `make test`, or install the package influxdb"
        self._log = (self._directory / "influxd.log").open("ab")
        self._process = subprocess.Popen(
            [program, "-config", str(self._configuration)],
            stdout=self._log,
            stderr=self._log,
            preexec_fn=die_with_parent,  # noqa: PLW1509  (one call of the C library)
            env={**os.environ, "HOME": str(self._directory)},
        )

    def answers(self) -> bool:
        """Whether it answers now."""
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def query(self, question: str, user: str = "", password: str = "") -> bytes:
        """Ask it something in InfluxQL."""
        request = urllib.request.Request(
            f"{self.url}/query", data=urllib.parse.urlencode({"q": question, "epoch": "ns"}).encode()
        )
        if user:
            request.add_header("Authorization", f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=_WAIT_S) as response:
            answer: bytes = response.read()
            return answer

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(_WAIT_S)
        if self._log is not None:
            self._log.close()


class WriteRoute:
    """A proxy that rewrites ``/api/v2/write`` to what InfluxDB 1.6 knows, and passes on everything else.

    Args:
        server: address of the server.

    Attributes:
        refuses: whether connections are cut instead.
        writes: bodies that were passed on.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self.refuses = False
        self.writes = 0
        self.url = ""

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["WriteRoute"]:
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(application, access_log=None, auto_decompress=False, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        path, query, headers = request.path, dict(request.query), dict(request.headers)
        if path == "/api/v2/write":
            database, policy = query["bucket"].split("/")
            path, query = "/write", {"db": database, "rp": policy, "precision": query["precision"]}
            secret = headers.pop("Authorization", "").removeprefix("Token ")
            if secret:
                headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
            self.writes += 1
        body = await request.read()
        headers = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
        if request.headers.get("Content-Encoding"):
            headers["Content-Encoding"] = request.headers["Content-Encoding"]
        headers["Accept-Encoding"] = "identity"
        if self.refuses:
            return self._cut(request)
        try:
            async with self._session.request(
                request.method, f"{self._server}{path}", params=query, data=body, headers=headers
            ) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                response = web.StreamResponse(status=answer.status, headers=kept)
                await response.prepare(request)
                async for block in answer.content.iter_any():
                    await response.write(block)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, OSError):
            return self._cut(request)

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        """As if nobody listened: the connection ends without an answer."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=502)


async def started(server: InfluxServer) -> None:
    """Start it while the event loop goes on."""
    await asyncio.to_thread(server.start)
