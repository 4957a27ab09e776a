"""The time an agent gives. Pure.

Source: RFC 2579, textual convention DateAndTime: year in two octets, month, day, hour, minute, second, tenth of a second,
and in the long form the direction from UTC as ``+`` or ``-`` with hours and minutes.
"""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

SHORT: Final = 8
LONG: Final = 11


def read_date_and_time(octets: bytes, zone: tzinfo) -> datetime:
    """Read 8 or 11 octets.

    Args:
        octets: as the agent gave them.
        zone: local time of the agent, for the short form.

    Raises:
        ValueError: no such time, as the zeros some agents give before their clock is set.
    """
    if len(octets) not in {SHORT, LONG}:
        raise ValueError(f"expected {SHORT} or {LONG} octets, got {len(octets)}")
    month, day, hour, minute, second, tenth = octets[2:8]
    # 60 is a leap second, 10 tenths are what some agents make of 9.96
    local = datetime(int.from_bytes(octets[:2], "big"), month, day, hour, minute, min(second, 59))  # noqa: DTZ001
    local += timedelta(seconds=second - min(second, 59), milliseconds=100 * min(tenth, 10))
    if second > 60:
        raise ValueError(f"expected at most 60 seconds, got {second}")
    return local.replace(tzinfo=zone if len(octets) == SHORT else _zone(octets[8:]))


def skew_s(octets: bytes, zone: tzinfo, now_ms: int, round_trip_s: float) -> float:
    """Agent's clock minus ours in seconds; the agent's is asked for half a round trip ago.

    Raises:
        ValueError: no such time.
    """
    given = read_date_and_time(octets, zone)
    now = datetime.fromtimestamp(now_ms / 1000 - round_trip_s / 2, UTC)
    # In the hour that a change of the clocks repeats, the nearer of the two readings is meant.
    skews_s = sorted(((given.replace(fold=fold) - now).total_seconds() for fold in (0, 1)), key=abs)
    return round(skews_s[0], 3)


def _zone(octets: bytes) -> tzinfo:
    sign, hours, minutes = octets
    if sign not in b"+-" or hours > 14 or minutes > 59:
        raise ValueError(f"no offset from UTC: {octets.hex()}")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(offset if sign == ord("+") else -offset)
