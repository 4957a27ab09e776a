"""What a person may type as an address, and what is refused before anything is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ConfigurationError
from gateway.discovery.sighting import Manner
from gateway.discovery.target import TCP_PORTS, targets


def test_names_addresses_ports_and_networks_are_read_and_each_address_is_looked_at_once() -> None:
    found = targets(
        ["atm-01.branch", "10.4.21.7", "10.4.21.4/30", "10.4.21.7", "10.4.21.7:8443", "[fe80::1]:80", "fe80::2"]
    )
    assert [(target.host, len(target.tcp_ports)) for target in found] == [
        ("atm-01.branch", len(TCP_PORTS)),
        ("10.4.21.7", len(TCP_PORTS)),
        ("10.4.21.5", len(TCP_PORTS)),
        ("10.4.21.6", len(TCP_PORTS)),
        ("10.4.21.7", 1),
        ("fe80::1", 1),
        ("fe80::2", len(TCP_PORTS)),
    ]
    assert found[4].tcp_ports == (8443,)
    assert found[4].discovery_port is None


def test_a_port_that_is_asked_for_is_tried_beside_the_usual_ones() -> None:
    (target,) = targets(["10.4.21.7"], more_ports=(9000, 80))
    assert target.tcp_ports == (*TCP_PORTS, 9000)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["10.0.0.0/8"], "has 16777216 addresses, expected at most 256; give a smaller one such as 10.4.21.0/24"),
        (["::/0"], "expected at most 256"),
        (["10.4.21.0/24", "10.4.22.0/24"], "more than 256 addresses"),
        (["10.4.21.0/33"], "network '10.4.21.0/33'"),
        (["10.4.21"], "expected a name, an address"),
        (["10.4.21.300"], "expected a name, an address"),
        (["http://10.4.21.1/"], "expected one like 10.4.21.0/24"),
        (["a b"], "expected a name"),
        ([""], "expected a name"),
        (["10.4.21.7:0"], "port 0: expected 1 to 65535"),
        (["10.4.21.7:70000"], "port 70000"),
        (["224.0.0.1"], "names no single device"),
        (["0.0.0.0"], "names no single device"),
        (["255.255.255.255"], "names no single device"),
    ],
)
def test_what_cannot_be_looked_at_is_said_with_what_is_expected(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=None) as refused:
        targets(texts)
    assert said in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = targets([text])
    except ConfigurationError:
        return
    assert 1 <= len(found) <= 256
    assert all(target.host.isprintable() and " " not in target.host for target in found)


def test_more_addresses_are_looked_at_where_they_are_allowed() -> None:
    assert len(targets(["10.4.20.0/23"], most=512)) == 510


def test_a_community_of_ones_own_is_told_to_one_address_only_and_is_in_no_message() -> None:
    one, several = targets(["10.4.21.7"]), targets(["10.4.21.7", "10.4.21.8"])
    assert Manner.asking(several, 1).is_open_community
    assert Manner.asking(several, 1, "").community is None
    assert not Manner.asking(one, 1, "our-own-word").is_open_community
    with pytest.raises(ConfigurationError, match="is a password") as refused:
        Manner.asking(several, 1, "our-own-word")
    assert "our-own-word" not in str(refused.value)
    assert "our-own-word" not in repr(Manner.asking(one, 1, "our-own-word"))
