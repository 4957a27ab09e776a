"""The watched application among the computer's processes. Pure.

Source: RFC 2790, hrSWRunTable; its index is the process id.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.drivers.snmp.values import Answers

_ENTRY: Final = "1.3.6.1.2.1.25.4.2.1"
NAME: Final = f"{_ENTRY}.2"
PATH: Final = f"{_ENTRY}.4"
STATUS: Final = f"{_ENTRY}.7"
ROWS_MOST: Final = 2000
CANDIDATES_MOST: Final = 8

MISSING: Final = "missing"
_WORDS: Final = ("running", "runnable", "notRunnable", "invalid")

_SHORT_NAME: Final = 15
"""Characters that Linux keeps of a process's name."""


@dataclass(frozen=True, slots=True)
class Application:
    """What is known of the application.

    Attributes:
        row: its row as last seen, empty where it was never seen.
        restarts: changes of the row.
    """

    row: str = ""
    restarts: int = 0


def file_name(path: str) -> str:
    """Last part of a Windows or Unix path."""
    return re.split(r"[\\/]", path)[-1]


def has_name(wanted: str, name: str) -> bool:
    """Whether a process of that name may be the application."""
    short, mine = file_name(wanted).casefold(), file_name(name).casefold()
    return bool(mine) and (mine == short or (len(mine) == _SHORT_NAME and short.startswith(mine)))


def has_path(wanted: str, name: str, path: str) -> bool:
    """Whether a process with a name that fits is the application; Windows gives the folder alone as its path."""
    if file_name(wanted) == wanted:
        return True
    folded = wanted.casefold()
    return folded in {path.casefold(), f"{path}{name}".casefold(), f"{path}\\{name}".casefold()}


def candidates(answers: Answers, wanted: str) -> list[str]:
    """Rows whose name fits, lowest process id first, at most :data:`CANDIDATES_MOST`."""
    fitting = [row for row in answers.rows(NAME) if has_name(wanted, answers.text(f"{NAME}.{row}"))]
    return sorted(fitting, key=lambda row: [int(part) for part in row.split(".")])[:CANDIDATES_MOST]


def is_at(answers: Answers, wanted: str, row: str) -> bool:
    """Whether the application is in a row whose name, and path where one is wanted, were asked for."""
    name = answers.text(f"{NAME}.{row}")
    return has_name(wanted, name) and has_path(wanted, name, answers.text(f"{PATH}.{row}"))


def oids_of(row: str) -> tuple[str, ...]:
    """What to ask of a process."""
    return (f"{NAME}.{row}", f"{PATH}.{row}", f"{STATUS}.{row}")


def moved(before: Application, row: str) -> Application:
    """What is known after the application was found in a row."""
    if before.row == row:
        return before
    return Application(row, before.restarts + bool(before.row))


def state_at(answers: Answers, row: str) -> str | None:
    """State of a process, ``None`` where the agent does not say."""
    status = answers.number(f"{STATUS}.{row}", 1, len(_WORDS))
    return None if status is None else _WORDS[status - 1]
