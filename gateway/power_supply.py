"""What the kernel tells about the power of the gateway's computer, where it has a battery.

Source: Linux Documentation/ABI/testing/sysfs-class-power.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.driver import Observation

_OWN: Final = frozenset({"Battery", "UPS"})
_LEVELS: Final = {"Critical": "depleted", "Low": "low", "Normal": "normal", "High": "normal", "Full": "normal"}
_BROKEN: Final = frozenset({"Dead", "Unspecified failure", "Over voltage", "No battery"})
_LOW_PCT: Final = 20
_DEPLETED_PCT: Final = 5
_SUPPLIES_MOST: Final = 16


def power_supply(sys: Path) -> list[Observation]:
    """Signals of the block ``ups`` for the computer's own battery; empty where it has none.

    Args:
        sys: where the kernel shows its devices.
    """
    batteries: list[Path] = []
    lines: list[Path] = []
    with contextlib.suppress(OSError):
        for supply in sorted((sys / "class/power_supply").iterdir())[:_SUPPLIES_MOST]:
            if _read(supply, "scope") == "Device":  # the battery of a mouse
                continue
            kind = _read(supply, "type")
            if kind in _OWN:
                batteries.append(supply)
            elif kind in {"Mains", "USB"} and _read(supply, "online"):
                lines.append(supply)
    return list(_told(batteries[0], lines)) if batteries else []


def _told(battery: Path, lines: list[Path]) -> Iterator[Observation]:
    status = _read(battery, "status")
    if lines:
        is_fed = any(_read(line, "online") != "0" for line in lines)
        yield Observation("ups/source", "normal" if is_fed else "battery")
    elif status:
        yield Observation("ups/source", {"Discharging": "battery", "Unknown": "unknown"}.get(status, "normal"))
    charge_pct = _number(battery, "capacity", 0, 100)
    if charge_pct is not None:
        yield Observation("ups/charge", charge_pct)
    yield Observation("ups/battery", _condition(battery, charge_pct))
    microvolts = _number(battery, "voltage_now", 0, 500_000_000)
    if microvolts is not None:
        yield Observation("ups/battery_voltage", microvolts / 1e6)
    tenths_cel = _number(battery, "temp", -200, 800)
    if tenths_cel is not None:
        yield Observation("ups/battery_temperature", tenths_cel / 10)
    runtime_s = _number(battery, "time_to_empty_now", 0, 10_000_000)
    if runtime_s is not None and status == "Discharging":
        yield Observation("ups/runtime", runtime_s)


def _condition(battery: Path, charge_pct: int | None) -> str:
    if _read(battery, "health") in _BROKEN or _read(battery, "present") == "0":
        return "failure"
    level = _LEVELS.get(_read(battery, "capacity_level"))
    if level is not None or charge_pct is None:
        return level or "unknown"
    return "depleted" if charge_pct <= _DEPLETED_PCT else "low" if charge_pct <= _LOW_PCT else "normal"


def _read(supply: Path, name: str) -> str:
    """A property, empty where the supply does not have it."""
    try:
        return (supply / name).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(supply: Path, name: str, least: int, most: int) -> int | None:
    """A property within bounds, ``None`` where there is none."""
    try:
        value = int(_read(supply, name))
    except ValueError:
        return None
    return value if least <= value <= most else None
