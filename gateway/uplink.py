"""Sends what the outbox holds: newest state first, the backlog behind it, and again what the collector asks for.

One connection is one session. It greets (status, inventory), sends a snapshot of all current values, and then two lanes run
side by side: live packs on ``telemetry`` and, at a bounded rate, older ones on ``backfill``. A pack counts as sent when the
broker acknowledged it; what was under way when a connection broke goes out again as backlog. Every connection is a client
of its own, so that nothing half sent comes before the next snapshot.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from contracts.errors import DependencyUnavailable
from contracts.gateway_messages import Inventory
from contracts.topics import Channel, topic
from gateway.announcements import Announcements
from gateway.backlog import Backlog
from gateway.flights import Flights
from gateway.metrics import GatewayMetrics
from gateway.outbox.outbox import Outbox
from gateway.rivalry import Rivalry
from gateway.settings import UplinkSettings
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.mqtt import MqttClient
from runtime.settings import BrokerSettings

_log = get_logger(__name__)

_T = TypeVar("_T")

_LOOK_S: Final = 1.0
_OUTBOX_RETRY_S: Final = 1.0
_FINISH_BACKLOG: Final = 20
"""Packs of backlog an orderly stop still sends; a longer backlog waits for the next start."""


class _SessionOver(Exception):  # noqa: N818  (not an error: connections end)
    """The connection does not serve any longer; the reason is the text."""


class _ConnectionLost(_SessionOver):
    """It was ended from the other side."""


class Uplink:
    """A :class:`~runtime.supervisor.Service` that owns the connection to the broker.

    Args:
        branch_id: the branch.
        version: of the gateway, told in its status.
        settings: pace and bounds.
        broker: where to connect.
        outbox: what to send, started before and stopped after.
        clock: time of sending.
        metrics: the process's gateway metrics.
        inventory: gives the devices behind the gateway as they are now.
        snapshot: stores a reading of every current value in the outbox.
    """

    def __init__(
        self,
        branch_id: str,
        version: str,
        settings: UplinkSettings,
        broker: BrokerSettings,
        outbox: Outbox,
        clock: Clock,
        metrics: GatewayMetrics,
        *,
        inventory: Callable[[], Inventory],
        snapshot: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = f"uplink of {branch_id}"
        self.sessions = 0
        self._branch_id = branch_id
        self._client_id = f"branchwatch-gateway-{branch_id}"
        self._rivalry = Rivalry()
        self._settings = settings
        self._broker = broker
        self._outbox = outbox
        self._metrics = metrics
        self._snapshot = snapshot
        self._backlog = Backlog(outbox, settings.backfill_readings_per_s)
        self._client: MqttClient | None = None
        self._greeted = False
        self._flights = Flights(branch_id, settings.window, outbox, clock, metrics)
        outbox.under_way = self._flights.seqs
        self._announcements = Announcements(branch_id, version, outbox, clock, inventory)
        self._lost = asyncio.Event()

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to connect; a broker that is away does not keep the gateway from reading its devices."""
        await self._connect()

    async def run(self) -> None:
        """Connect, send, and connect again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            client = self._client or await self._connect()
            await self._wait_connected(client)
            self.sessions += 1
            self._metrics.connected.labels(self._branch_id).set(1)
            began_s, hold_off_s = loop.time(), 0.0
            try:
                await self._session(client)
            except* _ConnectionLost as over:
                hold_off_s = self._rivalry.lost(loop.time() - began_s)
                self._say_over(over, hold_off_s)
            except* _SessionOver as over:
                self._rivalry.lived()
                self._say_over(over, hold_off_s)
            self._metrics.connected.labels(self._branch_id).set(0)
            self._greeted = False
            await client.stop()
            self._client = None
            await self._persist(self._flights.note_acknowledged)
            await self._hold_off(hold_off_s)

    def _say_over(self, over: BaseExceptionGroup[_SessionOver], hold_off_s: float) -> None:
        _log.warning("uplink session over", branch_id=self._branch_id, reason=str(over.exceptions[0]))
        if hold_off_s:
            _log.error(
                "the broker ends the connection soon after it began, again and again: does another client use this id, a"
                " second gateway of the branch? stop one of the two",
                branch_id=self._branch_id,
                client_id=self._client_id,
                in_a_row=self._rivalry.short_in_a_row,
                next_try_s=hold_off_s,
            )

    async def _hold_off(self, wait_s: float) -> None:
        """Leave the broker alone for a while; meanwhile full packs are cut, so that no backlog grows uncut."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while (left_s := until_s - loop.time()) > 0:
            await asyncio.sleep(min(_LOOK_S, left_s))
            await self._cut_full()

    async def stop(self) -> None:
        """Within ``stop_s`` send the rest of the live stream and a small backlog, await acknowledgements, say offline.

        While the broker is left alone, this connects once more for it: whoever had the connection may be gone.
        """
        client = self._client
        if client is None and not self.sessions:
            return
        try:
            async with asyncio.timeout(self._settings.stop_s):
                if client is None:
                    client = await self._connect()
                    await client.wait_connected(self._settings.stop_s)
                    await self._finish(client)
                elif client.connected and self._greeted:
                    await self._finish(client)
        except (TimeoutError, DependencyUnavailable) as error:
            _log.warning(
                "uplink stopped before everything was acknowledged; the rest is sent at the next start",
                branch_id=self._branch_id,
                packs=len(self._flights),
                error=str(error) or "timeout",
            )
        finally:
            if self._client is not None:
                await self._client.stop()
                self._client = None
            self._greeted = False
            self._metrics.connected.labels(self._branch_id).set(0)
        with contextlib.suppress(DependencyUnavailable):  # unmarked packs are sent again and dropped as duplicates
            await self._flights.note_acknowledged()

    async def _finish(self, client: MqttClient) -> None:
        await self._flights.note_acknowledged()
        await self._outbox.cut(everything=True)
        upto_seq = self.backlog_upto
        live = await self._outbox.unacknowledged(upto_seq, 2**53, 1000)
        backlog = await self._outbox.unacknowledged(0, upto_seq, _FINISH_BACKLOG)
        for channel, packs in ((Channel.TELEMETRY, live), (Channel.BACKFILL, backlog)):
            for pack in packs:
                if pack.seq not in self._flights:
                    await self._flights.send(client, channel, pack)
        while self._flights:
            if self._lost.is_set() and self._rivalry.is_likely:
                raise DependencyUnavailable("another client took the connection again")
            await self._flights.wait_settled(1)
            await self._flights.note_acknowledged()
        await self._announcements.say_goodbye(client)

    @property
    def is_connected(self) -> bool:
        """Whether a session is up and has greeted."""
        return self._greeted

    @property
    def round_trip_s(self) -> float | None:
        """From publishing the last live pack to its acknowledgement, in seconds."""
        return self._flights.round_trip_s

    @property
    def in_flight(self) -> int:
        """Packs published and not acknowledged."""
        return len(self._flights)

    @property
    def backlog_upto(self) -> int:
        """Number up to which unacknowledged packs are backlog; while disconnected everything is."""
        return self._backlog.upto_seq if self._greeted else 2**53

    def inventory_changed(self) -> None:
        """Send the inventory again."""
        self._announcements.inventory_changed()

    # -- connecting --------------------------------------------------------------------------------------------------

    async def _connect(self) -> MqttClient:
        """Begin a connection."""
        client = MqttClient(
            self._broker,
            self._client_id,
            will=await self._announcements.begin(),
            subscriptions=[topic(self._branch_id, Channel.REQUEST)],
        )
        lost = self._lost = asyncio.Event()
        self._flights.begin()

        def listen(connected: bool) -> None:
            if not connected:
                lost.set()

        client.on_connection(listen)
        client.start()
        self._client = client
        return client

    async def _wait_connected(self, client: MqttClient) -> None:
        """Wait as long as it takes; meanwhile full packs are cut, so that no backlog grows uncut."""
        loop = asyncio.get_running_loop()
        warn_at_s = loop.time() + 5
        while True:
            try:
                await client.wait_connected(_LOOK_S)
            except DependencyUnavailable as error:
                if loop.time() >= warn_at_s:
                    warn_at_s = loop.time() + 300
                    _log.warning("uplink waits for the broker", branch_id=self._branch_id, error=str(error))
            else:
                return
            await self._cut_full()

    async def _cut_full(self) -> None:
        if self._outbox.has_full_pack:
            await self._persist(partial(self._outbox.cut, everything=False))

    # -- a session ---------------------------------------------------------------------------------------------------

    async def _session(self, client: MqttClient) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(), name=f"{self.name}: watch")
            tasks.create_task(self._note_acknowledged(), name=f"{self.name}: acknowledgements")
            await self._greet(client)
            tasks.create_task(self._live(client), name=f"{self.name}: live")
            tasks.create_task(self._backfill(client), name=f"{self.name}: backfill")
            tasks.create_task(self._requests(client), name=f"{self.name}: requests")
            tasks.create_task(self._inventories(client), name=f"{self.name}: inventory")

    async def _greet(self, client: MqttClient) -> None:
        """Say who is here, mark where the backlog ends, and send the snapshot."""
        await self._announce(self._announcements.say_hello, client)
        await self._persist(partial(self._outbox.cut, everything=True))
        self._backlog.begin((await self._persist(self._outbox.statistics)).last_seq)
        await self._persist(self._snapshot)
        for pack in await self._persist(partial(self._outbox.cut, everything=True)):
            await self._flights.send(client, Channel.TELEMETRY, pack)
        self._greeted = True

    async def _live(self, client: MqttClient) -> None:
        while True:
            await self._outbox.wait_for_pack(self._settings.flush_s)
            for pack in await self._persist(partial(self._outbox.cut, everything=True)):
                await self._flights.send(client, Channel.TELEMETRY, pack)

    async def _backfill(self, client: MqttClient) -> None:
        while True:
            packs = await self._persist(self._backlog.next_packs)
            for pack in packs:
                await self._flights.send(client, Channel.BACKFILL, pack)
                await self._backlog.pace(pack)
            resent, unavailable = self._backlog.take_counts()
            if resent or unavailable:
                self._metrics.packs_resent.labels(self._branch_id).inc(resent)
                await self._persist(partial(self._outbox.count_resend, resent, unavailable))
            if not packs:
                await self._backlog.wait_for_work()

    async def _requests(self, client: MqttClient) -> None:
        while True:
            for message in await client.receive(100):
                if not self._backlog.request(message.payload, self._outbox.boot):
                    self._metrics.bad_requests.labels(self._branch_id).inc()
                client.acknowledge([message])

    async def _inventories(self, client: MqttClient) -> None:
        while True:
            await self._announcements.wait_inventory_changed()
            await self._announce(self._announcements.say_inventory, client)

    async def _announce(self, say: Callable[[MqttClient], Awaitable[None]], client: MqttClient) -> None:
        try:
            await say(client)
        except DependencyUnavailable as error:
            raise _SessionOver(str(error)) from error

    async def _watch(self) -> None:
        """End the session when the connection is lost or the broker no longer acknowledges."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._lost.wait()
            if self._lost.is_set():
                raise _ConnectionLost("connection lost")
            if self._flights.oldest_s() > self._settings.acknowledge_timeout_s:
                raise _SessionOver(f"a pack was not acknowledged within {self._settings.acknowledge_timeout_s:g} s")

    async def _note_acknowledged(self) -> None:
        while True:
            await self._flights.wait_settled(60)
            await self._persist(self._flights.note_acknowledged)

    # -- small things ------------------------------------------------------------------------------------------------

    async def _persist(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do work on the outbox, again and again while its disk does not take it."""
        while True:
            try:
                return await work()
            except DependencyUnavailable as error:
                _log.error("uplink waits for the outbox", branch_id=self._branch_id, error=str(error))
                await asyncio.sleep(_OUTBOX_RETRY_S)
