"""The gateway process. A branch has one gateway; for demonstrations several run in one process."""

import asyncio
import signal
from collections.abc import Sequence

from contracts.errors import ConfigurationError
from gateway.app import GatewayApp
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings
from runtime.clock import SystemClock
from runtime.metrics import new_registry


async def run_gateways(all_settings: Sequence[GatewaySettings]) -> None:
    """Run gateways until the process is told to stop by a signal.

    Args:
        all_settings: settings of each gateway.

    Raises:
        ConfigurationError: two gateways have the same branch, or one cannot be set up as its settings say.
        BaseExceptionGroup: a gateway failed; the others were stopped in order.
    """
    branches = [settings.branch_id for settings in all_settings]
    for branch in branches:
        if branches.count(branch) > 1:
            raise ConfigurationError(f"branch_id = {branch!r} is in two settings files; a branch has one gateway")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    clock, metrics = SystemClock(), GatewayMetrics(new_registry())
    async with asyncio.TaskGroup() as group:
        for settings in all_settings:
            app = GatewayApp(settings, clock, metrics)
            group.create_task(app.run(stop), name=f"gateway {settings.branch_id}")
