"""Looks whether a camera's stream is there: OPTIONS, DESCRIBE, and now and then a short PLAY."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from contracts.errors import DeviceMisbehaved, DeviceUnreachable
from gateway.drivers.onvif.rtp import PacketCount
from gateway.drivers.onvif.rtsp_conversation import Conversation, Credentials
from gateway.drivers.onvif.rtsp_message import Answer, is_safe
from gateway.drivers.onvif.session_description import VideoTrack, find_video

_OK: Final = 200
_UNAUTHORIZED: Final = frozenset({401, 403})
_ABSENT: Final = frozenset({300, 301, 302, 303, 305, 404, 410, 454})
_TEARDOWN_S: Final = 2.0

WATCHED_MOST_BYTES: Final = 16_000_000
"""Bytes of one look; more than 40 Mbit/s for three seconds, which no branch camera sends."""


class StreamState(StrEnum):
    """Words of ``rtsp/state``."""

    OK = "ok"
    NO_VIDEO = "noVideo"
    NO_PACKETS = "noPackets"
    NOT_FOUND = "notFound"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a look at a stream showed.

    Attributes:
        state: how far up the ladder it came.
        detail: what failed, empty where nothing did.
        connect_time_s: from the connection's beginning to the description, ``None`` where it did not come to that.
        played: whether packets were waited for.
        bitrate_bps: bits a second, where packets came.
        packet_loss: share of packets missing, 0 to 1, where packets came.
        error: how the server broke the protocol.
        sample: the beginning of what it sent then.
    """

    state: StreamState
    detail: str = ""
    connect_time_s: float | None = None
    played: bool = False
    bitrate_bps: float | None = None
    packet_loss: float | None = None
    error: DeviceMisbehaved | None = None
    sample: bytes = b""

    @property
    def is_answered(self) -> bool:
        """Whether somebody is there, whatever the answer."""
        return self.state not in {StreamState.TIMEOUT, StreamState.REFUSED}


class _LadderEndsError(Exception):
    """The ladder ends here."""

    def __init__(self, state: StreamState, detail: str) -> None:
        self.state = state
        self.detail = detail
        super().__init__(detail)


def stream_url(said: str, host: str = "") -> str:
    """A stream's URL as it is asked for: without user and password, at the address the camera is configured with.

    Args:
        said: the URL as the camera or the operator gave it.
        host: name or address to put in place of its own, because a camera behind another network says the wrong one and
            because the password goes nowhere else; empty to leave it.

    Raises:
        DeviceMisbehaved: it is no RTSP URL.
    """
    try:
        parts = urlsplit(said)
        port = parts.port
    except ValueError as error:
        raise DeviceMisbehaved(f"stream URL {said[:200]!r}: {error}; expected rtsp://host:port/path") from error
    if parts.scheme.lower() != "rtsp" or not parts.hostname or not is_safe(said):
        raise DeviceMisbehaved(f"stream URL {said[:200]!r}: expected rtsp://host:port/path")
    name = host or parts.hostname
    netloc = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return urlunsplit(parts._replace(scheme="rtsp", netloc=f"{netloc}:{port}" if port else netloc))


async def probe_stream(
    url: str, credentials: Credentials | None, *, play: bool, timeout_s: float, watch_s: float
) -> Probe:
    """Go up the ladder; whatever happens is a result, and a session that was set up is torn down.

    Args:
        url: the stream, ``rtsp://``, without user and password.
        credentials: user at the camera.
        play: whether to wait for packets.
        timeout_s: longest wait for the connection and for each answer.
        watch_s: how long packets are counted.
    """
    ladder = _Ladder(url, credentials, timeout_s, watch_s)
    try:
        return await ladder.climb(play=play)
    except _LadderEndsError as failed:
        return Probe(failed.state, failed.detail, ladder.connect_time_s, ladder.played)
    except ConnectionRefusedError as error:
        return Probe(StreamState.REFUSED, f"{url}: {error.strerror or error}")
    except DeviceUnreachable as error:
        return Probe(StreamState.TIMEOUT, str(error), ladder.connect_time_s, ladder.played)
    except DeviceMisbehaved as error:
        return Probe(
            StreamState.UNKNOWN, str(error), ladder.connect_time_s, ladder.played, error=error, sample=ladder.sample
        )
    except OSError as error:  # closed in the middle
        return Probe(StreamState.REFUSED, f"{url}: {error}", ladder.connect_time_s, ladder.played)


class _Ladder:
    def __init__(self, url: str, credentials: Credentials | None, timeout_s: float, watch_s: float) -> None:
        self._url = url
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._watch_s = watch_s
        self._conversation: Conversation | None = None
        self.connect_time_s: float | None = None
        self.played = False

    @property
    def sample(self) -> bytes:
        return b"" if self._conversation is None else self._conversation.sample

    async def climb(self, *, play: bool) -> Probe:
        began_s = time.monotonic()
        async with await Conversation.open(self._url, self._credentials, self._timeout_s) as conversation:
            self._conversation = conversation
            options = await conversation.ask("OPTIONS", self._url)
            if options.status in _UNAUTHORIZED:  # else any answer will do: some cameras know no OPTIONS
                _check("OPTIONS", options)
            described = await conversation.ask("DESCRIBE", self._url, {"Accept": "application/sdp"})
            _check("DESCRIBE", described)
            self.connect_time_s = round(time.monotonic() - began_s, 4)
            base_url = described.header("content-base") or described.header("content-location") or self._url
            track = find_video(described.body, base_url if is_safe(base_url) else self._url)
            if track is None:
                raise _LadderEndsError(StreamState.NO_VIDEO, f"{self._url}: the description has no video track")
            if not play:
                return Probe(StreamState.OK, connect_time_s=self.connect_time_s)
            self.played = True
            return await self._play(conversation, track)

    async def _play(self, conversation: Conversation, track: VideoTrack) -> Probe:
        transport = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
        answer = await conversation.ask("SETUP", track.track_url, transport)
        _check("SETUP", answer)
        session = answer.header("session").partition(";")[0].strip()
        if not is_safe(session):
            raise DeviceMisbehaved(f"RTSP: SETUP answered without a usable Session, got {session[:80]!r}")
        try:
            conversation.count = count = PacketCount()
            _check(
                "PLAY", await conversation.ask("PLAY", track.session_url, {"Session": session, "Range": "npt=0.000-"})
            )
            watched_s = await conversation.watch(self._watch_s, WATCHED_MOST_BYTES)
        finally:
            await _tear_down(conversation, track.session_url, session)
        if count.packets == 0:
            raise _LadderEndsError(
                StreamState.NO_PACKETS, f"{self._url}: no RTP packet within {self._watch_s:g} s of PLAY"
            )
        return Probe(
            StreamState.OK,
            connect_time_s=self.connect_time_s,
            played=True,
            bitrate_bps=round(count.bytes * 8 / max(watched_s, 1e-3)),
            packet_loss=round(count.loss, 4),
        )


def _check(method: str, answer: Answer) -> None:
    if answer.status == _OK:
        return
    if answer.status in _UNAUTHORIZED:
        state = StreamState.UNAUTHORIZED
    elif answer.status in _ABSENT:
        state = StreamState.NOT_FOUND
    else:
        state = StreamState.REFUSED
    raise _LadderEndsError(state, f"{method} is answered {answer.status}, expected 200")


async def _tear_down(conversation: Conversation, url: str, session: str) -> None:
    """Give the session back: a camera has few of them and keeps one that is not torn down for a minute."""
    with contextlib.suppress(DeviceUnreachable, DeviceMisbehaved, OSError, TimeoutError):
        async with asyncio.timeout(_TEARDOWN_S):
            await conversation.ask("TEARDOWN", url, {"Session": session})
