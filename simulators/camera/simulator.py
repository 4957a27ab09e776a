"""The simulated camera: model, ONVIF and RTSP together, and what can happen to them."""

import asyncio
import uuid
from collections.abc import Collection, Sequence
from typing import Final

from runtime.logs import get_logger
from simulators.camera.attack import ATTACKER, Attack
from simulators.camera.device_service import DeviceService
from simulators.camera.discovery import Discovery, probe_match
from simulators.camera.encoder import Encoder
from simulators.camera.event_service import EventService
from simulators.camera.failures import Failure, Parts, Standing, failures
from simulators.camera.identity import draw_identity
from simulators.camera.mishaps import Fate
from simulators.camera.model import Camera, Position
from simulators.camera.notifications import Publication
from simulators.camera.onvif_server import Logins, OnvifServer
from simulators.camera.properties import AUTH_FAILED, SHUTDOWN
from simulators.camera.quirks import Quirks
from simulators.camera.rtsp_server import RtspServer
from simulators.camera.subscriptions import PullPoints
from simulators.camera.video import PROFILES
from simulators.footfall.profile import VISITORS_A_DAY
from simulators.world import World

_log = get_logger(__name__)

_LOOK_S: Final = 1.0
"""Real seconds between two looks at the scene; every pull looks as well."""

_POSITION_WEIGHTS: Final = {Position.ENTRANCE: 0.2, Position.BACK_ROOM: 0.6, Position.OUTDOOR: 0.2}


class CameraSimulator:
    """A camera of a branch, as :class:`~simulators.device.SimulatedDevice`.

    What moves and ages follows the world's local time; what it stamps is its own clock, which is the real one a little off.

    Failures of what it sees: ``signal_loss``, ``sprayed``, ``moved``, ``blurred``, ``blinded``. Of what it is built of:
    ``disk_dying``, ``recording_stopped``, ``fan_failure``, ``power_supply_failure``, ``overheated``, ``cover_opened``,
    ``clock_wrong``. Of what it serves: ``unreachable`` (ports closed), ``encoder_hang`` (RTSP answers, no packets come),
    ``stream_lossy``, ``password_changed``, ``brute_force`` (failed logins, 20 a minute for 10 minutes),
    ``event_service_hang`` (no answers, then no subscriptions), ``pull_point_lost`` (its subscriptions are forgotten; over
    at once) and ``reboot`` (out of reach while it boots; :meth:`run` brings it back).

    Args:
        local_id: id inside the branch.
        world: world it lives in.
        http_port: port of its ONVIF services; 0 takes a free one, see :attr:`http_port`.
        rtsp_port: port of its streams; 0 takes a free one, see :attr:`rtsp_port`.
        username: name asked for.
        password: password asked for.
        quirks: where it departs from the standard.
        host: address to listen on.
        position: where it hangs; drawn where not given.
        visitors_a_day: of the branch, on an average weekday.
        cameras_added: cameras the recorder was not sized for, each costs 1 % of the retention.
        stream_scale: share of a real camera's bit rate that is streamed, so that many are cheap; what it says of its
            streams is scaled as well. A picture takes about 25 kbit/s whatever the share.
        session_timeout_s: silence in seconds after which an RTSP session ends.
        boot_s: real seconds a restart takes.
        mishaps: whether things also break by themselves, at the rates of real cameras.
        discovery_port: UDP port of WS-Discovery, 3702 as a rule; ``None`` for not at all.

    Raises:
        ValueError: an argument is out of its range.
    """

    kind = "camera"

    def __init__(
        self,
        local_id: str,
        world: World,
        http_port: int,
        rtsp_port: int,
        *,
        username: str = "admin",
        password: str = "camera-1234",  # noqa: S107  (the password of a camera that does not exist)
        quirks: Quirks | None = None,
        host: str = "127.0.0.1",
        position: Position | None = None,
        visitors_a_day: float = VISITORS_A_DAY[2],
        cameras_added: int = 0,
        stream_scale: float = 0.1,
        session_timeout_s: float = 60.0,
        boot_s: float = 5.0,
        mishaps: bool = False,
        discovery_port: int | None = None,
    ) -> None:
        if not 0 < stream_scale <= 1:
            raise ValueError(f"{local_id}: stream_scale {stream_scale}: expected more than 0 and at most 1")
        if session_timeout_s <= 0 or boot_s < 0:
            raise ValueError(f"{local_id}: session_timeout_s and boot_s cannot be below 0")
        self.local_id = local_id
        self.auth_failures = 0
        self._world = world
        self._host = host
        self._boot_ms = int(boot_s * 1000)
        chance = world.chance(f"{local_id}/camera")
        quirks = quirks or Quirks()
        self.identity = draw_identity(chance)
        local, now_ms = world.local_time(), world.clock.now_ms()
        self.model = Camera(
            position or chance.choices(tuple(_POSITION_WEIGHTS), tuple(_POSITION_WEIGHTS.values()))[0],
            chance,
            local,
            now_ms,
            visitors_a_day=visitors_a_day,
            recording=not quirks.without_recording,
            cameras_added=cameras_added,
        )
        self._publication = Publication(self.model, quirks)
        self._points = PullPoints()
        self._fate = Fate(self.model.position, world.chance(f"{local_id}/fate"), local, self.model.recorder)
        self._has_mishaps = mishaps
        line = world.chance(f"{local_id}/line")
        self._encoder = Encoder(self.model, username, password, stream_scale, session_timeout_s, line, self._refused)
        self._rtsp = RtspServer(self._encoder, host, rtsp_port)
        self._logins = Logins(
            username,
            password,
            world.clock,
            quirks.http_digest_only,
            not quirks.closes_on_empty_pull,
            self._refused,
        )
        self._device = DeviceService(self.model, self.identity, quirks, stream_scale)
        self._events = EventService(self.model, self._publication, self._points, quirks, world.clock, self._look)
        self._http = OnvifServer(
            self.model, self._device, self._events, self._logins, host, http_port, lambda: self._rtsp.port, self._look
        )
        self._discovery = None if discovery_port is None else Discovery(self._match, host, discovery_port)
        self._endpoint = f"urn:uuid:{uuid.UUID(int=chance.getrandbits(128), version=4)}"
        self._standing = Standing()
        self._attack = Attack()
        self._one_hand = asyncio.Lock()
        self._failures = failures(
            Parts(
                self.model,
                self._standing,
                self._attack,
                self._encoder,
                self._logins,
                self._events,
                self._points,
                password,
                world.clock.now_ms,
                self._reboot,
            )
        )

    @property
    def failures(self) -> Collection[str]:
        """Names of the failures that can be injected."""
        return tuple(self._failures)

    @property
    def http_port(self) -> int:
        """Port of the ONVIF services, the real one after :meth:`start`."""
        return self._http.port

    @property
    def rtsp_port(self) -> int:
        """Port of the streams, the real one after :meth:`start`."""
        return self._rtsp.port

    @property
    def discovery_port(self) -> int | None:
        """UDP port of WS-Discovery, the real one after :meth:`start`."""
        return None if self._discovery is None else self._discovery.port

    @property
    def stream_paths(self) -> Sequence[str]:
        """Paths of its RTSP addresses, the main stream first."""
        return tuple(profile.path for profile in PROFILES)

    @property
    def password(self) -> str:
        """Witness: the password it asks for now."""
        return self._logins.password

    @property
    def subscriptions(self) -> int:
        """Witness: pull points taken."""
        self._points.expire(self._world.clock.now_ms())
        return len(self._points)

    @property
    def streams(self) -> int:
        """Witness: streams being sent."""
        return self.model.streams

    @property
    def reboots(self) -> int:
        """Witness: restarts since it was made."""
        return self.model.reboots

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Serve.

        Raises:
            OSError: a port is taken.
        """
        self._standing.powered = True
        try:
            await self._settle()
        except OSError:
            await self.stop()
            raise

    async def run(self) -> None:
        """Live until cancelled."""
        while True:
            self._look()
            if self._has_mishaps:
                for happening in self._fate.happened(self._world.local_time()):
                    failure = self._find(happening.failure)
                    (failure.happen if happening.begins else failure.put_right)()
            try:
                await self._settle()
            except OSError as error:  # somebody took its port meanwhile; tried again with the next look
                _log.warning("simulated camera cannot listen", camera=self.local_id, error=str(error))
            await asyncio.sleep(_LOOK_S)

    async def stop(self) -> None:
        """Stop serving; connections are closed."""
        self._standing.powered = False
        self._points.end_all()
        await self._settle()

    async def inject(self, failure: str) -> None:
        """Let a failure happen now; one that is already there changes nothing.

        Raises:
            ValueError: no such failure.
        """
        self._find(failure).happen()
        self._look()
        await self._settle()

    async def repair(self, failure: str) -> None:
        """Put a failure right.

        Raises:
            ValueError: no such failure.
            OSError: its port was taken meanwhile.
        """
        self._find(failure).put_right()
        self._look()
        await self._settle()

    def _find(self, failure: str) -> Failure:
        if failure not in self._failures:
            raise ValueError(f"{self.local_id}: no failure {failure!r}; a camera has {', '.join(self._failures)}")
        self._look()
        return self._failures[failure]

    def _look(self) -> None:
        now_ms = self._world.clock.now_ms()
        self.model.advance(self._world.local_time(), now_ms)
        for _ in range(self._attack.attempts(now_ms)):
            self._refused(ATTACKER)
        self._points.expire(now_ms)
        self._points.publish(self._publication.news())
        boots_until_ms = self._standing.boots_until_ms
        if boots_until_ms is not None and now_ms >= boots_until_ms:
            self._standing.boots_until_ms = None

    async def _settle(self) -> None:
        """Open or close the ports, as things stand."""
        async with self._one_hand:
            reachable = self._standing.reachable
            for server in (self._http, self._rtsp):
                if reachable and not server.is_open:
                    await server.open()
                elif server.is_open and not reachable:
                    await server.close()
            if self._discovery is not None and reachable is not self._discovery.is_open:
                await (self._discovery.open() if reachable else self._discovery.close())

    # -- failures ------------------------------------------------------------------------------------------------------

    def _refused(self, peer: str) -> None:
        self.auth_failures += 1
        data = (("SourceIPv4", peer),)
        self._points.publish([self._publication.event(AUTH_FAILED, (("NetworkInterface", "eth0"),), data)])

    def _reboot(self) -> None:
        if self._standing.boots_until_ms is None:
            self._points.publish([self._publication.event(SHUTDOWN)])
            self._standing.boots_until_ms = self._world.clock.now_ms() + self._boot_ms
            self.model.reboot()
            self._points.end_all()

    def _match(self, datagram: bytes) -> bytes | None:
        at = self._device.address(self._host, self.http_port, self.rtsp_port)
        return probe_match(datagram, self._endpoint, self.identity.scopes, at.http("device_service"))
