"""The uninterruptible power supply of a machine: mains, battery, load."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

NEW_RUNTIME_MIN: Final = 40.0
"""Runtime of a new battery at the usual load, minutes. Source: battery makers' tables; load 0.35 of 2 kVA."""

USUAL_LOAD: Final = 0.35
RATED_W: Final = 1800.0
LOW_CHARGE: Final = 0.20
DEPLETED_CHARGE: Final = 0.06
_RECHARGE_MIN: Final = 240.0
_FULL_V: Final = 27.3
_EMPTY_V: Final = 21.0
_BAD_BATTERY_SHARE: Final = 0.15
_MAINS_V: Final = 226.0
_MAINS_HZ: Final = 50.0
_ROOM_CEL: Final = 24.0


@dataclass(slots=True)
class PowerSupply:
    """A battery that a machine runs on while the mains are gone; times are the world's.

    Attributes:
        mains: the mains are there.
        charge: of the battery, 0 to 1.
        load: share of its rated power.
        battery_bad: the battery holds little charge and its test failed.
        charger_failed: the charger does not charge.
        fan_failed: its fan stands still.
        line_bads: times the mains went out of tolerance.
        on_battery_since_at: local time the mains went; ``None`` with mains.
        recovered: the mains came back after a failure and nothing has happened since.
        temperature_cel: of the battery.
    """

    mains: bool = True
    charge: float = 1.0
    load: float = USUAL_LOAD
    battery_bad: bool = False
    charger_failed: bool = False
    fan_failed: bool = False
    line_bads: int = 0
    on_battery_since_at: datetime | None = None
    recovered: bool = False
    temperature_cel: float = _ROOM_CEL
    _seen_at: datetime | None = None

    @property
    def runtime_min(self) -> float:
        """Minutes a full battery would last at this load."""
        health = _BAD_BATTERY_SHARE if self.battery_bad else 1.0
        return NEW_RUNTIME_MIN * health * USUAL_LOAD / max(self.load, 0.05)

    @property
    def left_min(self) -> float:
        """Minutes until the battery is empty."""
        return self.charge * self.runtime_min

    @property
    def low(self) -> bool:
        """The battery will not last much longer."""
        return self.charge < LOW_CHARGE

    @property
    def depleted(self) -> bool:
        """The battery is at its end."""
        return self.charge < DEPLETED_CHARGE

    @property
    def dead(self) -> bool:
        """Nothing comes out any more."""
        return not self.mains and self.charge <= 0

    @property
    def battery_v(self) -> float:
        """Battery voltage."""
        return _EMPTY_V + (_FULL_V - _EMPTY_V) * self.charge

    @property
    def input_v(self) -> float:
        """Mains voltage."""
        return _MAINS_V if self.mains else 0.0

    @property
    def input_hz(self) -> float:
        """Mains frequency."""
        return _MAINS_HZ if self.mains else 0.0

    @property
    def output_v(self) -> float:
        """Voltage the machine gets."""
        return 0.0 if self.dead else 230.0

    @property
    def output_w(self) -> float:
        """Power the machine takes."""
        return 0.0 if self.dead else self.load * RATED_W

    def seconds_on_battery(self, now_at: datetime) -> float:
        """Seconds of the world since the mains went."""
        return 0.0 if self.on_battery_since_at is None else (now_at - self.on_battery_since_at).total_seconds()

    def lose_mains(self, now_at: datetime) -> None:
        """The mains fail."""
        self.advance(now_at)
        if self.mains:
            self.mains = False
            self.recovered = False
            self.line_bads += 1
            self.on_battery_since_at = now_at

    def regain_mains(self, now_at: datetime) -> None:
        """The mains are back."""
        self.advance(now_at)
        if not self.mains:
            self.mains = True
            self.recovered = True
            self.on_battery_since_at = None

    def swap_battery(self) -> None:
        """Fit a new, charged battery."""
        self.battery_bad = self.charger_failed = self.fan_failed = False
        self.charge = 1.0
        self.temperature_cel = _ROOM_CEL

    def advance(self, now_at: datetime) -> None:
        """Let time pass: charge or discharge."""
        minutes = 0.0 if self._seen_at is None else max(0.0, (now_at - self._seen_at).total_seconds() / 60)
        self._seen_at = now_at
        if not self.mains:
            self.charge = max(0.0, self.charge - minutes / self.runtime_min)
        elif not self.charger_failed:
            self.charge = min(1.0, self.charge + minutes / _RECHARGE_MIN)
            self.recovered = self.recovered and self.charge < 1.0
