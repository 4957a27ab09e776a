"""Watches a camera over ONVIF for one run: its clock, whether it lets us in, its events and its recordings."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from contracts.errors import DeviceError, DeviceMisbehaved, DeviceUnreachable
from gateway.driver import Observation
from gateway.drivers.onvif.camera_client import EVENTS, CameraClient, ConnectionClosed
from gateway.drivers.onvif.camera_state import SUSPICIOUS, CameraState
from gateway.drivers.onvif.link import ACTIVE, AUTHORIZED, LOST, NOT_AUTHORIZED, Link
from gateway.drivers.onvif.notification import Notification
from gateway.drivers.onvif.pull_point import MESSAGES_MOST, PullPoint
from gateway.drivers.onvif.report import Report
from gateway.drivers.onvif.settings import Settings
from gateway.drivers.onvif.soap_transport import HttpStatusError, NotAuthorized
from gateway.drivers.onvif.stream_watch import StreamWatch
from runtime.clock import Clock
from runtime.logs import get_logger

_log = get_logger(__name__)

_RENEW_AT: Final = 0.8
"""Part of a subscription's life after which it is renewed."""

_SOON_S: Final = 5.0
"""Wait before a call that failed is tried again."""

_FIRST_PULL_S: Final = 2.0
_PULL_PAUSE_S: Final = 0.2
_ROUND_MOST_PULLS: Final = 10
_QUICK_S: Final = 1.0
_QUICK_CLOSES_MOST: Final = 3
_GOODBYE_S: Final = 3.0


class CameraWatch:
    """One run over one :class:`CameraClient`.

    Args:
        settings: the camera.
        client: its services, open.
        report: where everything goes.
        link: how the connection stands.
        state: what the events say.
        stream: the stream.
        clock: wall clock.
    """

    def __init__(
        self,
        settings: Settings,
        client: CameraClient,
        report: Report,
        link: Link,
        state: CameraState,
        stream: StreamWatch,
        clock: Clock,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client
        self._report = report
        self._link = link
        self._state = state
        self._stream = stream
        self._clock = clock
        self._steady_s = steady_s
        self._soon_s = min(settings.poll_s, _SOON_S)
        self._answering = asyncio.Event()
        self._access = asyncio.Event()
        self._no_access = asyncio.Event()
        self._no_access.set()
        self._refused_logins = 0
        self._look_now = asyncio.Event()
        self._suspicious: set[str] = set()
        self._last_reason = ""

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            BaseExceptionGroup: what ended it, a ``DeviceUnreachable`` or a ``DependencyUnavailable`` among them.
        """
        async with asyncio.TaskGroup() as tasks:
            for watch in (
                self._watch_clock,
                self._keep_access,
                self._follow_events,
                self._watch_recordings,
                self._stream.run,
            ):
                tasks.create_task(watch(), name=f"onvif {self._settings.host} {watch.__name__.strip('_')}")

    # -- is it there -------------------------------------------------------------------------------------------------

    async def _watch_clock(self) -> None:
        failures = 0
        tolerated = 0  # a camera that has not answered yet gets no second chance in this run
        while True:
            try:
                reading = await self._client.read_clock()
            except DeviceUnreachable as error:
                failures += 1
                await self._note(error)
                if failures > tolerated:
                    await self._miss(error)
            except DeviceError as error:  # it is there
                failures = 0
                await self._note(error)
                await self._answered([])
            else:
                failures, tolerated = 0, self._settings.failures_to_unreachable - 1
                self._link.round_trip_s = reading.round_trip_s
                seen = []
                if reading.skew_s is not None:
                    seen = [Observation("clock/skew", reading.skew_s), *self._state.sync_age(self._device_now_at())]
                await self._answered(seen)
            await self._wait_for_look(self._soon_s if failures else self._settings.poll_s)

    async def _answered(self, seen: list[Observation]) -> None:
        self._link.answered()
        self._answering.set()
        await self._report.observe([*self._link.observations(), *seen, *self._state.counters()])

    async def _miss(self, error: DeviceUnreachable) -> None:
        """The camera does not answer; where its stream does, it is not gone."""
        self._link.gone()
        self._answering.clear()
        self._lose_access()
        await self._stream.look(play=False)
        await self._report.observe(self._link.observations())
        if not self._link.stream_answers:
            raise DeviceUnreachable(str(error)) from error

    async def _wait_for_look(self, seconds: float) -> None:
        self._look_now.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._look_now.wait()

    def _device_now_at(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC) + self._client.skew

    # -- does it let us in -------------------------------------------------------------------------------------------

    async def _keep_access(self) -> None:
        """Introduce ourselves at the start and after every loss; wrong credentials are not tried often."""
        while True:
            await self._no_access.wait()
            await self._answering.wait()
            try:
                await self._log_in()
            except NotAuthorized as error:
                self._refused_logins += 1
                self._link.auth = NOT_AUTHORIZED
                await self._note(error)
                await asyncio.sleep(self._settings.auth_retry_s)
            except DeviceError as error:
                await self._note(error)
                self._look_now.set()
                await asyncio.sleep(self._soon_s)
            else:
                self._no_access.clear()
                self._access.set()

    async def _log_in(self) -> None:
        identity = await self._client.read_identity()
        self._link.auth = AUTHORIZED
        await self._report.identify(identity)
        await self._client.find_services()
        if not self._stream.is_configured:
            try:
                said = await self._client.read_stream_url()
                if said is not None:
                    self._stream.learn(said)
            except DeviceError as error:
                await self._note(error)
            self._stream.suspect()
        await self._report.observe(self._link.observations())

    def _lose_access(self) -> None:
        self._access.clear()
        self._no_access.set()

    async def _ask_for_access(self) -> None:
        """After a call was not authorized: log in anew, which shows whether it is the user or only this call."""
        before = self._refused_logins
        self._lose_access()
        await self._access.wait()
        if self._refused_logins == before:
            await asyncio.sleep(self._settings.auth_retry_s)

    # -- events ------------------------------------------------------------------------------------------------------

    async def _follow_events(self) -> None:
        while True:
            await self._access.wait()
            if not self._client.has(EVENTS):
                await asyncio.sleep(self._settings.resubscribe_s)
                continue
            try:
                await self._follow_subscription()
            except NotAuthorized as error:
                self._link.subscription = LOST
                await self._note(error)
                await self._ask_for_access()
            except DeviceError as error:
                self._link.subscription = LOST
                await self._note(error)
                self._look_now.set()
                await asyncio.sleep(self._settings.resubscribe_s)
                self._lose_access()  # it may have started anew, as another camera or at other addresses

    async def _follow_subscription(self) -> None:
        """Subscribe and pull; ends with the error that ended it."""
        point = PullPoint(self._client, self._settings.subscription_s)
        try:
            renew_s = self._steady_s() + _RENEW_AT * await point.subscribe()
            self._link.subscription = ACTIVE
            await self._report.observe(self._link.observations())
            self._state.begin_round()
            await point.synchronise()
            pulls_of_round = 0
            quick_closes = 0
            while True:
                began_s = self._steady_s()
                if began_s >= renew_s:
                    renew_s = began_s + _RENEW_AT * await point.renew()
                wait_s = self._settings.pull_s if pulls_of_round > _ROUND_MOST_PULLS else _FIRST_PULL_S
                try:
                    notifications = await point.pull(max(1.0, min(wait_s, renew_s - began_s)))
                    quick_closes = 0
                except ConnectionClosed:  # some say nothing in this way
                    notifications = []
                    quick_closes = quick_closes + 1 if self._steady_s() - began_s < _QUICK_S else 0
                    if quick_closes > _QUICK_CLOSES_MOST:
                        raise
                await self._take(notifications)
                if pulls_of_round <= _ROUND_MOST_PULLS:
                    pulls_of_round += 1
                    if not notifications or pulls_of_round > _ROUND_MOST_PULLS:
                        pulls_of_round = _ROUND_MOST_PULLS + 1
                        await self._report.observe(self._state.end_round())
                if len(notifications) < MESSAGES_MOST:
                    await asyncio.sleep(_PULL_PAUSE_S)
        finally:
            with contextlib.suppress(DeviceError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await point.unsubscribe()

    async def _take(self, notifications: list[Notification]) -> None:
        if not notifications:
            return
        seen = self._state.take(notifications, self._steady_s())
        await self._report.observe(seen)
        for observation in seen:
            if (observation.path, observation.value) not in SUSPICIOUS:
                self._suspicious.discard(observation.path)
            elif observation.path not in self._suspicious:
                self._suspicious.add(observation.path)
                self._stream.suspect()

    # -- recordings --------------------------------------------------------------------------------------------------

    async def _watch_recordings(self) -> None:
        while True:
            await self._access.wait()
            try:
                recordings = await self._client.read_recordings()
            except NotAuthorized as error:
                await self._note(error)
                await self._ask_for_access()
                continue
            except DeviceError as error:
                await self._note(error)
            else:
                if recordings is not None:
                    now_at = self._device_now_at()
                    spans = (("recording/retention", recordings.oldest_at), ("recording/lag", recordings.newest_at))
                    await self._report.observe(
                        Observation(path, max(0.0, round((now_at - at).total_seconds(), 1)))
                        for path, at in spans
                        if at is not None
                    )
            await asyncio.sleep(self._settings.recording_s)

    async def _note(self, error: DeviceError) -> None:
        """Count and tell what went wrong."""
        if isinstance(error, DeviceMisbehaved):
            self._report.refuse(error)
        elif isinstance(error, HttpStatusError):
            self._report.memory.protocol_errors += 1
        if str(error) != self._last_reason:
            self._last_reason = str(error)
            _log.info("camera", host=self._settings.host, reason=self._last_reason)
        await self._report.observe(self._link.observations())
