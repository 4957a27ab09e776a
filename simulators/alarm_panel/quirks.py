"""What makers of panels do differently on the line."""

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["ADM-CID", "SIA-DCS"]
"""How a panel writes its events: Contact ID, or SIA's two letters."""

Transport = Literal["tcp", "udp"]

FRAMES_AT_ONCE = 4
"""Messages a panel with ``several_frames_at_once`` sends before it waits for the replies."""

NOISE = b"\x00\xff+++ATH0"
"""What a panel with ``noise_before_frames`` sends first, as modules do that are still half in their modem mode."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Peculiarities of one panel; none by default.

    Attributes:
        without_receiver_field: the optional R field is left out.
        without_timestamp: the optional timestamp is left out; encrypted messages have it all the same, they must.
        several_frames_at_once: up to four messages go out in one segment.
        frames_in_pieces: each frame goes out in three segments; over UDP a frame is always one datagram.
        noise_before_frames: bytes that belong to no frame come first.
        lower_case_hex: checksum, length and ciphertext are written in lower case.
        clock_off_s: seconds its clock is ahead, on top of the usual offset.
    """

    without_receiver_field: bool = False
    without_timestamp: bool = False
    several_frames_at_once: bool = False
    frames_in_pieces: bool = False
    noise_before_frames: bool = False
    lower_case_hex: bool = False
    clock_off_s: float = 0.0
