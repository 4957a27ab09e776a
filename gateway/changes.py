"""Which settings a running gateway can take over, and which need a restart."""

from typing import Final

from contracts.errors import ConfigurationError
from gateway.settings import GatewaySettings

LIVE: Final = frozenset({"devices", "reporting", "uplink", "broker", "outbox", "retry", "health_s"})
"""Settings that take effect without a restart."""


def check_reloadable(old: GatewaySettings, new: GatewaySettings) -> None:
    """Check that two settings differ only in what can change while a gateway runs.

    Raises:
        ConfigurationError: something else differs; the message names it.
    """
    fixed = [key for key in GatewaySettings.model_fields if key not in LIVE and getattr(old, key) != getattr(new, key)]
    if fixed:
        raise ConfigurationError(
            f"{', '.join(fixed)} changed, which takes effect only at a restart; nothing was changed;"
            f" without a restart these can change: {', '.join(sorted(LIVE))}"
        )
