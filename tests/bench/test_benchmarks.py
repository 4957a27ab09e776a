"""Each benchmark runs, prints one JSON object, and what it says can be."""

import json
import subprocess
import sys
from typing import Any


def run(name: str, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--json", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_the_rules_are_measured_where_some_readings_change_a_verdict() -> None:
    found = run("rules", "--series", "5000", "--seconds", "0.05")
    assert set(found) == {"series", "rules", "changed_ratio", "readings_per_s_per_core"}
    assert found["series"] == 5000
    assert found["rules"] > 10
    assert 0.0005 < found["changed_ratio"] < 0.005
    assert found["readings_per_s_per_core"] > 0


def test_the_intake_is_measured_and_nothing_is_lost_on_the_way() -> None:
    found = run("ingest", "--seconds", "0.5", "--gateways", "20", "--backfill", "0.2", "--overload", "3")
    assert set(found) == {
        "readings_per_s", "cpu_us_per_reading", "rss_mb", "stored", "lost", "doubled", "bytes_per_reading",
        "ordered_bytes_per_reading", "lag_ms_p50", "lag_ms_p99", "broker_cpu_us_per_reading", "generator_cpu_us_per_reading", "rules", "store", "broker", "overload",
    }  # fmt: skip
    assert found["stored"] >= 20 * 200 + 0.5 * found["readings_per_s"]
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert found["readings_per_s"] > 0
    assert found["cpu_us_per_reading"] > 0
    assert 30 < found["rss_mb"] < 1024
    assert found["ordered_bytes_per_reading"] > 0
    assert found["bytes_per_reading"] > 0
    assert 0 <= found["lag_ms_p50"] <= found["lag_ms_p99"]
    assert found["overload"]["offered_per_s"] > 0


def test_the_intake_can_be_measured_at_a_rate_with_the_rules_behind_it_and_another_broker() -> None:
    found = run(
        "ingest", "--seconds", "0.5", "--gateways", "3", "--rate", "5000", "--rules", "default", "--broker", "mosquitto"
    )
    assert (found["rules"], found["broker"], found["overload"]) == ("default", "mosquitto", None)
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert 0 < found["readings_per_s"] < 15_000


def test_a_gateway_of_twenty_devices_is_measured_as_the_kernel_sees_it() -> None:
    found = run("gateway", "--settle", "8", "--seconds", "2")
    assert found["devices"] == 20
    assert found["drivers"] == {"xfs": 6, "snmp": 2, "onvif": 8, "dc09": 2, "axis": 2, "milesight": 2}
    assert 20 < found["rss_mb"] <= found["peak_rss_mb"]
    assert found["core_percent"] >= 0
    assert found["seconds"] >= 2


def test_the_recovery_is_measured_and_nothing_is_lost_on_the_way() -> None:
    found = run("recovery", "--branches", "2", "--readings", "2000", "--hours", "1")
    assert set(found) == {
        "branches", "backlog", "signals", "current_state_s", "backlog_s", "live", "live_p50_ms", "live_p99_ms",
        "live_max_ms", "lost", "doubled",
    }  # fmt: skip
    assert (found["branches"], found["lost"], found["doubled"]) == (2, 0, 0)
    assert found["backlog"] >= 4000
    assert found["signals"] > 100
    assert found["backlog_s"] > 0


def test_the_review_is_measured_with_holes_that_are_asked_for() -> None:
    found = run("review", "--gateways", "50", "--reviews", "12", "--missing", "0.1")
    assert set(found) == {"gateways", "holes", "quiet_ms", "review_ms"}
    assert (found["gateways"], found["holes"]) == (50, 5)
    assert found["quiet_ms"] > 0
    assert found["review_ms"] > 0
