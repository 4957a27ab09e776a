"""One device, several drivers: what becomes of what each of them says of the link."""

from contracts.devices import SELF_SERVICE_TERMINAL
from gateway.driver import Observation
from gateway.links import Links
from gateway.reporter import Reporter


def say(links: Links, driver: str, path: str, value: float | str) -> list[tuple[str, float | str]]:
    return [(item.path, item.value) for item in links.merged(driver, [Observation(path, value)])]


def test_one_driver_is_the_device() -> None:
    links = Links()
    for word in ("up", "degraded", "down", "unknown"):
        assert say(links, "xfs", "link/state", word) == [("link/state", word)]


def test_all_up_is_up_none_is_down_and_anything_between_is_degraded() -> None:
    links = Links()
    assert say(links, "xfs", "link/state", "up") == [("link/state", "up")]
    assert say(links, "snmp", "link/state", "down") == [("link/state", "degraded")]
    assert say(links, "xfs", "link/state", "down") == [("link/state", "down")]
    assert say(links, "snmp", "link/state", "up") == [("link/state", "degraded")]
    assert say(links, "xfs", "link/state", "up") == [("link/state", "up")]


def test_counters_are_summed_and_what_can_only_have_one_value_is_the_first_drivers() -> None:
    links = Links()
    say(links, "xfs", "link/reconnects", 2)
    assert say(links, "snmp", "link/reconnects", 3) == [("link/reconnects", 5)]
    assert say(links, "xfs", "link/round_trip", 0.04) == [("link/round_trip", 0.04)]
    assert say(links, "snmp", "link/round_trip", 0.02) == []
    assert say(links, "snmp", "host/cpu", 0.5) == [("host/cpu", 0.5)]
    assert say(links, "snmp", "ups/battery", "normal") == [("ups/battery", "normal")]
    assert say(links, "xfs", "ups/battery", "low") == []
    assert say(links, "snmp", "ups/battery", "low") == [("ups/battery", "low")]


def test_a_merged_link_is_what_the_catalogue_allows() -> None:
    links, reporter = Links(), Reporter("BR0421/sst-01", SELF_SERVICE_TERMINAL)
    for driver, word in (("xfs", "up"), ("snmp", "down"), ("snmp", "up"), ("xfs", "down")):
        report = reporter.take(links.merged(driver, [Observation("link/state", word)]), 1_800_000_000_000)
        assert report.refusals == ()


def test_who_is_down_no_longer_speaks_for_what_two_can_see() -> None:
    links = Links()
    assert say(links, "xfs", "ups/battery", "normal") == [("ups/battery", "normal")]
    say(links, "xfs", "link/state", "down")
    assert say(links, "snmp", "ups/battery", "low") == [("ups/battery", "low")]
    say(links, "xfs", "link/state", "up")
    assert say(links, "xfs", "ups/battery", "normal") == []
    assert links.told_by("ups/battery") == "snmp"
