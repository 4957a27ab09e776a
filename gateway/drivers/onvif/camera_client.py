"""Asks a camera over ONVIF, and translates what goes wrong."""

import ssl
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from zeep.exceptions import Fault

from contracts.errors import DeviceError, DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from gateway.driver import Identity
from gateway.drivers.onvif.guarded_camera import GuardedCamera
from gateway.drivers.onvif.notification import read_time
from gateway.drivers.onvif.settings import Settings
from gateway.drivers.onvif.soap_answer import AnswerGate, UnfitAnswer
from gateway.drivers.onvif.soap_transport import NotAuthorized, SoapTransport, open_session
from runtime.clock import Clock

_DEVICE: Final = "http://www.onvif.org/ver10/device/wsdl"
EVENTS: Final = "http://www.onvif.org/ver10/events/wsdl"
MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"
SEARCH: Final = "http://www.onvif.org/ver10/search/wsdl"

_JUMP: Final = timedelta(seconds=2)
"""A camera's clock told otherwise by more than this was set; it tells whole seconds only."""

_REFUSALS: Final = ("notauthorized", "failedauthentication", "invalidsecurity", "unauthorized")

_Answer = TypeVar("_Answer")


class ConnectionClosed(DeviceUnreachable):
    """The camera closed the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a look at the camera's clock showed.

    Attributes:
        skew_s: camera minus gateway in seconds, ``None`` where the camera told no sound time.
        round_trip_s: how long the answer took.
    """

    skew_s: float | None
    round_trip_s: float


@dataclass(frozen=True, slots=True)
class Recordings:
    """What is recorded: times by the camera's clock, ``None`` where it tells none."""

    oldest_at: datetime | None
    newest_at: datetime | None


class CameraClient:
    """One camera's ONVIF services. Use as a context manager; safe to call from several tasks.

    Every call raises:
        DeviceUnreachable: no connection or no answer in time.
        NotAuthorized: the credentials are wrong or do not reach that far.
        DeviceRefused: the camera answers with another fault, or has no such service.
        DeviceMisbehaved: the answer cannot be read; an :class:`UnfitAnswer` with its beginning.

    Args:
        settings: which camera.
        tls: the settings' TLS context.
        gate: what answers have to pass; outlives the client, because it counts over the camera's life.
        clock: wall clock.
    """

    def __init__(self, settings: Settings, tls: ssl.SSLContext | bool, gate: AnswerGate, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._gate = gate
        self._own: tuple[str, int] | None = None
        self._session = open_session(settings.credentials, tls)
        most = settings.answer_most_bytes
        self._calls = SoapTransport(self._session, gate, most, settings.timeout_s)
        self._pulls = SoapTransport(self._session, gate, most, settings.pull_s + settings.timeout_s)
        self.camera: Any = GuardedCamera(settings, self._calls, self._pulls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.camera.close()
        await self._session.close()

    async def read_clock(self) -> ClockReading:
        """Compare clocks, and sign from now on with the camera's time."""
        service = await self.ask(self.camera.create_devicemgmt_service)
        try:
            return await self._read_clock(service.authless_GetSystemDateAndTime)
        except DeviceRefused:  # against the standard, some ask for a user here, too
            return await self._read_clock(service.GetSystemDateAndTime)

    async def _read_clock(self, operation: Callable[..., Coroutine[Any, Any, Any]]) -> ClockReading:
        began_s = time.monotonic()
        answer = await self._ask_once(operation)
        round_trip_s = time.monotonic() - began_s
        device_at = _time_of(answer)
        if device_at is None:
            return ClockReading(None, round_trip_s)
        # Whole seconds: the middle of the second it names, seen half a round trip ago.
        now_s = self._clock.now_ms() / 1000 - round_trip_s / 2
        skew_s = device_at.timestamp() + 0.5 - now_s
        self.camera.follow_clock(timedelta(seconds=skew_s))
        return ClockReading(round(skew_s, 3), round_trip_s)

    @property
    def skew(self) -> timedelta:
        """Camera minus gateway, as last read."""
        skew: timedelta = self.camera.skew
        return skew

    async def read_identity(self) -> Identity:
        """Who the camera says it is; the first call that needs a user."""
        service = await self.ask(self.camera.create_devicemgmt_service)
        answer = await self.ask(service.GetDeviceInformation)
        return Identity(
            maker=_text(answer, "Manufacturer"),
            model=_text(answer, "Model"),
            serial=_text(answer, "SerialNumber"),
            firmware=_text(answer, "FirmwareVersion"),
        )

    async def find_services(self) -> None:
        """Learn where the services are."""
        await self.ask(self.camera.update_xaddrs)
        said = self.camera.xaddrs
        own = _address(said.get(_DEVICE, ""))
        self.camera.xaddrs = {namespace: self.reachable(url, own) for namespace, url in list(said.items())[:64]}

    def has(self, namespace: str) -> bool:
        """Whether the camera has a service."""
        return namespace in self.camera.xaddrs

    def reachable(self, url: str, own: tuple[str, int] | None = None) -> str:
        """An address the camera named, on the host the camera was configured with.

        A camera behind another network names addresses nobody can reach, and credentials go to no other host. Its port is
        exchanged, too, where it is the one its device service is said to be on.

        Args:
            url: what the camera said.
            own: host and port its device service is said to be on; left out: as found by :meth:`find_services`.
        """
        if own is None:
            own = self._own
        else:
            self._own = own
        said = _address(url)
        if said is None:
            raise DeviceMisbehaved(f"the camera names the address {url[:200]!r}; expected http://host:port/path")
        host = self._settings.host
        port = self._settings.port if said == own else said[1]
        netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        scheme = "https" if self._settings.tls else "http"
        return urlunsplit(urlsplit(url)._replace(scheme=scheme, netloc=netloc))

    async def read_stream_url(self) -> str | None:
        """Where the stream of the chosen profile is; ``None`` where the camera has no media service or no such profile."""
        if not self.has(MEDIA):
            return None
        service = await self.ask(self.camera.create_media_service)
        profiles = list(await self.ask(service.GetProfiles) or ())
        wanted = self._settings.profile
        for profile in profiles:
            if wanted is None or wanted in {_text(profile, "token"), _text(profile, "Name")}:
                setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
                answer = await self.ask(
                    service.GetStreamUri, {"StreamSetup": setup, "ProfileToken": _text(profile, "token")}
                )
                return _text(answer, "Uri") or None
        return None

    async def read_recordings(self) -> Recordings | None:
        """The span of what is recorded; ``None`` where the camera cannot tell."""
        if not self.has(SEARCH):
            return None
        service = await self.ask(self.camera.create_search_service)
        answer = await self.ask(service.GetRecordingSummary)
        if getattr(answer, "NumberRecordings", None) == 0:
            return Recordings(None, None)
        return Recordings(_sound(getattr(answer, "DataFrom", None)), _sound(getattr(answer, "DataUntil", None)))

    async def ask(self, operation: Callable[..., Coroutine[Any, Any, _Answer]], params: Any = None) -> _Answer:
        """Call an operation of the library and translate what goes wrong.

        A signature carries the camera's time, so one whose clock was set refuses us with the right password, too. A refusal
        therefore makes us look at the clock, and where it was set the call is made once more. It is not where it was not: a
        wrong password twice is a step towards a locked account.
        """
        signed_with = self.skew
        try:
            return await self._ask_once(operation, params)
        except NotAuthorized:
            if not await self._clock_was_set(since=signed_with):
                raise
        return await self._ask_once(operation, params)

    async def _clock_was_set(self, since: timedelta) -> bool:
        if self._settings.credentials is None:
            return False
        try:
            service = await self._ask_once(self.camera.create_devicemgmt_service)
            await self._read_clock(service.authless_GetSystemDateAndTime)
        except DeviceError:
            return False
        return abs(self.skew - since) > _JUMP

    async def _ask_once(self, operation: Callable[..., Coroutine[Any, Any, _Answer]], params: Any = None) -> _Answer:
        host = self._settings.host
        try:
            return await (operation() if params is None else operation(params))
        except DeviceError:
            raise
        except Fault as error:
            raise _of_fault(host, error) from error
        except TimeoutError as error:
            raise DeviceUnreachable(f"{host}: no answer within the time given; check the network") from error
        except (aiohttp.ServerDisconnectedError, ConnectionResetError) as error:
            raise ConnectionClosed(f"{host}: the camera closed the connection without an answer") from error
        except (aiohttp.ClientError, OSError) as error:
            raise DeviceUnreachable(
                f"{host}: {str(error) or type(error).__name__}; check address and network"
            ) from error
        except Exception as error:  # what the library raises on an answer it cannot read is without bound
            reason = f"{type(error).__name__}: {error!s:.200}"
            raise UnfitAnswer(f"{host}: answer cannot be read: {reason}", self._gate.passed) from error


def _of_fault(host: str, error: Fault) -> DeviceRefused:
    words = [error.code, error.message, *(getattr(code, "text", code) for code in error.subcodes or ())]
    said = " ".join(str(word) for word in words if word is not None)[:300]
    plain = said.lower().replace(" ", "")
    if any(word in plain for word in _REFUSALS):
        return NotAuthorized(
            f"{host}: the camera says {said!r}; give the username and password of a user of the camera"
        )
    return DeviceRefused(f"{host}: the camera says {said!r}")


def _address(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _text(answer: Any, name: str) -> str:
    value = getattr(answer, name, None)
    return value.strip() if isinstance(value, str) else ""


def _sound(at: Any) -> datetime | None:
    return read_time(at.isoformat()) if isinstance(at, datetime) else None


def _time_of(answer: Any) -> datetime | None:
    """The UTC time of an answer to GetSystemDateAndTime; ``None`` where there is no sound one."""
    try:
        date, day_time = answer.UTCDateTime.Date, answer.UTCDateTime.Time
        seconds = min(int(day_time.Second), 59)  # a leap second
        at = datetime(
            int(date.Year),
            int(date.Month),
            int(date.Day),
            int(day_time.Hour),
            int(day_time.Minute),
            seconds,
            tzinfo=UTC,
        )
    except (AttributeError, TypeError, ValueError):
        return None
    return at if at.year >= 1970 else None
