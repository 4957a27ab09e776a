"""Every scenario, as a demonstration that has to meet all it expects: faults, work orders, repairs, and no reading lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.scenario import load_scenario, scenario_names
from tests.conftest import free_port

EVENTFUL = [name for name in scenario_names() if load_scenario(name).steps and name != "demo"]
"""Those in which something happens; the demonstration's own has its own test."""


def test_there_are_scenarios_for_every_kind_of_device() -> None:
    kinds = {step.device.partition("-")[0] for name in EVENTFUL for step in load_scenario(name).steps if step.device}
    assert kinds == {"atm", "sst", "cam", "panel"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", EVENTFUL)
def test_a_scenario_raises_what_it_expects_and_nothing_else(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(name)
    report_path = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "branchwatch", "demo", "--scenario", name, "--branches", str(scenario.branches),
         "--duration", str(scenario.needs_s), "--port", str(free_port()), "--report", str(report_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(report_path.read_text())
    assert (report["readings"]["lost"], report["readings"]["doubled"]) == (0, 0)
    rules = {expected.rule for step in scenario.steps for expected in step.expect}
    assert set(report["faults"]["by_rule"]) == rules
    assert "Traceback" not in done.stdout + done.stderr
