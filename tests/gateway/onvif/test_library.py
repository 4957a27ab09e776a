"""Importing the ONVIF library, which would set up the process's logs if it were let."""

import subprocess
import sys

_LOOK = """
import logging
before = (logging.getLogger().handlers[:], logging.getLogger().level)
import gateway.drivers.onvif.camera_client
assert (logging.getLogger().handlers, logging.getLogger().level) == before, logging.getLogger().handlers
"""


def test_the_logs_of_the_process_are_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
