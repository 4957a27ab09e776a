"""The camera found by WS-Discovery, with messages written and read by the WSDiscovery library, which is not ours."""

import asyncio
import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from wsdiscovery import QName  # type: ignore[import-untyped]
from wsdiscovery.actions.probe import constructProbe  # type: ignore[import-untyped]
from wsdiscovery.message import createSOAPMessage, parseSOAPMessage  # type: ignore[import-untyped]

from simulators.camera.discovery import GROUP, LARGEST_PROBE_BYTES, PORT, probe_match
from tests.simulators.camera.bench import WAIT_S, bench

VIDEO = QName("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter")
PRINTER = QName("http://www.onvif.org/ver10/network/wsdl", "Printer")


def probe(*types: Any) -> tuple[bytes, str]:
    envelope = constructProbe(list(types), [])
    return createSOAPMessage(envelope).encode(), envelope.getMessageId()


async def answers(content: bytes, to: tuple[str, int], count: int) -> list[Any]:
    """Ask and give so many answers, as the library reads them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.setblocking(False)
        asker.bind(("127.0.0.1", 0))
        asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(asker, content, to)
        async with asyncio.timeout(WAIT_S):
            return [parseSOAPMessage(await loop.sock_recv(asker, 65536), "127.0.0.1") for _ in range(count)]


async def test_a_camera_that_is_asked_says_where_its_services_are() -> None:
    async with bench(discovery_port=0) as one:
        assert one.camera.discovery_port
        content, message_id = probe(VIDEO)
        (answer,) = await answers(content, ("127.0.0.1", one.camera.discovery_port), 1)
        assert answer.getRelatesTo() == message_id
        (match,) = answer.getProbeResolveMatches()
        assert match.getXAddrs() == [f"http://127.0.0.1:{one.camera.http_port}/onvif/device_service"]
        assert [kind.getLocalname() for kind in match.getTypes()] == ["NetworkVideoTransmitter"]
        assert any(one.camera.identity.model in scope.getValue() for scope in match.getScopes())
        assert match.getEPR().startswith("urn:uuid:")


async def test_all_cameras_of_a_network_answer_one_question() -> None:
    async with bench(discovery_port=PORT, seed=1) as one, bench(discovery_port=PORT, seed=2) as other:
        found = await answers(probe(VIDEO)[0], (GROUP, PORT), 2)
        ports = {answer.getProbeResolveMatches()[0].getXAddrs()[0] for answer in found}
        assert ports == {f"http://127.0.0.1:{camera.camera.http_port}/onvif/device_service" for camera in (one, other)}


async def test_an_unreachable_camera_is_not_found() -> None:
    async with bench(discovery_port=PORT, seed=1) as one, bench(discovery_port=PORT, seed=2) as other:
        await one.camera.inject("unreachable")
        (answer,) = await answers(probe(VIDEO)[0], (GROUP, PORT), 1)
        address = answer.getProbeResolveMatches()[0].getXAddrs()[0]
        assert address == f"http://127.0.0.1:{other.camera.http_port}/onvif/device_service"


def test_a_probe_for_anything_is_answered_and_one_for_something_else_is_not() -> None:
    assert probe_match(probe()[0], "urn:uuid:1", "", "http://a/") is not None
    assert probe_match(probe(PRINTER)[0], "urn:uuid:1", "", "http://a/") is None
    assert probe_match(probe(VIDEO)[0] + b" " * LARGEST_PROBE_BYTES, "urn:uuid:1", "", "http://a/") is None


@given(st.binary(max_size=300))
def test_random_datagrams_are_not_answered(content: bytes) -> None:
    assert probe_match(content, "urn:uuid:1", "", "http://a/") is None
