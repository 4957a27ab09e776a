"""Receives what an alarm panel sends."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final, Literal

from contracts.errors import DependencyUnavailable
from gateway.driver import Sink
from gateway.drivers.sia_dc09.listening_post import Address, attended
from gateway.drivers.sia_dc09.panel_inbox import PanelInbox
from gateway.drivers.sia_dc09.receiver import Receiver
from gateway.drivers.sia_dc09.settings import Settings
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

_LONGEST_TICK_S: Final = 10.0
_TRANSPORTS: Final[dict[str, tuple[Literal["tcp", "udp"], ...]]] = {
    "tcp": ("tcp",),
    "udp": ("udp",),
    "both": ("tcp", "udp"),
}


class Dc09Driver:
    """Listens for one panel. It never calls the panel, so a panel that is silent is ``link/state`` down, no error.

    What is known of the panel outlives :meth:`run` and the process.
    """

    protocol = "dc09"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._receiver = Receiver(settings, clock)

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled.

        Raises:
            DeviceUnreachable: the address cannot be listened on.
            DependencyUnavailable: the outbox cannot be read, so nobody knows which messages were taken.
        """
        await self._receiver.recall(sink)
        settings = self._settings
        account = settings.account.upper()
        async with AsyncExitStack() as opened:
            posts = [
                await opened.enter_async_context(
                    attended(Address(settings.listen_host, settings.listen_port, transport), account)
                )
                for transport in _TRANSPORTS[settings.transport]
            ]
            async with asyncio.TaskGroup() as tasks:
                inbox = PanelInbox(account, self._receiver, sink, tasks, settings.idle_timeout_s)
                tasks.create_task(inbox.work(), name=f"dc09 messages of {account}")
                try:
                    for post in posts:
                        await post.admit(inbox)
                    await self._watch_link(sink)
                finally:
                    for post in posts:
                        post.dismiss(inbox)

    async def _watch_link(self, sink: Sink) -> None:
        tick_s = min(self._settings.supervision_s / 3, _LONGEST_TICK_S)
        while True:
            try:
                await self._receiver.report_link(sink)
            except DependencyUnavailable as error:
                _log.warning("link report not taken", account=self._settings.account, error=str(error))
                await asyncio.sleep(tick_s)
            else:
                await asyncio.sleep(min(tick_s, self._receiver.seconds_to_verdict()))
