"""Many cameras in one process: what one of them costs, idle and pulled."""

import asyncio
import contextlib
import time
from pathlib import Path

import aiohttp
from aiohttp import DigestAuthMiddleware

from simulators.camera import CameraSimulator
from simulators.world import World
from tests.simulators.camera.bench import PASSWORD

CAMERAS = 100
OBSERVED_S = 3.0
MOST_MB = 0.3
MOST_CORE_SHARE = 0.005
"""Five times what is aimed at: other work runs on the machine."""

CREATE = (
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:v="http://www.onvif.org/ver10/events/wsdl">'
    "<e:Body><v:CreatePullPointSubscription/></e:Body></e:Envelope>"
)
PULL = (
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:v="http://www.onvif.org/ver10/events/wsdl">'
    "<e:Body><v:PullMessages><v:Timeout>PT5S</v:Timeout><v:MessageLimit>100</v:MessageLimit></v:PullMessages></e:Body>"
    "</e:Envelope>"
)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


async def test_a_hundred_cameras_are_light_idle_and_pulled() -> None:
    async with asyncio.timeout(90), contextlib.AsyncExitStack() as stack:
        await _one_first(stack)
        before_mb = resident_mb()
        cameras = [CameraSimulator(f"cam-{number}", World(), 0, 0, password=PASSWORD) for number in range(CAMERAS)]
        for camera in cameras:
            await camera.start()
            stack.push_async_callback(camera.stop)
        lives = [asyncio.create_task(camera.run()) for camera in cameras]
        try:
            idle = await _core_share()
            print(f"idle: {idle / CAMERAS:.4%} of a core, {(resident_mb() - before_mb) / CAMERAS:.3f} MB each")
            assert idle / CAMERAS < MOST_CORE_SHARE
            assert (resident_mb() - before_mb) / CAMERAS < MOST_MB
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                pulled = [asyncio.create_task(_pull(session, camera)) for camera in cameras]
                while any(camera.subscriptions == 0 for camera in cameras):
                    assert not any(one.done() for one in pulled)
                    await asyncio.sleep(0.05)
                busy = await _core_share()
                print(f"pulled: {busy / CAMERAS:.4%} of a core each, client included")
                assert busy / CAMERAS < 2 * MOST_CORE_SHARE  # the client is in here as well
                for one in pulled:
                    one.cancel()
                await asyncio.gather(*pulled, return_exceptions=True)
        finally:
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)


async def _one_first(stack: contextlib.AsyncExitStack) -> None:
    """What is loaded once for all is not counted."""
    first = CameraSimulator("cam-first", World(), 0, 0)
    await first.start()
    stack.push_async_callback(first.stop)


async def _core_share() -> float:
    """Processor time over real time."""
    began, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(OBSERVED_S)
    return (time.process_time() - cpu) / (time.monotonic() - began)


async def _pull(session: aiohttp.ClientSession, camera: CameraSimulator) -> None:
    digest = (DigestAuthMiddleware("admin", PASSWORD),)
    base = f"http://127.0.0.1:{camera.http_port}/onvif"
    async with session.post(f"{base}/event_service", data=CREATE, middlewares=digest) as response:
        address = (await response.text()).partition("<wsa:Address>")[2].partition("</wsa:Address>")[0]
    while True:
        async with session.post(address, data=PULL, middlewares=digest) as response:
            assert response.status == 200
            await response.read()
