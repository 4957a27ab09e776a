"""SIA blocks, the data of ``SIA-DCS`` messages: ``#1234|Nri1/BA015/BA016^West door^``.

A block is a letter (N new, O old, A text; some panels leave N out), then modifiers in small letters (``ri`` area, ``id`` user, ``ti`` time) and codes
of two capital letters with a number, joined by ``/`` or by nothing. A modifier is for all codes after it. Names stand between
``^``; a text begins with ``|A`` or ``*`` and ends the block.

Source: ANSI/SIA DC-03 and DC-09, and what panels send.
"""

import re
from dataclasses import dataclass

from contracts.errors import DeviceMisbehaved

_BLOCK = re.compile(r"(?:#[0-9A-Fa-f]{3,16})?\|([NO](?=/|[a-z]{2}|[A-Z]{2}))?(.*)", re.DOTALL)
_MERE_TEXT = re.compile(r"A(?![A-Z][0-9]{0,4}(?:[/^|*]|\Z))")  # and not AT001 without a letter before it
_TEXT = re.compile(r"(?:\|A|\*).*", re.DOTALL)
_NAME = re.compile(r"\^[^^]*\^?")
_MODIFIER = re.compile(r"([a-z]{2})([0-9A-Fa-f:-]*?)(?=[/^]|[a-z]{2}|[A-Z]{2}|\Z)")
_CODE = re.compile(r"([A-Z]{2})([0-9A-Za-z-]{0,8}?)(?=[/^|*]|\Z)")

MOST_CODES = 32
"""A block of 1 KiB could name hundreds; a panel joins a few."""


@dataclass(frozen=True, slots=True)
class SiaCode:
    """One code of a block.

    Attributes:
        code: two letters.
        number: zone, user or area, as the code has it; 0 where there is none, ``None`` where it is no decimal number.
        area: from ``ri``, 0 where there is none.
        user: from ``id``, ``None`` where there is none.
    """

    code: str
    number: int | None
    area: int
    user: int | None


def parse_block(data: str) -> tuple[SiaCode, ...]:
    """Read the codes of a block; none where it is a mere text.

    Raises:
        DeviceMisbehaved: it is no SIA block.
    """
    match = _BLOCK.fullmatch(data)
    if match is None:
        raise _unreadable(data)
    letter, rest = match.groups()
    if letter is None and _MERE_TEXT.match(rest):
        return ()
    rest = _NAME.sub("", rest)  # names first: they may hold anything
    rest = _TEXT.sub("", rest)
    codes: list[SiaCode] = []
    area, user, position = 0, None, 0
    while position < len(rest):
        if rest[position] == "/":
            position += 1
        elif (modifier := _MODIFIER.match(rest, position)) is not None:
            name, value = modifier.groups()
            area = (_decimal(value) or 0) if name == "ri" else area
            user = _decimal(value) if name == "id" else user
            position = modifier.end()
        elif (code := _CODE.match(rest, position)) is not None and len(codes) < MOST_CODES:
            codes.append(SiaCode(code.group(1), _decimal(code.group(2) or "0"), area, user))
            position = code.end()
        else:
            raise _unreadable(data)
    if not codes:
        raise _unreadable(data)
    return tuple(codes)


def _decimal(digits: str) -> int | None:
    return int(digits) if digits.isdecimal() and digits.isascii() else None


def _unreadable(data: str) -> DeviceMisbehaved:
    return DeviceMisbehaved(
        f"SIA block {data[:40]!r} cannot be read: expected #account|N, modifiers, and codes such as ri1/BA015; check the "
        "panel's reporting format"
    )
