"""The driver of one camera."""

import asyncio
from typing import TYPE_CHECKING

from contracts.errors import DeviceError
from gateway.driver import Sink
from gateway.drivers.onvif.camera_state import CameraState
from gateway.drivers.onvif.link import Link
from gateway.drivers.onvif.report import Report
from gateway.drivers.onvif.settings import Settings
from gateway.drivers.onvif.soap_answer import AnswerGate
from gateway.drivers.onvif.stream_watch import StreamWatch
from runtime.clock import Clock

if TYPE_CHECKING:
    from gateway.drivers.onvif.camera_client import CameraClient
    from gateway.drivers.onvif.camera_watch import CameraWatch


class OnvifDriver:
    """Reads one camera over ONVIF and RTSP, or over RTSP alone. Counters outlive the process.

    Args:
        settings: which camera.
        clock: wall clock, for the camera clock's skew and the age of recordings.

    Raises:
        ConfigurationError: the certificate authority file cannot be read.
    """

    protocol = "onvif"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._tls = settings.tls_context()
        self._gate = AnswerGate(settings.answer_most_bytes)
        self._report = Report(settings.host)
        self._link = Link(self._report.memory)
        self._state = CameraState(self._report.memory)
        self._stream = StreamWatch(settings, self._report, self._link)

    async def run(self, sink: Sink) -> None:
        """Watch until cancelled or until the camera is gone.

        Raises:
            DeviceUnreachable: neither its services nor its stream answer.
            DependencyUnavailable: the outbox cannot be read or written.
        """
        await self._report.open(sink)
        self._link.begin()
        if not self._settings.onvif:
            await self._stream.run()
            return
        client_type, watch_type = await asyncio.to_thread(_load)
        async with client_type(self._settings, self._tls, self._gate, self._clock) as client:
            watch = watch_type(self._settings, client, self._report, self._link, self._state, self._stream, self._clock)
            try:
                await watch.run()
            except BaseExceptionGroup as failures:
                raise _cause(failures) from failures


def _load() -> "tuple[type[CameraClient], type[CameraWatch]]":
    """Import what needs the ONVIF library: most of a second, so not on the event loop, and only where a camera is read."""
    from gateway.drivers.onvif.camera_client import CameraClient
    from gateway.drivers.onvif.camera_watch import CameraWatch

    return CameraClient, CameraWatch


def _cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that ended the run: what is not the camera's fault goes first, so that it is not taken for it."""
    others = failures.split(DeviceError)[1]
    group = others or failures
    while isinstance(group.exceptions[0], BaseExceptionGroup):
        group = group.exceptions[0]
    return group.exceptions[0]
