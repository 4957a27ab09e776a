"""Our prober against GStreamer's RTSP server, which knows nothing of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.drivers.onvif.rtsp_conversation import Credentials
from gateway.drivers.onvif.stream_probe import Probe, StreamState, probe_stream

VIEWER = Credentials("viewer", "secret")
SERVER = Path(__file__).with_name("gstreamer_server.py")


@asynccontextmanager
async def gstreamer(authentication: str) -> AsyncIterator[str]:
    """Debian's Python runs it, which has GStreamer's bindings; its input ends, and so does it."""
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/python3", str(SERVER), authentication, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            port = int(await process.stdout.readline())
        yield f"rtsp://127.0.0.1:{port}/stream1"
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def probe(url: str, credentials: Credentials | None, *, play: bool) -> Probe:
    return await probe_stream(url, credentials, play=play, timeout_s=20, watch_s=1)


async def test_a_foreign_stream_is_described_and_its_packets_are_counted() -> None:
    async with gstreamer("none") as url:
        seen = await probe(url, None, play=True)
        assert seen.state is StreamState.OK, seen.detail
        assert seen.bitrate_bps is not None
        assert seen.bitrate_bps > 10_000
        assert seen.packet_loss == 0
        assert seen.connect_time_s is not None
        absent = await probe(f"{url}0", None, play=False)
    assert absent.state is StreamState.NOT_FOUND


async def test_a_foreign_server_accepts_our_digest_and_only_the_right_one() -> None:
    async with gstreamer("digest") as url:
        assert (await probe(url, None, play=True)).state is StreamState.UNAUTHORIZED
        assert (await probe(url, Credentials("viewer", "wrong"), play=True)).state is StreamState.UNAUTHORIZED
        seen = await probe(url, VIEWER, play=True)
    assert seen.state is StreamState.OK, seen.detail
    assert seen.bitrate_bps


@pytest.mark.parametrize("allowed", [True, False])
async def test_basic_is_answered_only_where_it_is_allowed(allowed: bool) -> None:
    async with gstreamer("basic") as url:
        seen = await probe(url, Credentials("viewer", "secret", basic_allowed=allowed), play=True)
    assert seen.state is (StreamState.OK if allowed else StreamState.UNAUTHORIZED), seen.detail
