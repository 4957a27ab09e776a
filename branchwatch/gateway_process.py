"""The gateway process. A branch has one gateway; for demonstrations several run in one process."""

import asyncio
import signal
from collections.abc import Callable, Sequence

from contracts.errors import BranchwatchError, ConfigurationError
from gateway.app import GatewayApp
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings
from runtime.clock import SystemClock
from runtime.logs import get_logger
from runtime.metrics import new_registry
from runtime.supervisor import Supervisor

_log = get_logger(__name__)


async def run_gateways(load: Callable[[], Sequence[GatewaySettings]], ready: Callable[[], None]) -> None:
    """Run gateways until the process is told to stop by a signal; SIGHUP lets them take over changed settings.

    Args:
        load: reads the settings of each gateway; called again at each SIGHUP. It may refuse with ``ConfigurationError``.
        ready: told once all run.

    Raises:
        ConfigurationError: two gateways have the same branch, or one cannot be set up as its settings say.
        BaseExceptionGroup: a gateway failed; the others were stopped in order.
    """
    all_settings = load()
    branches = [settings.branch_id for settings in all_settings]
    for branch in branches:
        if branches.count(branch) > 1:
            raise ConfigurationError(f"branch_id = {branch!r} is in two settings files; a branch has one gateway")
    clock, metrics = SystemClock(), GatewayMetrics(new_registry())
    supervisor = Supervisor(stop_timeout_s=20)
    supervisor.stop_on_signals()
    apps = [GatewayApp(settings, clock, metrics) for settings in all_settings]
    for app in apps:
        for service in app.services():
            supervisor.add(service)
    supervisor.add(_Reloading(apps, load))
    await supervisor.run(ready)


class _Reloading:
    """Takes over changed settings at each SIGHUP; settings that do not fit change nothing."""

    name = "reloading of settings"

    def __init__(self, apps: Sequence[GatewayApp], load: Callable[[], Sequence[GatewaySettings]]) -> None:
        self._apps = apps
        self._load = load
        self._asked = asyncio.Event()

    async def start(self) -> None:
        """Listen for the signal."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)

    async def run(self) -> None:
        """Reload as often as asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                all_settings = self._load()
            except ConfigurationError as error:
                _log.error("settings not reloaded; the gateways run on with the old ones", error=str(error))
                continue
            for app, settings in zip(self._apps, all_settings, strict=True):
                await _reload(app, settings)

    async def stop(self) -> None:
        """Leave the signal to its default."""
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)


async def _reload(app: GatewayApp, settings: GatewaySettings) -> None:
    try:
        await app.reload(settings)
    except BranchwatchError as error:
        _log.error("settings not taken over", branch_id=app.settings.branch_id, error=str(error))
    else:
        _log.info("settings reloaded", branch_id=settings.branch_id, devices=len(settings.devices))
