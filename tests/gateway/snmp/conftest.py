import subprocess
from collections.abc import Iterator

import pytest

from tests.gateway.snmp.agents import RECORDED, free_udp_port, snmpsim_command, wait_for_agent


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One snmpsim with all recordings, for the tests that do not stop it. Its port."""
    directory = tmp_path_factory.mktemp("snmpsim")
    port = free_udp_port()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            snmpsim_command(RECORDED, directory / "cache", port), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        wait_for_agent(port, "windows", process.poll)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
