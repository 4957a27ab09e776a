"""The uninterruptible power supply. Pure.

Source: RFC 1628, UPS-MIB.
"""

from collections.abc import Mapping
from typing import Final

from gateway.driver import Observation
from gateway.drivers.snmp.values import Answers

_MIB: Final = "1.3.6.1.2.1.33.1"
_MAKER: Final = f"{_MIB}.1.1.0"
_MODEL: Final = f"{_MIB}.1.2.0"
_FIRMWARE: Final = f"{_MIB}.1.3.0"
_BATTERY_STATUS: Final = f"{_MIB}.2.1.0"
_LINE_BADS: Final = f"{_MIB}.3.1.0"
_SOURCE: Final = f"{_MIB}.4.1.0"
ALARMS_PRESENT: Final = f"{_MIB}.6.1.0"
ALARM: Final = f"{_MIB}.6.2.1.2"
_WELL_KNOWN: Final = f"{_MIB}.6.3"
ALARMS_MOST: Final = 64
LINES_MOST: Final = 12

_INPUT_FREQUENCY: Final = f"{_MIB}.3.3.1.2"
_INPUT_VOLTAGE: Final = f"{_MIB}.3.3.1.3"
_OUTPUT_LOAD: Final = f"{_MIB}.4.4.1.5"
LINE_COLUMNS: Final = (_INPUT_FREQUENCY, _INPUT_VOLTAGE, _OUTPUT_LOAD)
"""Tables with a row a line; which rows there are is looked up with the tables."""

IDENTITY: Final = {"maker": _MAKER, "model": _MODEL, "firmware": _FIRMWARE}

_SOURCE_WORDS: Final = ("other", "none", "normal", "bypass", "battery", "booster", "reducer")
_BATTERY_WORDS: Final = ("unknown", "normal", "low", "depleted")

_GAUGES: Final = (
    # signal, OID, factor, least and most in the signal's unit
    ("ups/seconds_on_battery", f"{_MIB}.2.2.0", 1.0, 0, 1e8),
    ("ups/runtime", f"{_MIB}.2.3.0", 60.0, 0, 1e8),
    ("ups/charge", f"{_MIB}.2.4.0", 1.0, 0, 100),
    ("ups/battery_voltage", f"{_MIB}.2.5.0", 0.1, 0, 500),
    ("ups/battery_temperature", f"{_MIB}.2.7.0", 1.0, -20, 80),
)
_LINES: Final = (
    # signal, column, factor, most in the signal's unit, which line speaks for all
    ("ups/input_frequency", _INPUT_FREQUENCY, 0.1, 100, min),
    ("ups/input_voltage", _INPUT_VOLTAGE, 1.0, 300, min),
    ("ups/load", _OUTPUT_LOAD, 0.01, 2, max),
)
_ALARMS: Final[Mapping[str, int]] = {
    "ups/battery_bad": 1,
    "ups/overload": 8,
    "ups/charger_failed": 13,
    "ups/fan_failure": 16,
}
"""Signal → number of the well-known alarm."""

STATUS_OIDS: Final = (
    _BATTERY_STATUS,
    _SOURCE,
    _LINE_BADS,
    ALARMS_PRESENT,
    *(oid for _, oid, *_ in _GAUGES),
)

_INT32: Final = 1 << 31
_COUNTER32: Final = (1 << 32) - 1


def read_status(answers: Answers) -> list[Observation]:
    """States and figures that are one for the whole supply."""
    seen = []
    source = answers.number(_SOURCE, 1, len(_SOURCE_WORDS))
    if source is not None:
        seen.append(Observation("ups/source", _SOURCE_WORDS[source - 1]))
    battery = answers.number(_BATTERY_STATUS, 1, len(_BATTERY_WORDS))
    if battery is not None:
        seen.append(Observation("ups/battery", _BATTERY_WORDS[battery - 1]))
    bads = answers.number(_LINE_BADS, 0, _COUNTER32)
    if bads is not None:
        seen.append(Observation("ups/line_bads", bads))
    for path, oid, factor, least, most in _GAUGES:
        value = _scaled(answers, oid, factor, least, most)
        if value is not None:
            seen.append(Observation(path, value))
    return seen


def line_oids(answers: Answers) -> tuple[str, ...]:
    """What to ask at each look of the lines that the tables list."""
    return tuple(f"{column}.{row}" for column in LINE_COLUMNS for row in answers.rows(column))


def read_lines(answers: Answers) -> list[Observation]:
    """Input and load: of three phases the lowest voltage and the highest load."""
    seen = []
    for path, column, factor, most, choose in _LINES:
        values = [_scaled(answers, f"{column}.{row}", factor, 0, most) for row in answers.rows(column)]
        known = [value for value in values if value is not None]
        if known:
            seen.append(Observation(path, choose(known)))
    return seen


def read_alarms(answers: Answers) -> list[Observation]:
    """States from the table of alarms; absent where the supply has neither the table nor a count of alarms.

    Some supplies count alarms and list none: then nobody knows which they are.
    """
    count = answers.number(ALARMS_PRESENT, 0, _COUNTER32)
    rows = list(answers.rows(ALARM))
    if count is None and not rows:
        return []
    listed = {answers.oid(f"{ALARM}.{row}").removesuffix(".0") for row in rows}
    is_hidden = bool(count) and not rows
    return [
        Observation(path, "unknown" if is_hidden else "true" if f"{_WELL_KNOWN}.{number}" in listed else "false")
        for path, number in _ALARMS.items()
    ]


def _scaled(answers: Answers, oid: str, factor: float, least: float, most: float) -> float | None:
    """A figure in its signal's unit; −1 is what many supplies say for "not known"."""
    if answers.values.get(oid) == -1 and least >= 0:
        return None
    value = answers.number(oid, round(least / factor), round(most / factor))
    return None if value is None else round(value * factor, 3)
