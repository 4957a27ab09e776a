"""Time zones in settings: an offset such as ``+08:00``, which every machine knows, or an IANA name."""

import re
from datetime import timedelta, timezone, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

_OFFSET = re.compile(r"([+-])([01]\d):([0-5]\d)")


def parse_time_zone(text: str) -> tzinfo:
    """Read an offset from UTC or an IANA name.

    Raises:
        ValueError: neither, or a name that this machine does not know.
    """
    offset = _OFFSET.fullmatch(text)
    if offset is not None:
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(size if offset[1] == "+" else -size)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("expected an offset such as +08:00, or an IANA zone that this machine knows") from error


def _checked(text: str) -> str:
    parse_time_zone(text)
    return text


TimeZoneName = Annotated[str, AfterValidator(_checked)]
"""Text of a setting that names a time zone."""
