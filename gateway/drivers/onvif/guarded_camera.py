"""The camera of the ONVIF library within our bounds."""

import asyncio
from datetime import timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from zeep import Settings as ZeepSettings

from gateway.drivers.onvif.library import ONVIFCamera
from gateway.drivers.onvif.settings import Settings
from gateway.drivers.onvif.soap_transport import SoapTransport

_READING: Final = ZeepSettings(strict=False, xml_huge_tree=False, forbid_dtd=True)

_LOADING: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()


class GuardedCamera(ONVIFCamera):  # type: ignore[misc]
    """The library's camera whose services use our transports and bounds."""

    def __init__(self, settings: Settings, calls: SoapTransport, pulls: SoapTransport) -> None:
        credentials = settings.credentials
        super().__init__(
            f"https://{settings.host}" if settings.tls else settings.host,
            settings.port,
            credentials.username if credentials else None,
            credentials.password if credentials else None,
            no_cache=True,  # the library's cache is a file in the user's home; the descriptions are files already
        )
        self._calls = calls
        self._pulls = pulls
        self._skew: timedelta | None = None

    async def create_onvif_service(
        self, name: str, port_type: str | None = None, read_timeout: int | None = None, write_timeout: int | None = None
    ) -> Any:
        # The library reads a description once for all cameras, but several times where several ask before it is read: eight
        # cameras that connect at once would cost 130 MB.
        async with _LOADING.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            service = await super().create_onvif_service(name, port_type, read_timeout, write_timeout)
        for client in (service.zeep_client, service.zeep_client_authless):
            client.transport = self._pulls if name == "pullpoint" else self._calls
            client.settings = _READING
            if self.user is None:
                client.wsse = None
        self._follow_clock(service)
        return service

    async def update_xaddrs(self) -> None:
        await super().update_xaddrs()
        self.follow_clock(self._skew)  # the library forgets it

    @property
    def skew(self) -> timedelta:
        """Camera minus gateway, as it is signed with; none where the camera's time is not known."""
        return self._skew or timedelta(0)

    def follow_clock(self, skew: timedelta | None) -> None:
        """Let what is signed from now on carry the camera's own time."""
        self._skew = skew
        self.dt_diff = skew  # for absolute times of subscriptions
        for service in self.services.values():
            self._follow_clock(service)

    def _follow_clock(self, service: Any) -> None:
        if service.zeep_client.wsse is not None:
            service.zeep_client.wsse.dt_diff = self._skew
