"""The gateway process. A branch has one gateway; for demonstrations several run in one process."""

from collections.abc import Callable, Sequence

from contracts.errors import ConfigurationError
from gateway.app import GatewayApp
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings
from runtime.clock import SystemClock
from runtime.metrics import new_registry
from runtime.supervisor import Supervisor


async def run_gateways(all_settings: Sequence[GatewaySettings], ready: Callable[[], None]) -> None:
    """Run gateways until the process is told to stop by a signal.

    Args:
        all_settings: settings of each gateway.
        ready: told once all run.

    Raises:
        ConfigurationError: two gateways have the same branch, or one cannot be set up as its settings say.
        BaseExceptionGroup: a gateway failed; the others were stopped in order.
    """
    branches = [settings.branch_id for settings in all_settings]
    for branch in branches:
        if branches.count(branch) > 1:
            raise ConfigurationError(f"branch_id = {branch!r} is in two settings files; a branch has one gateway")
    clock, metrics = SystemClock(), GatewayMetrics(new_registry())
    supervisor = Supervisor(stop_timeout_s=20)
    supervisor.stop_on_signals()
    for settings in all_settings:
        for service in GatewayApp(settings, clock, metrics).services():
            supervisor.add(service)
    await supervisor.run(ready)
