"""Reads a sensor that pushes."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Final

from contracts.errors import ConfigurationError, DependencyUnavailable, DeviceMisbehaved, DeviceUnreachable
from gateway.driver import Sink
from gateway.drivers.milesight.listener import listening
from gateway.drivers.milesight.receiver import Receiver, Reception
from gateway.drivers.milesight.report import Report, parse_report
from gateway.drivers.milesight.settings import Settings
from runtime.clock import Clock
from runtime.logs import get_logger
from runtime.mqtt import Message, MqttClient

_log = get_logger(__name__)

_LONGEST_TICK_S: Final = 10.0
_CONNECT_TIMEOUT_S: Final = 10.0
_INBOX: Final = 256
"""Messages held here at most; the broker keeps what is not acknowledged."""

_BATCH: Final = 32
_RETRY_S: Final = (0.2, 5.0)
_SAMPLE_BYTES: Final = 4096


class MilesightDriver:
    """Takes the pushes of one sensor. It never calls the sensor, so one that is silent is ``link/state`` down, no error.

    What is known of the sensor outlives :meth:`run` and the process.

    Args:
        settings: which sensor, and how it pushes.
        clock: wall clock, for the sensor clock's skew.
        steady_s: clock for ages.
    """

    protocol = "milesight"

    def __init__(self, settings: Settings, clock: Clock, steady_s: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._receiver = Receiver(settings, clock, steady_s)
        self._sink: Sink | None = None

    async def run(self, sink: Sink) -> None:
        """Listen, or stay subscribed, until cancelled.

        Raises:
            DeviceUnreachable: the address cannot be listened on, or the broker does not answer.
            DependencyUnavailable: the outbox cannot be read, so nobody knows which intervals came.
        """
        await self._receiver.recall(sink)
        self._sink = sink
        if self.settings.transport == "http":
            async with listening(self):
                await self._watch_link(sink)
        else:
            await self._subscribe(sink)

    async def _watch_link(self, sink: Sink) -> None:
        tick_s = min(self.settings.interval_s / 3, _LONGEST_TICK_S)
        while True:
            try:
                await self._receiver.report_link(sink)
            except DependencyUnavailable as error:
                _log.warning("link report not taken", sensor=self._name(), error=str(error))
                await asyncio.sleep(tick_s)
            else:
                await asyncio.sleep(min(tick_s, self._receiver.seconds_to_verdict()))

    def _name(self) -> str:
        settings = self.settings
        return settings.device_sn or settings.custom_device_id or settings.topic or settings.path

    # -- HTTP: the listener's side -------------------------------------------------------------------------------------

    def fits(self, report: Report) -> int:
        """How surely a push is this sensor's; 0: not at all."""
        return self._receiver.fits(report)

    async def take(self, report: Report) -> Reception:
        """Take a push that came over HTTP."""
        return Reception.NOT_COMMITTED if self._sink is None else await self._receiver.take(report, self._sink)

    def refuse(self, raw: bytes, error: DeviceMisbehaved) -> None:
        """Count and keep an input that is none of its pushes."""
        if self._sink is not None:
            self._receiver.refuse(raw, error, self._sink)

    # -- MQTT ----------------------------------------------------------------------------------------------------------

    async def _subscribe(self, sink: Sink) -> None:
        settings, topic = self.settings, self.settings.topic or ""
        try:
            client = MqttClient(
                settings.broker,
                settings.client_id or self._client_id(),
                clean_session=False,
                subscriptions=[topic],
                inbox_limit=_INBOX,
            )
        except (ConfigurationError, ValueError) as error:
            raise DeviceUnreachable(f"people counter on topic {topic!r}: {error}; correct broker and topic") from error
        client.start()
        try:
            try:
                await client.wait_connected(_CONNECT_TIMEOUT_S)
            except DependencyUnavailable as error:
                raise DeviceUnreachable(f"people counter on topic {topic!r}: {error}") from error
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_link(sink), name=f"link of people counter {self._name()}")
                tasks.create_task(self._consume(client, sink), name=f"pushes of people counter {self._name()}")
        finally:
            await client.stop()

    def _client_id(self) -> str:
        settings = self.settings
        said = (settings.topic, settings.device_sn, settings.custom_device_id, settings.custom_site_id)
        return f"branchwatch-{hashlib.sha256(repr(said).encode()).hexdigest()[:10]}"  # 23 characters, which any broker takes

    async def _consume(self, client: MqttClient, sink: Sink) -> None:
        while True:
            messages = await client.receive(_BATCH)
            for place, message in enumerate(messages):
                await self._take_message(message, sink, is_backlog=place + 1 < len(messages) or client.waiting() > 0)
                client.acknowledge([message])  # only now: what is not in the outbox the broker gives again

    async def _take_message(self, message: Message, sink: Sink, *, is_backlog: bool) -> None:
        try:
            report = parse_report(message.payload)
        except DeviceMisbehaved as error:
            self._receiver.refuse(message.payload[:_SAMPLE_BYTES], error, sink)
            return
        if not self._receiver.fits(report):
            _log.debug("push of another sensor", sensor=self._name(), serial=report.serial[:64])
            return
        wait_s = _RETRY_S[0]
        while await self._receiver.take(report, sink, is_backlog=is_backlog) is Reception.NOT_COMMITTED:
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _RETRY_S[1])
