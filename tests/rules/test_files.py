"""Rule files: an error names file, line, rule, key, value and what is allowed."""

from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from rules.files import DEFAULT_CATALOGUE, load_rules

GOOD = """\
rules:
  - id: atm.stuck
    kinds: [atm]
    when:
      - state: cdm/transport
        in: [inoperative]
    severity: major
    family: jam
    component: cdm
    respond_s: 900
    en: {name: Stuck, cause: a, consequence: b, action: c}
    zh: {name: 卡住, cause: 甲, consequence: 乙, action: 丙}
"""


def complaint(tmp_path: Path, old: str, new: str) -> str:
    assert old in GOOD
    (tmp_path / "atm.yaml").write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_rules(tmp_path)
    return str(caught.value)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "atm.yaml").write_text(GOOD, encoding="utf-8")
    (rule,) = load_rules(tmp_path)
    assert (rule.id, rule.when[0].paths, rule.delays.on_ms) == ("atm.stuck", ("cdm/transport",), 0)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("[inoperative]", "[stuck]", [":6:", "rule atm.stuck", "when.0.in", "'stuck'", "inoperative", "ok"]),
        ("cdm/transport", "cdm/transprot", [":5:", "when.0", "'cdm/transprot'", "device catalogue"]),
        ("severity: major", "severity: bad", [":7:", "rule atm.stuck", "severity", "'bad'", "critical"]),
        ("family: jam", "family: jams", [":8:", "family", "'jams'", "consumable"]),
        ("respond_s: 900", "respond_s: soon", [":10:", "respond_s", "'soon'", "number"]),
        ("    component: cdm\n", "    component: cdm\n    colour: red\n", [":10:", "colour", "'red'", "unknown key"]),
        ("    severity: major\n", "", [":2:", "severity", "Field required"]),
        ("[atm]", "[toaster]", [":3:", "kinds.0", "'toaster'", "alarm_panel"]),
        ("in: [inoperative]", "below: 3", [":5:", "when.0", "below", "unknown key"]),
        (
            "state: cdm/transport",
            "stat: cdm/transport",
            [":5:", "when.0", "state, threshold, absent, increase, event, every"],
        ),
        (
            "state: cdm/transport\n        in: [inoperative]",
            "threshold: cdm/transport\n        above: 1",
            [":5:", "sort"],
        ),
        (
            "state: cdm/transport\n        in: [inoperative]",
            "absent: idc/anti_fraud\n        for_s: 9",
            [":5:", "absent"],
        ),
        ("state: cdm/transport\n        in: [inoperative]", "threshold: link/round_trip", [":5:", "above or below"]),
        ("id: atm.stuck", "id: Atm Stuck", [":2:", "id", "'Atm Stuck'", "pattern"]),
        ("in: [inoperative]", "in: [inoperative", ["not YAML"]),
    ],
)
def test_an_error_says_where_and_what_is_allowed(tmp_path: Path, old: str, new: str, wanted: list[str]) -> None:
    text = complaint(tmp_path, old, new)
    assert str(tmp_path / "atm.yaml") in text
    for part in wanted:
        assert part in text, text


def test_two_rules_of_one_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"b\.yaml: rule atm\.stuck: .*a\.yaml has a rule of this id"):
        load_rules(tmp_path)


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("jam", "jams").replace("major", "bad"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text("rules: []", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_rules(tmp_path)
    assert len(str(caught.value).splitlines()) == 3


def test_a_directory_without_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no rule files"):
        load_rules(tmp_path)


def test_a_clause_may_not_mix_repeated_and_single_paths(tmp_path: Path) -> None:
    new = "threshold: cdm/unit*/count\n        below: {signal: cdm/cash_value}"
    text = complaint(tmp_path, "state: cdm/transport\n        in: [inoperative]", new)
    assert "one part, one fault" in text


def test_only_counters_increase(tmp_path: Path) -> None:
    new = "increase: cdm/cash_value\n        at_least: 1\n        within_s: 60"
    text = complaint(tmp_path, "state: cdm/transport\n        in: [inoperative]", new)
    assert "a signal whose sort is counter, not gauge" in text


@pytest.mark.parametrize(
    ("every", "component"), [("cdm/unit*/status", "matched"), ("cdm/transport", "cdm"), ("cdm/unit*/count", "cdm")]
)
def test_a_clause_about_every_part_names_parts_and_its_rule_one_component(
    every: str, component: str, tmp_path: Path
) -> None:
    text = GOOD.replace("state: cdm/transport", f"every: {every}").replace("component: cdm", f"component: {component}")
    (tmp_path / "atm.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"names parts by \*|whose sort is state"):
        load_rules(tmp_path)


def test_the_default_catalogue_lies_beside_the_code() -> None:
    assert sorted(path.name for path in DEFAULT_CATALOGUE.glob("*.yaml")) == [
        "alarm_panel.yaml",
        "any_device.yaml",
        "atm.yaml",
        "camera.yaml",
        "footfall_sensor.yaml",
        "gateway.yaml",
        "machine.yaml",
        "power_supply.yaml",
        "self_service_terminal.yaml",
    ]
