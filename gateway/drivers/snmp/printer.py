"""The A4 printer: its states, levels and pages. Pure.

Source: RFC 2790, hrDeviceTable and hrPrinterTable; RFC 3805, Printer-MIB.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.driver import Observation
from gateway.drivers.snmp.values import Answers

DEVICE_TYPE: Final = "1.3.6.1.2.1.25.3.2.1.2"
PRINTER: Final = "1.3.6.1.2.1.25.3.1.5"
"""hrDevicePrinter, among the values of :data:`DEVICE_TYPE`."""
PRINTER_STATUS: Final = "1.3.6.1.2.1.25.3.5.1.1"
_DEVICE_STATUS: Final = "1.3.6.1.2.1.25.3.2.1.5"
_ERROR_STATE: Final = "1.3.6.1.2.1.25.3.5.1.2"
ROWS_MOST: Final = 64

_MIB: Final = "1.3.6.1.2.1.43"
SERIAL: Final = f"{_MIB}.5.1.1.17"
_INPUT_TYPE: Final = f"{_MIB}.8.2.1.2"
_INPUT_MOST: Final = f"{_MIB}.8.2.1.9"
_INPUT_LEVEL: Final = f"{_MIB}.8.2.1.10"
_PAGES: Final = f"{_MIB}.10.2.1.4"
_SUPPLY_CLASS: Final = f"{_MIB}.11.1.1.4"
_SUPPLY_TYPE: Final = f"{_MIB}.11.1.1.5"
_SUPPLY_UNIT: Final = f"{_MIB}.11.1.1.7"
_SUPPLY_MOST: Final = f"{_MIB}.11.1.1.8"
_SUPPLY_LEVEL: Final = f"{_MIB}.11.1.1.9"

LEVEL_COLUMNS: Final = (
    _INPUT_TYPE,
    _INPUT_MOST,
    _INPUT_LEVEL,
    _PAGES,
    _SUPPLY_CLASS,
    _SUPPLY_TYPE,
    _SUPPLY_UNIT,
    _SUPPLY_MOST,
    _SUPPLY_LEVEL,
)
"""Tables indexed by the printer's ``hrDeviceIndex`` and a number of their own."""

_DEVICE_WORDS: Final = ("unknown", "running", "warning", "testing", "down")
_STATUS_WORDS: Final = ("other", "unknown", "idle", "printing", "warmup")

_BITS: Final[Mapping[str, tuple[tuple[int, str], ...]]] = {
    "prs/paper": ((0, "lowPaper"), (1, "noPaper"), (8, "inputTrayMissing"), (13, "inputTrayEmpty")),
    "prs/toner": ((2, "lowToner"), (3, "noToner"), (10, "markerSupplyMissing")),
    "prs/path": ((11, "outputNearFull"), (9, "outputTrayMissing"), (4, "doorOpen"), (12, "outputFull"), (5, "jammed")),
    "prs/service": ((14, "overduePreventMaint"), (7, "serviceRequested"), (6, "offline")),
}
"""Bits of hrPrinterDetectedErrorState by signal; the last that is set wins. Source: RFC 2790 section 5."""
_BITS_MOST_OCTETS: Final = 8

_MANUAL: Final = 5
"""sheetFeedManual: a slot without a stock. Source: RFC 3805, PrtInputTypeTC."""
_CONSUMED: Final = 3
"""supplyThatIsConsumed, not a box that fills. Source: RFC 3805, PrtMarkerSuppliesClassTC."""
_TONERS: Final = frozenset({3, 5, 6, 21})
"""toner, ink, inkCartridge, tonerCartridge. Source: RFC 3805, PrtMarkerSuppliesTypeTC."""
_PERCENT: Final = 19
_INT32: Final = 1 << 31
_COUNTER32: Final = (1 << 32) - 1
_OVERFULL: Final = 1.25
"""A tray stacked above its mark is full; anything beyond is no level."""


def find_printer(answers: Answers) -> str:
    """Lowest index of a printer in the first of the tables that lists one, empty where there is none."""
    listed = [row for row in answers.rows(DEVICE_TYPE) if answers.oid(f"{DEVICE_TYPE}.{row}") == PRINTER]
    rows = listed or list(answers.rows(PRINTER_STATUS)) or [row.partition(".")[0] for row in answers.rows(SERIAL)]
    return min((row for row in rows if row.isdecimal()), key=int, default="")


def status_oids(index: str) -> tuple[str, ...]:
    """What to ask at each look."""
    return tuple(f"{column}.{index}" for column in (_DEVICE_STATUS, PRINTER_STATUS, _ERROR_STATE))


def read_status(answers: Answers, index: str) -> list[Observation]:
    """States of the printer."""
    seen = []
    device = answers.number(f"{_DEVICE_STATUS}.{index}", 1, len(_DEVICE_WORDS))
    if device is not None:
        seen.append(Observation("prs/device", _DEVICE_WORDS[device - 1]))
    status = answers.number(f"{PRINTER_STATUS}.{index}", 1, len(_STATUS_WORDS))
    if status is not None:
        seen.append(Observation("prs/status", _STATUS_WORDS[status - 1]))
    errors = answers.octets(f"{_ERROR_STATE}.{index}", 0, _BITS_MOST_OCTETS)
    if errors is not None:
        seen.extend(Observation(path, word_of(errors, bits)) for path, bits in _BITS.items())
    return seen


def word_of(errors: bytes, bits: Iterable[tuple[int, str]]) -> str:
    """Last word whose bit is set. Bits of octets that are not there are not set: printers leave out what is zero."""
    word = "ok"
    for bit, name in bits:
        octet, place = divmod(bit, 8)
        if octet < len(errors) and errors[octet] & (0x80 >> place):
            word = name
    return word


def read_levels(answers: Answers, index: str) -> list[Observation]:
    """Toner, paper and pages; the emptiest toner and the emptiest tray speak for all."""
    seen = []
    toners = [_level(answers, _SUPPLY_MOST, _SUPPLY_LEVEL, row) for row in _toners(answers, index)]
    trays = [_level(answers, _INPUT_MOST, _INPUT_LEVEL, row) for row in _trays(answers, index)]
    for path, levels in (("prs/toner_level", toners), ("prs/paper_level", trays)):
        known = [level for level in levels if level is not None]
        if known:
            seen.append(Observation(path, min(known)))
    marker = next(iter(_rows(answers, _PAGES, index)), None)
    pages = None if marker is None else answers.number(f"{_PAGES}.{marker}", 0, _COUNTER32)
    if pages is not None:
        seen.append(Observation("prs/pages", pages))
    return seen


def _rows(answers: Answers, column: str, index: str) -> list[str]:
    """Rows of one printer, lowest first."""
    mine = [row for row in answers.rows(column) if row.startswith(f"{index}.") and row.count(".") == 1]
    return sorted(mine, key=lambda row: int(row.partition(".")[2]))


def _toners(answers: Answers, index: str) -> list[str]:
    return [
        row
        for row in _rows(answers, _SUPPLY_LEVEL, index)
        if answers.number(f"{_SUPPLY_CLASS}.{row}", 0, _INT32) in {None, _CONSUMED}
        and answers.number(f"{_SUPPLY_TYPE}.{row}", 0, _INT32) in _TONERS
    ]


def _trays(answers: Answers, index: str) -> list[str]:
    return [
        row
        for row in _rows(answers, _INPUT_LEVEL, index)
        if answers.number(f"{_INPUT_TYPE}.{row}", 0, _INT32) != _MANUAL
    ]


def _level(answers: Answers, most_column: str, level_column: str, row: str) -> float | None:
    """Share that is left; negative numbers mean "some" or "unknown", and then there is no share."""
    level = answers.number(f"{level_column}.{row}", -_INT32, _INT32)
    most = answers.number(f"{most_column}.{row}", -_INT32, _INT32)
    is_percent = most_column == _SUPPLY_MOST and answers.number(f"{_SUPPLY_UNIT}.{row}", 0, _INT32) == _PERCENT
    if (most is None or most <= 0) and is_percent:
        most = 100
    if level is None or level < 0 or most is None or most <= 0 or level > most * _OVERFULL:
        return None
    return round(min(1.0, level / most), 4)
