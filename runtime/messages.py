"""A message from the broker."""

from typing import NamedTuple


class Message(NamedTuple):
    """A message as received; acknowledge it when its effect is durable.

    A named tuple, because thousands are made a second and a frozen dataclass takes three times as long to make.

    Attributes:
        topic: where it was published.
        payload: its bytes.
        retained: whether the broker had kept it.
        mid: packet id.
        qos: 0 to 2.
        connection: which connection it came on; a packet id means nothing on another one.
    """

    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int
    connection: int
