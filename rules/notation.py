"""The compact notation of series in rule cases: ``10x5 _x3 12+1x4``, ``okx3 jammedx2``.

Items stand between spaces, one sample after the other: ``value`` or ``valuexcount`` for the same value again and again,
``_`` or ``_xcount`` for no reading, ``value+stepxcount`` and ``value-stepxcount`` for count values with a step between them
(``12+1x4`` is 12, 13, 14, 15). State words stand for themselves. Quote a series in YAML, which reads ``0x2`` as a number.
"""

import re
from typing import Final, TypeAlias

_ITEM: Final = re.compile(
    r"(?:(?P<gap>_)|(?P<word>[A-Za-z]+?)|(?P<number>-?\d+(?:\.\d+)?)(?P<step>[+-]\d+(?:\.\d+)?)?)(?:x(?P<count>[1-9]\d*))?"
)

Sample: TypeAlias = float | str | None
"""A number, a state word, or ``None`` for no reading."""


def parse_series(text: str) -> list[Sample]:
    """Samples of a series.

    Raises:
        ValueError: an item is not of the notation; the message names it.
    """
    samples: list[Sample] = []
    for item in text.split():
        found = _ITEM.fullmatch(item)
        if found is None:
            raise ValueError(f"{item!r}: expected value, valuexcount, value+stepxcount, word, wordxcount, _ or _xcount")
        count = int(found["count"] or 1)
        if found["gap"]:
            samples += [None] * count
        elif found["word"]:
            samples += [found["word"]] * count
        else:
            step = float(found["step"] or 0)
            samples += [float(found["number"]) + index * step for index in range(count)]
    return samples
