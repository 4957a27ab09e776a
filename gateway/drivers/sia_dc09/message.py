"""What a message of a panel says, whatever its format."""

from dataclasses import dataclass
from typing import Final

from gateway.drivers.sia_dc09 import contact_id, sia_block, sia_codes
from gateway.drivers.sia_dc09.contact_id import ContactEvent
from gateway.drivers.sia_dc09.extended_data import shown
from gateway.drivers.sia_dc09.frame import Frame


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        text: the message as it was received, for the event ``panel/event``.
        events: what it stands for, in order.
        unknown: codes in it that nobody knows.
    """

    text: str
    events: tuple[ContactEvent, ...]
    unknown: tuple[str, ...]


FORMATS: Final = frozenset({"ADM-CID", "SIA-DCS"})
"""Kinds of message that carry events."""


def read_message(frame: Frame) -> Message:
    """Read a frame of one of the :data:`FORMATS`.

    Raises:
        DeviceMisbehaved: its data has not the shape of the format.
    """
    extra = f" {shown(frame.extra)}" if frame.extra else ""
    if frame.token == "ADM-CID":  # noqa: S105  (a message kind, no secret)
        event = contact_id.parse_event(frame.data)
        unknown = () if contact_id.is_known(event.code) else (event.code,)
        return Message(f"{frame.token} {event}{extra}", (event,), unknown)
    codes = sia_block.parse_block(frame.data)
    block = frame.data.partition("|")[2]
    return Message(
        f"{frame.token} {block}{extra}",
        tuple(event for code in codes for event in sia_codes.events_of(code)),
        tuple(code.code for code in codes if not sia_codes.is_known(code.code)),
    )
