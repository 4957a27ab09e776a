"""The terminal's SNMP agent: a UDP port that answers as fast as such agents do, or not at all."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from contracts.errors import ConfigurationError
from runtime.logs import get_logger
from simulators.terminal.mib_view import MibView
from simulators.terminal.snmp_message import read_request, respond

_log = get_logger(__name__)

COMMUNITY: Final = b"public"
ANSWER_S_PER_OBJECT: Final = 0.015 / 20
"""An agent takes 15 ms for 20 objects. Source: assumed."""

SILENT_SHARE: Final = 0.001
"""Requests that stay without an answer. Source: assumed."""

_MOST_WAITING: Final = 64


class SnmpAgent(asyncio.DatagramProtocol):
    """Answers GET, GETNEXT and GETBULK of version 2c; takes nothing in.

    What is no such request, or of another community, gets no answer, as the standard has it. What waits to be answered is
    bounded; above that requests are lost, as in a full socket.

    Args:
        host: address to listen on.
        port: port to listen on, 0 for any free one; :attr:`port` tells which.
        view: makes the view at the moment; called once for each request.
        chance: random source of lost requests.
        answer_s_per_object: how long an object takes, real seconds.
        silent_share: share of requests that are lost, 0 to 1.

    Attributes:
        silent: it answers nothing.
        refused: datagrams that were no request of its community.
    """

    def __init__(
        self,
        host: str,
        port: int,
        view: Callable[[], MibView],
        chance: random.Random,
        *,
        answer_s_per_object: float = ANSWER_S_PER_OBJECT,
        silent_share: float = SILENT_SHARE,
    ) -> None:
        self.port = port
        self.silent = False
        self.refused = 0
        self._host = host
        self._view = view
        self._chance = chance
        self._answer_s_per_object = answer_s_per_object
        self._silent_share = silent_share
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting = 0

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port cannot be had.
        """
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: self, (self._host, self.port))
        except OSError as error:
            raise ConfigurationError(
                f"simulated SNMP agent: cannot listen on {self._host}:{self.port}: {error.strerror}; choose a free port"
            ) from error
        self._transport = transport
        self.port = int(transport.get_extra_info("sockname")[1])

    async def stop(self) -> None:
        """Stop listening; does nothing the second time."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
            await asyncio.sleep(0)  # the loop closes the socket in its next turn

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one request."""
        if self.silent or self._waiting >= _MOST_WAITING or self._chance.random() < self._silent_share:
            return
        try:
            request = read_request(data)
        except ValueError as error:
            self.refused += 1
            _log.debug("no SNMP request", peer=addr[0], reason=str(error))
            return
        if request.community != COMMUNITY:
            self.refused += 1
            return
        response, objects = respond(request, self._view())
        self._waiting += 1
        delay_s = self._answer_s_per_object * max(1, objects)
        asyncio.get_running_loop().call_later(delay_s, self._send, response, addr)

    def _send(self, response: bytes, addr: tuple[str, int]) -> None:
        self._waiting -= 1
        if self._transport is not None and not self.silent:
            self._transport.sendto(response, addr)
