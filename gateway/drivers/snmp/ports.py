"""Network ports: their state and what goes through them. Pure.

Source: RFC 2863, ifTable and ifXTable.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.driver import Observation
from gateway.drivers.snmp.numbering import Numbering
from gateway.drivers.snmp.values import Answers

_ENTRY: Final = "1.3.6.1.2.1.2.2.1"
_EXTENDED: Final = "1.3.6.1.2.1.31.1.1.1"
_DESCRIPTION: Final = f"{_ENTRY}.2"
_TYPE: Final = f"{_ENTRY}.3"
_ADMIN: Final = f"{_ENTRY}.7"
_OPERATION: Final = f"{_ENTRY}.8"
_IN_32: Final = f"{_ENTRY}.10"
_OUT_32: Final = f"{_ENTRY}.16"
_NAME: Final = f"{_EXTENDED}.1"
_IN_64: Final = f"{_EXTENDED}.6"
_OUT_64: Final = f"{_EXTENDED}.10"
_CONNECTOR: Final = f"{_EXTENDED}.17"

COLUMNS: Final = (_DESCRIPTION, _TYPE, _ADMIN, _NAME, _CONNECTOR)
ROWS_MOST: Final = 128
PORTS_MOST: Final = 16

_WITH_A_PLUG: Final = frozenset({6, 71, 117})
"""ethernetCsmacd, ieee80211, gigabitEthernet. Source: IANAifType-MIB."""
_FILTERS: Final = ("-qos", "-wfp", "lightweight filter", "packet scheduler", "npcap", "wan miniport")
"""Layers that Windows lists as ports of their own, and as Ethernet."""

_WORDS: Final = ("up", "down", "testing", "unknown", "dormant", "notPresent", "lowerLayerDown")
_UP: Final = 1
_NO: Final = 2

_MOST_64: Final = (1 << 64) - 1
_WRAP_32: Final = 1 << 32
_MOST_BIT_S: Final = 400e9
"""Faster than any port: a count that grew more was set anew."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port that is watched: its row in the agent's table and its number in ours."""

    row: str
    number: int


@dataclass(frozen=True, slots=True)
class Count:
    """Octets counted so far, at a moment of a steady clock, in 32 or 64 bits."""

    octets: int
    at_s: float
    wraps_at: int


def choose_ports(answers: Answers, numbering: Numbering, wanted: Collection[str]) -> tuple[Port, ...]:
    """Ports to watch.

    Args:
        answers: the tables' :data:`COLUMNS`.
        numbering: of the ports, by name.
        wanted: names of the ports to watch; empty for those with a plug that were switched on when first seen.
    """
    names = {name.casefold() for name in wanted}
    known = set(numbering.names)
    chosen: dict[str, Port] = {}
    for row in answers.rows(_TYPE):
        description = answers.text(f"{_DESCRIPTION}.{row}")
        name = answers.text(f"{_NAME}.{row}") or description
        is_wanted = (
            bool(names & {name.casefold(), description.casefold()}) if names else _has_plug(answers, row, description)
        )
        is_on = bool(names) or name in known or answers.number(f"{_ADMIN}.{row}", 1, 3) in {None, _UP}
        if not name or not is_wanted or not is_on or name in chosen:
            continue
        number = numbering.number(name)
        if number is not None:
            chosen[name] = Port(row, number)
    return tuple(chosen.values())


def oids_of(port: Port) -> tuple[str, ...]:
    """What to ask of a port."""
    return tuple(f"{column}.{port.row}" for column in (_OPERATION, _IN_64, _OUT_64, _IN_32, _OUT_32))


def read_ports(
    answers: Answers, ports: Collection[Port], before: Mapping[str, Count], now_s: float
) -> tuple[list[Observation], dict[str, Count]]:
    """States, and rates since the counts before.

    Args:
        answers: values of :func:`oids_of` each port.
        ports: the ports.
        before: counts of the last look by signal path; empty after a restart of the computer.
        now_s: moment of the answer on a steady clock, seconds.

    Returns:
        What was seen, and the counts for the next look.
    """
    seen: list[Observation] = []
    counts: dict[str, Count] = {}
    for port in ports:
        state = answers.number(f"{_OPERATION}.{port.row}", 1, len(_WORDS))
        if state is not None:
            seen.append(Observation(f"host/net{port.number}/oper_status", _WORDS[state - 1]))
        for word, wide, narrow in (("in_rate", _IN_64, _IN_32), ("out_rate", _OUT_64, _OUT_32)):
            path = f"host/net{port.number}/{word}"
            count = _count(answers, f"{wide}.{port.row}", f"{narrow}.{port.row}", now_s)
            if count is None:
                continue
            counts[path] = count
            rate = _bit_s(before[path], count) if path in before else None
            if rate is not None:
                seen.append(Observation(path, round(rate, 1)))
    return seen, counts


def _has_plug(answers: Answers, row: str, description: str) -> bool:
    if answers.number(f"{_TYPE}.{row}", 1, _WRAP_32) not in _WITH_A_PLUG:
        return False
    is_filter = any(word in description.casefold() for word in _FILTERS)
    return not is_filter and answers.number(f"{_CONNECTOR}.{row}", 1, 2) != _NO


def _count(answers: Answers, wide: str, narrow: str, now_s: float) -> Count | None:
    octets = answers.number(wide, 0, _MOST_64)
    if octets is not None:
        return Count(octets, now_s, _MOST_64 + 1)
    octets = answers.number(narrow, 0, _WRAP_32 - 1)
    return None if octets is None else Count(octets, now_s, _WRAP_32)


def _bit_s(before: Count, now: Count) -> float | None:
    """Mean rate between two counts; ``None`` where the count was set anew and not merely full."""
    elapsed_s = now.at_s - before.at_s
    if elapsed_s <= 0 or before.wraps_at != now.wraps_at:
        return None
    grown = (now.octets - before.octets) % now.wraps_at
    if now.octets < before.octets and grown >= now.wraps_at // 2:
        return None
    rate = grown * 8 / elapsed_s
    return rate if rate <= _MOST_BIT_S else None
