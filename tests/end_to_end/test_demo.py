"""The demonstration as the README starts it."""

import json
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
    assert (report["branches"], report["devices"]) == (5, 25)
    assert (report["readings"]["lost"], report["readings"]["doubled"]) == (0, 0)
    assert report["readings"]["stored"] == report["readings"]["produced"] > 1000
    assert len(report["faults"]["by_rule"]) >= 5
    assert report["work_orders"]["closed"] >= 1
    assert report["latency_ms"]["device_to_fault"]["p99"] < 1000
    assert "Traceback" not in done.stdout + done.stderr
