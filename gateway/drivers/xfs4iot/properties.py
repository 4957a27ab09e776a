"""Tolerant reading of payload properties: what is absent, what is a word, what is a number.

Readers never raise: a property of the wrong type is told to ``complaints`` and read as absent, so that the rest of the
message still counts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.drivers.xfs4iot.vocabulary import fold, listed

ABSENT_WORDS: Final = frozenset({"notsupported", "notavailable", "doornotsupported", ""})
"""Words by which message major 1 says what later majors say with null."""

_WORD_MOST_CHARS: Final = 64
_NUMBER_MOST: Final = float(2**53)  # beyond it a float no longer holds every count

Complaints = list[str]
"""What was wrong with the properties of one message, for inspection."""


def word(owner: Mapping[str, Any], key: str, complaints: Complaints) -> str | None:
    """A word of a state in the catalogue's spelling; words that nobody listed pass as they are."""
    value = owner.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _WORD_MOST_CHARS:
        complaints.append(f"{key}: expected a word, got {_shown(value)}")
        return None
    return None if fold(value) in ABSENT_WORDS else listed(value)


def number(owner: Mapping[str, Any], key: str, complaints: Complaints) -> float | None:
    """A number from 0."""
    value = owner.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _NUMBER_MOST:
        complaints.append(f"{key}: expected a number from 0, got {_shown(value)}")
        return None
    return float(value)


def count(owner: Mapping[str, Any], key: str, complaints: Complaints) -> int | None:
    """A whole number from 0."""
    value = number(owner, key, complaints)
    if value is not None and not value.is_integer():
        complaints.append(f"{key}: expected a whole number, got {value}")
        return None
    return None if value is None else int(value)


def text(owner: Mapping[str, Any], key: str, most_chars: int = 128) -> str:
    """A text for people, cut to a length; empty where there is none."""
    value = owner.get(key)
    return value.strip()[:most_chars] if isinstance(value, str) else ""


def section(owner: Mapping[str, Any], key: str, complaints: Complaints) -> Mapping[str, Any]:
    """An object inside; empty where absent."""
    value = owner.get(key)
    if isinstance(value, Mapping):
        return value
    if value is not None and not (isinstance(value, str) and fold(value) in ABSENT_WORDS):
        complaints.append(f"{key}: expected an object, got {_shown(value)}")
    return {}


def sections(owner: Mapping[str, Any], key: str, complaints: Complaints) -> Sequence[Mapping[str, Any]]:
    """A list of objects inside; empty where absent."""
    value = owner.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        complaints.append(f"{key}: expected a list of objects, got {_shown(value)}")
        return ()
    return value


def by_name(owner: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object whose names are interfaces, types or places, with all of them folded; releases write them differently."""
    return {fold(key): value for key, value in owner.items()}


def _shown(value: object) -> str:
    return repr(value)[:60]
