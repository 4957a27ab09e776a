"""Serves a gateway process's Prometheus metrics over HTTP."""

import asyncio

from aiohttp import web
from prometheus_client import CollectorRegistry

from contracts.errors import ConfigurationError
from gateway.settings import MetricsSettings
from runtime.metrics import CONTENT_TYPE, render


class MetricsServer:
    """A :class:`~runtime.supervisor.Service` that answers ``GET /metrics``."""

    name = "gateway metrics"

    def __init__(self, settings: MetricsSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port is taken or the address is not this computer's.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        host, port = self._settings.host, self._settings.port
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self.stop()
            raise ConfigurationError(
                f"metrics: cannot listen on {host}:{port}: {error.strerror}; choose another port"
            ) from error

    async def run(self) -> None:
        """Wait until cancelled; requests are served by the event loop."""
        await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        """Stop listening."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.Response(body=render(self._registry), headers={"Content-Type": CONTENT_TYPE})
