"""Lets only answers to open questions reach the SNMP engine. Pure.

The engine would take an answer from anywhere as long as the number fits, and forget the question on the first datagram
with its number, whether or not that can be decoded. So the address is checked first, each question lets one datagram
through, and what a stranger sends costs nothing.
"""

from collections import OrderedDict
from typing import Final

from contracts.errors import DeviceMisbehaved
from gateway.drivers.snmp.message import message_number

Address = tuple[str, int]

_MESSAGES_MOST: Final = 256
"""Messages remembered, answered or not; a driver has at most a few open at a time."""


class Gate:
    """Remembers the messages that were sent, the newest :data:`_MESSAGES_MOST` of them.

    A question may need several messages: in version 3 a report is answered with the question again.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Address, int], int | None] = OrderedDict()

    def sent(self, datagram: bytes, address: Address, question: int) -> None:
        """A message left for an address."""
        self._open[(address, message_number(datagram))] = question
        while len(self._open) > _MESSAGES_MOST:
            self._open.popitem(last=False)

    def close(self, question: int) -> None:
        """Nobody waits for an answer to a question any more."""
        for key, open_for in self._open.items():
            if open_for == question:
                self._open[key] = None

    def admit(self, datagram: bytes, address: Address) -> int | None:
        """Decide about a datagram that came.

        Returns:
            The question it is the first answer to; ``None`` for another answer to one that was answered or given up.

        Raises:
            DeviceMisbehaved: it is no SNMP message, or answers nothing that this address was asked.
        """
        number = message_number(datagram)
        if (address, number) not in self._open:
            raise DeviceMisbehaved(
                f"{address[0]}:{address[1]} sent message {number}, which answers no question put to it; check what sends it"
            )
        question, self._open[(address, number)] = self._open[(address, number)], None
        return question
