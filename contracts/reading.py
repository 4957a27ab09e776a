"""A reading at the gateway."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """One observation at the gateway.

    Attributes:
        device_id: full id, ``BR0421/atm-01``.
        path: concrete signal path, ``cdm/unit1/count``.
        value: a number for gauges and counters, a word for states, a text for events.
        observed_at_ms: when device or gateway saw it, milliseconds since 1970 UTC by the gateway's clock.
        unit: SenML unit.
        update_s: longest time in seconds until the next reading of this series.
    """

    device_id: str
    path: str
    value: float | str
    observed_at_ms: int
    unit: str | None = None
    update_s: float | None = None
