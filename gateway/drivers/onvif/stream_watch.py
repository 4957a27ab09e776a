"""Looks at a camera's stream at its times: the description often, packets seldom and on suspicion."""

import asyncio
import random
from typing import Final

from contracts.errors import DeviceUnreachable
from gateway.driver import Observation
from gateway.drivers.onvif.link import AUTHORIZED, NOT_AUTHORIZED, Link
from gateway.drivers.onvif.report import Report
from gateway.drivers.onvif.settings import Settings
from gateway.drivers.onvif.stream_probe import Probe, StreamState, probe_stream, stream_url
from runtime.logs import get_logger

_log = get_logger(__name__)

_SUSPICION_PAUSE_S: Final = 10.0
_SPREAD: Final = 0.05
"""Part of the interval by which looks vary, so that the cameras of a branch do not stay in step."""


class StreamWatch:
    """One camera's stream; kept across runs.

    Args:
        settings: the camera.
        report: where results go; its memory knows the stream's URL.
        link: told whether the stream answers.
    """

    def __init__(self, settings: Settings, report: Report, link: Link) -> None:
        self._settings = settings
        self._report = report
        self._link = link
        self._configured = None if settings.rtsp_url is None else stream_url(settings.rtsp_url)
        self._turn = asyncio.Lock()
        self._suspicion = asyncio.Event()
        self._last_state: StreamState | None = None
        self._played_s: float | None = None
        self._refused_s: float | None = None

    @property
    def is_configured(self) -> bool:
        """Whether the settings say where the stream is."""
        return self._configured is not None

    @property
    def url(self) -> str | None:
        """Where the stream is, ``None`` where nobody said so far."""
        return self._configured or self._report.memory.stream_url

    def learn(self, said: str) -> None:
        """Take the URL the camera gives.

        Raises:
            DeviceMisbehaved: it is no RTSP URL.
        """
        self._report.memory.stream_url = stream_url(said, self._settings.host)

    def suspect(self) -> None:
        """Something says that the stream may be gone: look soon, and for packets."""
        self._suspicion.set()

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            DeviceUnreachable: of a camera without ONVIF, so many looks in a row were not answered.
            DependencyUnavailable: the outbox cannot be written.
        """
        failures = 0
        tolerated = 0
        if self.url is None:
            await self._pause(failures)  # the camera is about to be asked
        while True:
            probe = await self.look(play=self._is_play_due())
            if not self._settings.onvif and probe is not None:
                failures = 0 if probe.is_answered else failures + 1
                if failures == 0:
                    tolerated = self._settings.failures_to_unreachable - 1
                await self._tell_link(probe, is_gone=failures > tolerated)
            await self._pause(failures)

    def _is_play_due(self) -> bool:
        if self._suspicion.is_set() or self._last_state is not StreamState.OK or self._played_s is None:
            return True
        return asyncio.get_running_loop().time() - self._played_s >= self._settings.play_s

    async def look(self, *, play: bool) -> Probe | None:
        """Look once and report; ``None`` where nobody knows where the stream is."""
        url = self.url
        if url is None:
            await self._report.observe([Observation("rtsp/state", StreamState.UNKNOWN.value)])
            return None
        async with self._turn:
            now_s = asyncio.get_running_loop().time
            self._suspicion.clear()
            settings = self._settings
            holds_back = self._refused_s is not None and now_s() - self._refused_s < settings.auth_retry_s
            credentials = None if holds_back else settings.credentials
            probe = await probe_stream(
                url, credentials, play=play, timeout_s=settings.timeout_s, watch_s=settings.watch_s
            )
            if probe.state is not StreamState.UNAUTHORIZED:
                self._refused_s = None
            elif credentials is not None:
                self._refused_s = now_s()  # another wrong try a minute locks the account
            if probe.played:
                self._played_s = now_s()
            if probe.state is not self._last_state:
                _log.info("stream", host=settings.host, state=probe.state.value, detail=probe.detail[:300])
            self._last_state = probe.state
            self._link.stream_answers = probe.is_answered
            if probe.error is not None:
                self._report.refuse(probe.error, probe.sample)
            await self._report.observe(_observations(probe))
        return probe

    async def _tell_link(self, probe: Probe, *, is_gone: bool) -> None:
        if probe.is_answered:
            self._link.answered()
            self._link.auth = NOT_AUTHORIZED if probe.state is StreamState.UNAUTHORIZED else AUTHORIZED
            self._link.round_trip_s = probe.connect_time_s
        elif is_gone:
            self._link.gone()
        await self._report.observe(self._link.observations())
        if is_gone:
            raise DeviceUnreachable(f"{self._settings.host}: the stream does not answer: {probe.detail}")

    async def _pause(self, failures: int) -> None:
        """Wait for the next look, or for a suspicion, which is not followed at once."""
        probe_s = self._settings.probe_s
        wait_s = min(probe_s, 5.0) if failures else probe_s * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311  (chance, not secrecy)
        least_s = 0.0 if self._last_state is None else min(wait_s, _SUSPICION_PAUSE_S)
        await asyncio.sleep(least_s)
        try:
            async with asyncio.timeout(wait_s - least_s):
                await self._suspicion.wait()
        except TimeoutError:
            return


def _observations(probe: Probe) -> list[Observation]:
    seen = [Observation("rtsp/state", probe.state.value)]
    if probe.connect_time_s is not None:
        seen.append(Observation("rtsp/connect_time", probe.connect_time_s))
    if probe.bitrate_bps is not None:
        seen.append(Observation("rtsp/bitrate", probe.bitrate_bps))
    if probe.packet_loss is not None:
        seen.append(Observation("rtsp/packet_loss", probe.packet_loss))
    return seen
