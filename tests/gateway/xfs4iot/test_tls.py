"""TLS: the machine has to prove who it is, and a service cannot lead the driver out of it."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.devices import ATM
from contracts.errors import DeviceUnreachable
from gateway.drivers.xfs4iot import Settings, create
from runtime.clock import SystemClock
from tests.conftest import free_port
from tests.gateway.xfs4iot.examples import DISPENSER_CAPABILITIES, DISPENSER_STATUS, STORAGE
from tests.gateway.xfs4iot.scripted_machine import Recorder, ScriptedMachine, ScriptedService
from tests.gateway.xfs4iot.test_conversation import running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 made for this run, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "machine.pem", folder / "machine.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=machine",
               "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return certificate, key


@pytest.fixture
async def machine(certificate: tuple[Path, Path]) -> AsyncIterator[ScriptedMachine]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    served = ScriptedMachine(free_port(), tls=context, scheme="wss")
    served.services["Alpha"] = ScriptedService(
        {
            "Common.Capabilities": DISPENSER_CAPABILITIES,
            "Common.SetVersions": {},
            "Common.Status": DISPENSER_STATUS,
            "Storage.GetStorage": STORAGE,
        }
    )
    await served.start()
    yield served
    await served.stop()


async def test_a_machine_with_a_trusted_certificate_is_read(
    machine: ScriptedMachine, certificate: tuple[Path, Path]
) -> None:
    sink = Recorder()
    trusting = Settings(host="127.0.0.1", ports=(machine.port,), tls_ca=certificate[0])
    async with running(create(trusting, ATM, SystemClock()), sink):
        await sink.until("cdm/unit1/count", 155)
        await sink.until("link/state", "up")


async def test_a_machine_with_a_strange_certificate_is_unreachable(machine: ScriptedMachine) -> None:
    distrusting = Settings(host="127.0.0.1", ports=(machine.port,))
    with pytest.raises(DeviceUnreachable, match=r"(?i)certificate"):
        await asyncio.wait_for(create(distrusting, ATM, SystemClock()).run(Recorder()), 10)
    assert machine.received == []


async def test_a_service_that_offers_no_tls_is_refused(
    machine: ScriptedMachine, certificate: tuple[Path, Path]
) -> None:
    machine.scheme = "ws"
    sink = Recorder()
    trusting = Settings(host="127.0.0.1", ports=(machine.port,), tls_ca=certificate[0])
    with pytest.raises(DeviceUnreachable, match="lists no usable services"):
        await asyncio.wait_for(create(trusting, ATM, SystemClock()).run(sink), 10)
    assert "expected wss://" in str(sink.refused[0][1])
    assert machine.commands() == ["ServicePublisher.GetServices"]
