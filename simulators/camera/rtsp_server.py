"""The camera's stream server: a protocol object a connection and a timer a stream, no tasks."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from simulators.camera.credentials import StreamGuard
from simulators.camera.encoder import Encoder
from simulators.camera.h264 import FRAMES_A_SECOND
from simulators.camera.rtsp import Reader, Request, Status, Unreadable, answer, channels, path_of
from simulators.camera.video import PROFILES, TRACK, Profile, VideoStream, description

CONNECTIONS: Final = 8
"""Connections a camera takes; more are refused with 453. Source: assumed."""

LOSSY_SHARE: Final = 0.05
"""Packets that do not arrive while the network is bad. Source: assumed."""

REPORT_EVERY_S: Final = 5.0
_LARGEST_BACKLOG_BYTES = 262_144
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"


class RtspServer:
    """Serves the camera's streams.

    Args:
        encoder: where pictures come from.
        host: address to listen on.
        port: port to listen on, 0 for any free one; :attr:`port` tells which.
    """

    def __init__(self, encoder: Encoder, host: str, port: int) -> None:
        self.port = port
        self._encoder = encoder
        self._host = host
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @property
    def is_open(self) -> bool:
        """Listens."""
        return self._server is not None

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._connections)

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._encoder, self._connections, lambda: self.is_open), self._host, self.port
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close port and connections."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # aborted transports tell their protocols in this turn of the loop; then timers are gone


class _Connection(asyncio.Protocol):
    """One client: at most one session with one stream."""

    def __init__(self, encoder: Encoder, connections: "set[_Connection]", is_open: Callable[[], bool]) -> None:
        self._encoder = encoder
        self._is_open = is_open
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._reader = Reader()
        self._guard = StreamGuard(encoder.username, "Stream")
        self._loop = asyncio.get_running_loop()
        self._session = ""
        self._stream: VideoStream | None = None
        self._channels = (0, 1)
        self._heard_at = self._loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next_frame_at = 0.0
        self._next_report_at = 0.0

    # -- connection ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if not self._is_open():  # accepted while the server closed
            transport.abort()
            return
        self._transport = transport
        self._connections.add(self)
        self._watch_silence()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            requests = self._reader.feed(data)
        except Unreadable:
            self._send(answer(Status.BAD_REQUEST, "0"))
            self._hang_up()
            return
        for request in requests:
            self._handle(request)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._end_session()
        if self._watch is not None:
            self._watch.cancel()
        self._connections.discard(self)

    def abort(self) -> None:
        """Break the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _send(self, content: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(content)

    def _watch_silence(self) -> None:
        left_s = self._heard_at + self._encoder.session_timeout_s - self._loop.time()
        if left_s <= 0:
            self._hang_up()
            return
        self._watch = self._loop.call_later(left_s, self._watch_silence)

    # -- requests ------------------------------------------------------------------------------------------------------

    def _handle(self, request: Request) -> None:
        status, headers, body = self._judge(request)
        self._send(answer(status, request.sequence, headers, body))
        if status is Status.OK and request.method == "PLAY":
            self._start_stream()
        if status is Status.NOT_ENOUGH_BANDWIDTH:
            self._hang_up()

    def _judge(self, request: Request) -> tuple[Status, Mapping[str, str], str]:
        if request.version != "RTSP/1.0":
            return Status.VERSION_NOT_SUPPORTED, {}, ""
        if len(self._connections) > CONNECTIONS:
            return Status.NOT_ENOUGH_BANDWIDTH, {}, ""
        if request.method == "OPTIONS":
            return Status.OK, {"Public": _METHODS, **self._named()}, ""
        if request.method not in _METHODS.split(", "):
            return Status.NOT_IMPLEMENTED, {"Public": _METHODS}, ""
        authorization = request.headers.get("authorization")
        if not self._guard.lets_in(authorization, request.method, request.target, self._encoder.password):
            if authorization is not None:
                self._encoder.refused(self._peer())
            return Status.UNAUTHORIZED, {"WWW-Authenticate": self._guard.challenge}, ""
        profile = _profile(request.target)
        if profile is None:
            return Status.NOT_FOUND, {}, ""
        match request.method:
            case "DESCRIBE":
                body = description(profile, self._encoder.limit_bps(profile), self._own_host())
                return Status.OK, {"Content-Base": f"{_aggregate(request.target)}/"}, body
            case "SETUP":
                return self._set_up(request, profile)
            case _:
                return self._control(request)

    def _set_up(self, request: Request, profile: Profile) -> tuple[Status, Mapping[str, str], str]:
        if self._timer is not None:
            return Status.NOT_VALID_IN_THIS_STATE, self._named(), ""
        wanted = channels(request.headers.get("transport", ""))
        if wanted is None:
            return Status.UNSUPPORTED_TRANSPORT, {}, ""
        chance = self._encoder.chance
        self._channels = wanted
        self._session = f"{chance.getrandbits(64):016X}"
        self._stream = VideoStream(profile, chance.getrandbits(32), chance.getrandbits(16), chance.getrandbits(32))
        transport = (
            f'RTP/AVP/TCP;unicast;interleaved={wanted[0]}-{wanted[1]};ssrc={self._stream.source:08X};mode="PLAY"'
        )
        timeout = f"{self._session};timeout={max(1, round(self._encoder.session_timeout_s))}"
        return Status.OK, {"Transport": transport, "Session": timeout}, ""

    def _control(self, request: Request) -> tuple[Status, Mapping[str, str], str]:
        """What a session is told: play, pause, stay alive, end."""
        named = request.headers.get("session", "").partition(";")[0].strip()
        if request.method in {"GET_PARAMETER", "SET_PARAMETER"} and not named:
            return Status.OK, {}, ""
        if self._stream is None or named != self._session:
            return Status.SESSION_NOT_FOUND, {}, ""
        session = self._named()
        match request.method:
            case "PLAY":
                track = f"{_aggregate(request.target)}/{TRACK}"
                info = f"url={track};seq={self._stream.sequence};rtptime={self._stream.timestamp}"
                return Status.OK, {**session, "Range": "npt=now-", "RTP-Info": info}, ""
            case "PAUSE":
                self._stop_stream()
            case "TEARDOWN":
                self._end_session()
        return Status.OK, session, ""

    def _named(self) -> dict[str, str]:
        return {"Session": self._session} if self._session else {}

    def _peer(self) -> str:
        peer = None if self._transport is None else self._transport.get_extra_info("peername")
        return "" if peer is None else str(peer[0])

    def _own_host(self) -> str:
        name = None if self._transport is None else self._transport.get_extra_info("sockname")
        return "0.0.0.0" if name is None else str(name[0])  # noqa: S104  (SDP's way to say: not known)

    # -- stream --------------------------------------------------------------------------------------------------------

    def _start_stream(self) -> None:
        if self._timer is None:
            self._encoder.camera.streams += 1
            self._next_frame_at = self._next_report_at = self._loop.time()
            self._play()

    def _stop_stream(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._encoder.camera.streams -= 1

    def _end_session(self) -> None:
        self._stop_stream()
        self._stream = None
        self._session = ""

    def _play(self) -> None:
        """Send the frames that are due; where the reader or this machine cannot keep up, frames are left out, not late."""
        stream, now = self._stream, self._loop.time()
        assert stream is not None
        due = int((now - self._next_frame_at) * FRAMES_A_SECOND) + 1
        if due > FRAMES_A_SECOND:
            stream.skip(due - FRAMES_A_SECOND)
        self._next_frame_at += due / FRAMES_A_SECOND
        for _ in range(min(due, FRAMES_A_SECOND)):
            self._send_frame(stream)
        if now >= self._next_report_at:
            self._next_report_at = now + REPORT_EVERY_S
            if not self._encoder.camera.encoder_hung:
                self._interleave(self._channels[1], stream.report(self._encoder.camera.camera_ms))
        self._timer = self._loop.call_at(self._next_frame_at, self._play)

    def _send_frame(self, stream: VideoStream) -> None:
        transport = self._transport
        congested = transport is None or transport.get_write_buffer_size() > _LARGEST_BACKLOG_BYTES
        if congested or self._encoder.camera.encoder_hung:
            stream.skip(1)
            return
        packets = stream.frame(self._encoder.rate_bps(stream.profile))
        if self._encoder.lossy:
            packets = [packet for packet in packets if self._encoder.chance.random() >= LOSSY_SHARE]
        head = bytes([0x24, self._channels[0]])
        self._send(b"".join(head + len(packet).to_bytes(2, "big") + packet for packet in packets))

    def _interleave(self, channel: int, packet: bytes) -> None:
        self._send(bytes([0x24, channel]) + len(packet).to_bytes(2, "big") + packet)


def _aggregate(target: str) -> str:
    return target.rstrip("/").removesuffix(f"/{TRACK}")


def _profile(target: str) -> Profile | None:
    path = path_of(target).removesuffix(f"/{TRACK}")
    return next((profile for profile in PROFILES if profile.path == path), None)
