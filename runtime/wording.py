"""What is wrong with a value of a settings file, in plain words."""

from collections.abc import Mapping
from typing import Any, Final

_WHOLE: Final = "expected a whole number"
_NUMBER: Final = "expected a number"
_TRUTH: Final = "expected true or false"
_LIST: Final = "expected a list"
_KEYS: Final = "expected keys with values"

_WORDS: Final[Mapping[str, str]] = {
    "missing": "missing; it has to be given",
    "extra_forbidden": "unknown key; remove it or correct its spelling",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "string_type": "expected text; a number or a word such as yes needs quotes to be one",
    "path_type": "expected the path of a file or directory",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "literal_error": "expected {expected}",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected {ge} or more",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected {le} or less",
    "string_too_short": "too short; expected at least {min_length} characters",
    "string_too_long": "too long; expected at most {max_length} characters",
    "too_short": "too short; expected at least {min_length}",
    "too_long": "too long; expected at most {max_length}",
    "string_pattern_mismatch": "expected text that fits the pattern {pattern}",
}
"""By pydantic's type of error. What is not here keeps pydantic's own words, and ours where a validator raised them."""


def wording(problem: Mapping[str, Any]) -> str:
    """Write one problem, as ``ValidationError.errors()`` gives it, without its value."""
    words = _WORDS.get(problem["type"])
    if words is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    return words.format(**{name: _plain(value) for name, value in problem.get("ctx", {}).items()})


def _plain(value: Any) -> str:
    """A bound as people write it: 5, not 5.0."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)
