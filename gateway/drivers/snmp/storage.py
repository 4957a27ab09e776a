"""Memory and disks from the storage table. Pure.

Source: RFC 2790, hrStorageTable.
"""

from collections.abc import Collection, Iterator
from typing import Final

from gateway.driver import Observation
from gateway.drivers.snmp.numbering import Numbering
from gateway.drivers.snmp.values import Answers

_ENTRY: Final = "1.3.6.1.2.1.25.2.3.1"
_TYPE: Final = f"{_ENTRY}.2"
_DESCRIPTION: Final = f"{_ENTRY}.3"
_SIZE: Final = f"{_ENTRY}.5"
_USED: Final = f"{_ENTRY}.6"
COLUMNS: Final = (_TYPE, _DESCRIPTION, _SIZE, _USED)
ROWS_MOST: Final = 64
DISKS_MOST: Final = 32

_OTHER: Final = "1.3.6.1.2.1.25.2.1.1"
_RAM: Final = "1.3.6.1.2.1.25.2.1.2"
_FIXED_DISK: Final = "1.3.6.1.2.1.25.2.1.4"

_INT32: Final = 1 << 31

_NO_DISKS: Final = ("/dev", "/proc", "/run", "/sys")
"""Where Linux mounts what is no disk; its agent calls it one."""


def read_storage(answers: Answers, numbering: Numbering, wanted: Collection[str]) -> list[Observation]:
    """Shares in use.

    Args:
        answers: the table's columns.
        numbering: of the disks.
        wanted: disks to report, empty for all fixed ones.
    """
    seen = []
    memory = _memory_used(answers)
    if memory is not None:
        seen.append(Observation("host/memory_used", memory))
    for name, row in sorted(_disks(answers, wanted)):
        share = _share(answers, row)
        number = None if share is None else numbering.number(name)
        if share is not None and number is not None:
            seen.append(Observation(f"host/disk{number}/used", share))
    return seen


def disk_name(description: str) -> str:
    r"""What stays of a disk's description: Windows adds label and serial number, ``C:\ Label:System  Serial Number 1a2b``."""
    return description.partition(" Label:")[0].strip()


def _disks(answers: Answers, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    names = {disk_name(name).casefold() for name in wanted}
    for row in answers.rows(_TYPE):
        name = disk_name(answers.text(f"{_DESCRIPTION}.{row}"))
        is_pseudo = any(name == place or name.startswith(f"{place}/") for place in _NO_DISKS)
        is_wanted = name.casefold() in names if names else not is_pseudo
        if name and is_wanted and answers.oid(f"{_TYPE}.{row}") == _FIXED_DISK:
            yield name, row


def _memory_used(answers: Answers) -> float | None:
    """Share of the memory that is in use.

    Net-SNMP counts what the kernel can give back at once (buffers, cache) as used, and says in rows of their own how much
    that is, since version 5.8 as "Available memory".
    """
    ram = next((row for row in answers.rows(_TYPE) if answers.oid(f"{_TYPE}.{row}") == _RAM), None)
    if ram is None:
        return None
    size = _amount(answers, f"{_SIZE}.{ram}")
    used = _amount(answers, f"{_USED}.{ram}")
    if not size or used is None:
        return None
    extra = {
        answers.text(f"{_DESCRIPTION}.{row}"): row
        for row in answers.rows(_TYPE)
        if answers.oid(f"{_TYPE}.{row}") == _OTHER
    }
    if "Available memory" in extra:
        available = _amount(answers, f"{_SIZE}.{extra['Available memory']}")
        used = used if available is None else size - available
    else:
        used -= sum(
            _amount(answers, f"{_USED}.{extra[name]}") or 0
            for name in ("Memory buffers", "Cached memory")
            if name in extra
        )
    return round(used / size, 4) if 0 <= used <= size else None


def _share(answers: Answers, row: str) -> float | None:
    size, used = _amount(answers, f"{_SIZE}.{row}"), _amount(answers, f"{_USED}.{row}")
    if not size or used is None or used > size:  # an empty drive has size 0
        return None
    return round(used / size, 4)


def _amount(answers: Answers, oid: str) -> int | None:
    """Allocation units; large disks come as negative numbers from agents that count beyond 31 bits."""
    value = answers.number(oid, -_INT32, 2 * _INT32)
    return value + 2 * _INT32 if value is not None and value < 0 else value
