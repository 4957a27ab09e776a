"""What a reading may be at most, whoever sends it."""

from typing import Final

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01 UTC: an earlier time is a clock that was never set."""

MOST_SERIES_OF_A_DEVICE: Final = 2000
"""A device of the catalogue has a few hundred signals; a sender that counts parts upwards is stopped here."""

LONGEST_TEXT: Final = 4096
"""Characters of an event's text."""
