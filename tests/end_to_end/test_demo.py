"""The demonstration as the README starts it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import free_port


@pytest.mark.timeout(240)
def test_the_demonstration_meets_all_it_expects_and_says_so_in_its_report(tmp_path: Path) -> None:
    report_path = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "branchwatch", "demo", "--branches", "5", "--duration", "75", "--port", str(free_port()),
         "--report", str(report_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=220, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(report_path.read_text())
    assert set(report) == {
        "duration_s", "branches", "devices", "packs", "readings", "faults", "work_orders", "latency_ms", "expectations",
    }  # fmt: skip
    assert (report["branches"], report["devices"]) == (5, 55)
    assert (report["readings"]["lost"], report["readings"]["doubled"]) == (0, 0)
    assert report["readings"]["stored"] == report["readings"]["produced"] > 1000
    assert len(report["faults"]["by_rule"]) >= 5
    assert report["work_orders"]["closed"] >= 1
    assert report["latency_ms"]["device_to_fault"]["p99"] < 1000
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.timeout(120)
@pytest.mark.parametrize("when", ["Starting broker", "are connected"])
def test_ctrl_c_ends_the_demonstration_in_order_also_while_it_starts(when: str, tmp_path: Path) -> None:
    """A terminal sends its interrupt to every process of the foreground group."""
    with subprocess.Popen(
        [sys.executable, "-m", "branchwatch", "demo", "--branches", "1", "--port", str(free_port())],
        cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as demo:  # fmt: skip
        assert demo.stdout is not None
        seen = []
        for line in demo.stdout:
            seen.append(line)
            if when in line:
                break
        os.killpg(demo.pid, signal.SIGINT)
        seen += demo.stdout.readlines()
        assert demo.wait(timeout=60) == 0, "".join(seen)
    assert "Traceback" not in "".join(seen)
    assert list(tmp_path.iterdir()) == [], "the temporary directory is left behind"
