"""Extended data of DC-09: blocks ``[Mmac]``, ``[Htime]``, ``[Vaddress]`` … behind the data."""

import re
from typing import Final

from gateway.drivers.sia_dc09.frame import time_of

OLDEST_OCCURRENCE_MS: Final = 7 * 86_400_000
"""A panel keeps what it could not send for days, not for months; an older time is a clock that was never set."""

_BLOCK = re.compile(r"\[([A-Z])([^\[\]]*)\]")
_KEY: Final = "K"


def shown(extra: str) -> str:
    """Extended data as it may be kept and shown: a new encryption key (``K``) is taken out."""
    return _BLOCK.sub(lambda block: f"[{_KEY}]" if block.group(1) == _KEY else block.group(), extra)


def occurred_at_ms(extra: str, now_ms: int, skew_s: float | None) -> int | None:
    """When an event occurred, by the gateway's clock.

    Args:
        extra: extended data.
        now_ms: now, milliseconds since 1970 UTC.
        skew_s: how far the panel's clock is ahead, in seconds; ``None`` where not known.

    Returns:
        Milliseconds since 1970 UTC; ``None`` where the panel does not say, or says what cannot be: in the future, or older
        than :data:`OLDEST_OCCURRENCE_MS`.
    """
    time = next((block.group(2) for block in _BLOCK.finditer(extra) if block.group(1) == "H"), None)
    occurred_at = None if time is None else time_of(time.removeprefix("_"))
    if occurred_at is None:
        return None
    at_ms = round(occurred_at.timestamp() * 1000 - (skew_s or 0.0) * 1000)
    if at_ms > now_ms and at_ms - now_ms < 1000:
        return now_ms  # both clocks tell whole seconds here
    return at_ms if now_ms - OLDEST_OCCURRENCE_MS <= at_ms <= now_ms else None
