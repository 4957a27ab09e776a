"""paho-mqtt behind asyncio: publish with acknowledgement, receive with manual acknowledgement, reconnect by itself.

paho runs its own thread. Its callbacks only hand over to the event loop; they never block and never raise, because an
exception there would end the thread.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from contracts.errors import ConfigurationError, DependencyUnavailable
from runtime.logs import get_logger
from runtime.messages import Message
from runtime.mqtt_gulps import POSSIBLE, GulpingClient
from runtime.settings import BrokerSettings

__all__ = ["KEEPALIVE_S", "Message", "MqttClient", "Will"]

_log = get_logger(__name__)

KEEPALIVE_S = 20

_FLUSH_S = 2.0
_NEVER = sys.maxsize


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us when we vanish."""

    topic: str
    payload: bytes
    retain: bool = True


def _never_raise(callback: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(callback)
    def guarded(*args: Any) -> None:
        try:
            callback(*args)
        except Exception as error:  # noqa: BLE001  (an exception would end paho's thread)
            _log.error("mqtt callback failed", callback=callback.__name__, exc_info=error)

    return guarded


def _nothing() -> None:
    """Until somebody listens."""


def _trust(client: paho.Client, authority: Path) -> None:
    try:
        client.tls_set(ca_certs=str(authority))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"broker.tls_ca = {str(authority)!r}: cannot be used: {error}; give a PEM file with the authority's certificate"
        ) from error


class MqttClient:
    """One MQTT 3.1.1 connection that comes back by itself.

    Args:
        settings: the broker.
        client_id: fixed where the session has to persist.
        clean_session: ``False`` keeps subscriptions and queued messages at the broker between connections.
        will: what the broker says when this client vanishes.
        subscriptions: topic filters, subscribed with QoS 1 at every connect.
        inbox_limit: messages from which no more are read; they wait at the broker. One read may go beyond it.
        inbox_bytes: bytes from which no more are read, likewise.
        reconnect_s: shortest and longest wait in seconds between tries to connect.

    Raises:
        ConfigurationError: the certificate authority file cannot be used.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        client_id: str,
        *,
        clean_session: bool = True,
        will: Will | None = None,
        subscriptions: Sequence[str] = (),
        inbox_limit: int = 20_000,
        inbox_bytes: int = 64 * 2**20,
        reconnect_s: tuple[int, int] = (1, 5),
    ) -> None:
        self._settings = settings
        self._subscriptions = tuple(subscriptions)
        self._inbox: deque[Message] = deque()
        self._inbox_limit = inbox_limit
        self._inbox_bytes = inbox_bytes
        self._came_bytes = self._took_bytes = 0  # each written by one thread
        self._overflowed = False
        self._wake_at = 1
        self._on_arrival: Callable[[], None] = _nothing
        self._connected = asyncio.Event()
        self._connection = 0
        self._listeners: list[Callable[[bool], None]] = []
        self._refusal = ""
        self._unacknowledged: dict[int, asyncio.Future[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        client = (GulpingClient if POSSIBLE else paho.Client)(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean_session, manual_ack=True
        )
        client.reconnect_delay_set(*reconnect_s)
        client.max_inflight_messages_set(1000)
        if settings.username is not None:
            password = settings.password
            client.username_pw_set(settings.username, None if password is None else password.get_secret_value())
        if settings.tls_ca is not None:
            _trust(client, settings.tls_ca)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        client.on_connect = _never_raise(self._on_connect)
        client.on_disconnect = _never_raise(self._on_disconnect)
        client.on_subscribe = _never_raise(self._on_subscribe)
        client.on_message = _never_raise(self._on_message)
        client.on_publish = _never_raise(self._on_publish)
        if isinstance(client, GulpingClient):
            client.on_gulp = _never_raise(self._take_in)
            client.has_room = self._has_room
        self._client = client

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; returns at once and keeps trying."""
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self._settings.host, self._settings.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    async def stop(self) -> None:
        """Disconnect in order, so that the broker does not publish the will, and end paho's thread."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        for future in self._unacknowledged.values():
            future.cancel()
        self._unacknowledged.clear()

    @property
    def connected(self) -> bool:
        """Whether the connection stands now, subscriptions included."""
        return self._connected.is_set()

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait for the connection and its subscriptions.

        Raises:
            DependencyUnavailable: not within ``timeout_s``.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._connected.wait()
        except TimeoutError as error:
            where = f"{self._settings.host}:{self._settings.port}"
            why = f"it said {self._refusal}; check user name and rights" if self._refusal else "is it running?"
            raise DependencyUnavailable(f"broker {where}: no connection within {timeout_s:g} s; {why}") from error

    def on_connection(self, listener: Callable[[bool], None]) -> None:
        """Call ``listener(connected)`` on the event loop whenever the connection comes or goes."""
        self._listeners.append(listener)

    # -- sending -----------------------------------------------------------------------------------------------------

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "asyncio.Future[None]":
        """Send with QoS 1.

        Returns:
            A future that is done when the broker has acknowledged. While disconnected it waits; paho sends again after a
            reconnect. It is cancelled by :meth:`stop`.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
            future.set_exception(
                DependencyUnavailable(f"broker: cannot publish on {topic}: {paho.error_string(info.rc)}")
            )
        else:
            self._unacknowledged[info.mid] = future
        return future

    # -- receiving ---------------------------------------------------------------------------------------------------

    async def receive(self, most: int) -> list[Message]:
        """Wait for messages and take up to ``most`` of what has arrived, in order. One caller at a time."""
        arrived = asyncio.Event()
        self.on_arrival(arrived.set)
        while not self._inbox:
            await self.ask_for_the_rest()
            arrived.clear()
            self.wake_at(1)
            if not self._inbox:
                await arrived.wait()
        return self.take(most)

    def on_arrival(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` on the event loop once as many messages are here as :meth:`wake_at` said; one listener."""
        self._on_arrival = listener

    def wake_at(self, count: int) -> None:
        """Tell the listener once when ``count`` messages are here. Look at :meth:`waiting` after this: they may be already."""
        self._wake_at = min(count, self._inbox_limit)

    def take(self, most: int, most_bytes: int | None = None) -> list[Message]:
        """Take what has arrived, in order, without waiting.

        Args:
            most: so many messages at most.
            most_bytes: no more once these are reached; ``None`` for no such bound.
        """
        inbox, taken, size = self._inbox, list[Message](), 0
        while inbox and len(taken) < most and (most_bytes is None or size < most_bytes):
            message = inbox.popleft()
            size += len(message.payload)
            taken.append(message)
        self._took_bytes += size
        return taken

    async def ask_for_the_rest(self) -> None:
        """Where the inbox overflowed and is empty now, reconnect, so that the broker sends again what found no room."""
        if self._overflowed and not self._inbox:
            _log.warning("inbox drained after overflow; reconnecting for what was left at the broker")
            await self._drop_connection()
            self._overflowed = False

    async def _drop_connection(self) -> None:
        """Let the broker end the connection once it has read our acknowledgements; paho's thread makes a new one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                while self._client.want_write():  # noqa: ASYNC110  (paho has no event for it)
                    await asyncio.sleep(0.01)
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            with contextlib.suppress(OSError):  # it died by itself meanwhile
                connection.shutdown(socket.SHUT_WR)

    def waiting(self) -> int:
        """Messages received and not yet taken."""
        return len(self._inbox)

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Tell the broker that these are done. Messages of an earlier connection are skipped: they will come again."""
        mids = [message.mid for message in messages if message.qos and message.connection == self._connection]
        if isinstance(self._client, GulpingClient):
            self._client.acknowledge(mids)
        else:
            for mid in mids:
                self._client.ack(mid, 1)

    # -- paho's thread -----------------------------------------------------------------------------------------------

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            _log.warning("broker refused the connection", reason=str(reason))
            return
        self._begin_connection()
        if self._subscriptions:  # connected only when subscribed: what is published before would pass us by
            client.subscribe([(name, 1) for name in self._subscriptions])
        else:
            self._hand_over(self._tell, True)

    def _on_subscribe(
        self, _client: Any, _data: Any, _mid: int, reasons: Sequence[ReasonCode], _properties: Any
    ) -> None:
        self._refusal = ""
        refused = [name for name, reason in zip(self._subscriptions, reasons, strict=False) if reason.is_failure]
        if refused:
            _log.error("broker refused subscriptions; check what this user may read", topics=refused)
            return
        self._hand_over(self._tell, True)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        self._begin_connection()  # at once, so that nothing of the old one is acknowledged on the next
        self._hand_over(self._tell, False)

    def _begin_connection(self) -> None:
        self._connection += 1
        if isinstance(self._client, GulpingClient):
            self._client.connection = self._connection

    def _has_room(self) -> bool:
        return len(self._inbox) < self._inbox_limit and self._came_bytes - self._took_bytes < self._inbox_bytes

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        if not self._has_room():  # paho cannot be told to read no more, so this one has to come again
            self._overflowed = True
            return
        self._take_in([
            Message(message.topic, bytes(message.payload), message.retain, message.mid, message.qos, self._connection)
        ])  # fmt: skip

    def _take_in(self, messages: list[Message]) -> None:
        self._inbox.extend(messages)
        self._came_bytes += sum([len(message.payload) for message in messages])
        if len(self._inbox) >= self._wake_at:
            self._wake_at = _NEVER  # whoever waits says anew what for, before each wait
            self._hand_over(self._on_arrival)

    def _on_publish(self, _client: Any, _data: Any, mid: int, _reason: Any, _properties: Any) -> None:
        self._hand_over(self._acknowledged, mid)

    def _hand_over(self, callback: Callable[..., None], *args: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)

    # -- event loop --------------------------------------------------------------------------------------------------

    def _tell(self, connected: bool) -> None:
        if connected == self._connected.is_set() and not connected:
            return
        if connected:
            self._connected.set()
        else:
            self._connected.clear()
        for listener in self._listeners:
            listener(connected)

    def _acknowledged(self, mid: int) -> None:
        future = self._unacknowledged.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(None)
