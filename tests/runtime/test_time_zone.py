"""Time zones in settings."""

from datetime import UTC, datetime, timedelta

import pytest

from runtime.time_zone import parse_time_zone

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("+08:00", timedelta(hours=8)),
        ("-03:30", -timedelta(hours=3, minutes=30)),
        ("Europe/Lisbon", timedelta(0)),
    ],
)
def test_time_zones_are_offsets_or_names(text: str, offset: timedelta) -> None:
    assert NOON.replace(tzinfo=parse_time_zone(text)).utcoffset() == offset


@pytest.mark.parametrize("text", ["", "8", "+8:00", "+25:00", "Mars/Base", "Atlantis/Centre", "../../etc/passwd"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected an offset such as \+08:00"):
        parse_time_zone(text)
