"""Standby battery of a panel: a lead-acid battery of 12 V and 7 Ah."""

from dataclasses import dataclass

LASTS_S = 8 * 3600.0
"""Seconds from full to empty without mains. Source: assumed for 12 V, 7 Ah."""

CHARGES_IN_S = 24 * 3600.0
"""Seconds from empty to full. Source: assumed."""

LOW_V = 11.5
"""The panel reports a low battery at this voltage and below. Source: assumed, usual for 12 V panels."""

GOOD_V = 12.2
"""The panel reports the battery restored from this voltage on; above ``LOW_V`` so that it does not flutter."""

_EMPTY_V, _FULL_V, _WORN_OUT_V = 10.5, 13.2, 11.3
_LOW, _GOOD = ((voltage_v - _EMPTY_V) / (_FULL_V - _EMPTY_V) for voltage_v in (LOW_V, GOOD_V))
_PAST_S = 0.001


@dataclass(slots=True)
class Battery:
    """Charge from 0 to 1, whether its plates are worn out (it then never gets above 11.3 V), and whether it is there."""

    charge: float = 1.0
    worn_out: bool = False
    missing: bool = False

    @property
    def voltage_v(self) -> float:
        """Terminal voltage, V."""
        voltage = _EMPTY_V + (_FULL_V - _EMPTY_V) * self.charge
        return min(voltage, _WORN_OUT_V) if self.worn_out else voltage

    @property
    def empty(self) -> bool:
        """Nothing left to run the panel on."""
        return self.missing or self.charge <= 0

    def next_change_s(self, charging: bool) -> float | None:
        """Seconds until it gets low, empty or good again, a little more so that it is then past it; ``None`` for never."""
        if self.missing:
            return None
        if charging:
            return (_GOOD - self.charge) * CHARGES_IN_S + _PAST_S if self.charge < _GOOD else None
        level = _LOW if self.charge > _LOW else 0.0
        return (self.charge - level) * LASTS_S + _PAST_S if self.charge > 0 else None

    def discharge(self, seconds: float) -> None:
        """Run the panel for so long."""
        self.charge = max(0.0, self.charge - seconds / LASTS_S)

    def recharge(self, seconds: float) -> None:
        """Hang on the charger for so long."""
        self.charge = min(1.0, self.charge + seconds / CHARGES_IN_S)
