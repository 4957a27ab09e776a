"""Writes what was found as the ``devices:`` of a gateway's settings, ready to be pasted. Pure.

Whatever a device says of itself stands in comments only, without a character that could end one.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

from contracts.devices import ATM, CAMERA, FOOTFALL_SENSOR, SELF_SERVICE_TERMINAL
from gateway.discovery.sighting import Look, Report, Sighting
from gateway.discovery.target import Target

_IDS: Final = {ATM.name: "atm", SELF_SERVICE_TERMINAL.name: "sst", CAMERA.name: "cam", FOOTFALL_SENSOR.name: "footfall"}
_COMMENT_MOST: Final = 400

_HEAD: Final = (
    "Proposed by: branchwatch gateway discover. Check each device, complete the lines that begin with #, then try the file:",
    "branchwatch gateway check FILE",
    "由 branchwatch gateway discover 生成。请逐台核对，补全以 # 开头的行，再运行 branchwatch gateway check FILE。",
)
_TAIL: Final = (
    "Alarm panels call by themselves and cannot be found by looking: docs/protocols/sia-dc09.md",
    "报警主机主动上报，无法扫描发现，请参照上述文档手工填写。",
)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as proposed.

    Attributes:
        address: where it was seen.
        kind: device kind.
        sightings: its connections, the leading one first.
        remarks: what else was seen at the address.
        is_certain: whether it is proposed outright, or as a comment.
    """

    address: str
    kind: str
    sightings: Sequence[Sighting]
    remarks: Sequence[str] = ()
    is_certain: bool = True


def devices_of(report: Report) -> list[Device]:
    """The devices at one address: a machine and its SNMP agent are one, a camera and the counter in it are two."""
    address, remarks = report.target.label, tuple(report.remarks)
    machine = [sighting for sighting in report.sightings if sighting.driver == "xfs"]
    agent = [sighting for sighting in report.sightings if sighting.driver == "snmp"]
    others = [sighting for sighting in report.sightings if sighting.driver not in {"xfs", "snmp"}]
    found: list[Device] = []
    if machine:
        kind = machine[0].kind
        found.append(
            Device(address, kind, [*machine, *(fitting for item in agent for fitting in _fitting(item, kind))])
        )
    sure = [sighting for sighting in others if sighting.is_certain]
    found += [Device(address, sighting.kind, [sighting]) for sighting in sure]
    if found:
        unused = [item for item in others if not item.is_certain] + ([] if machine else agent)
        also = tuple(f"also seen 另见: {item.what}" for item in unused)
        return [replace(found[0], remarks=(*also, *remarks)), *found[1:]]
    found += [Device(address, sighting.kind, [sighting], is_certain=False) for sighting in others]
    if agent and not others:
        advice = (
            "only if it is a terminal, or speaks for one: then it belongs into that terminal's connections",
            "仅当它是自助终端时启用；若为终端的打印机或 UPS，请并入该终端的 connections",
        )
        found.append(Device(address, SELF_SERVICE_TERMINAL.name, agent, advice, is_certain=False))
    return [replace(device, remarks=(*device.remarks, *remarks)) for device in found]


def _each_agent_once(reports: Sequence[Report]) -> list[Report]:
    """Where several ports of one address were looked at, their agent is seen at each: it is one machine's at most.

    It stays with the only machine; where there are several, nobody can tell whose it is, and it stands for itself.
    """
    seen: dict[tuple[str, int], list[Report]] = {}
    for report in reports:
        if any(sighting.driver == "snmp" for sighting in report.sightings):
            seen.setdefault((report.target.host, report.target.snmp_port), []).append(report)
    out = list(reports)
    for (host, snmp_port), sharing in seen.items():
        if len(sharing) == 1:
            continue
        machines = [report for report in sharing if any(sighting.driver == "xfs" for sighting in report.sightings)]
        owner = machines[0] if len(machines) == 1 else None
        for report in sharing:
            if report is not owner:
                out[out.index(report)] = replace(report, looks=_looks(report, agents=False))
        if owner is None:
            last = max(index for index, report in enumerate(out) if report.target.host == host)
            alone = Report(Target(host, snmp_port=snmp_port), _looks(sharing[0], agents=True))
            out.insert(last + 1, alone)
    return out


def _looks(report: Report, *, agents: bool) -> tuple[Look, ...]:
    """What was seen, either of agents alone or of all but agents."""
    return tuple(
        replace(
            look,
            sightings=[sighting for sighting in look.sightings if (sighting.driver == "snmp") is agents],
            remarks=() if agents else look.remarks,
        )
        for look in report.looks
    )


def _fitting(agent: Sighting, kind: str) -> Iterator[Sighting]:
    """The part of an agent that the kind has signals for: an ATM has no office printer."""
    section = {part: value for part, value in agent.connection.items() if kind != ATM.name or part != "printer"}
    if section:
        yield replace(agent, connection=section)


def write(reports: Sequence[Report], branch_id: str | None = None) -> str:
    """Write the proposal.

    Args:
        reports: what came of each address.
        branch_id: the branch, ``None`` to write only what is to be pasted under one.

    Returns:
        YAML; with a branch it is a whole settings file.
    """
    found = [device for report in _each_agent_once(reports) for device in devices_of(report)]
    lines = [*_comments("", _HEAD)]
    if branch_id is not None:
        lines += yaml.safe_dump({"branch_id": branch_id}, allow_unicode=True).splitlines()
    if any(device.is_certain for device in found):
        lines.append("devices:")
    else:
        lines.append("devices: []  # nothing is certain; without the brackets once there is one 启用设备时请删去方括号")
    numbers: Counter[str] = Counter()
    for device in found:
        numbers[device.kind] += 1
        local_id = f"{_IDS[device.kind]}-{numbers[device.kind]:02d}"
        lines += _comments("  ", (f"{device.address}: {item.what}" for item in device.sightings))
        lines += _comments("  ", device.remarks)
        lines += [f"  {line}" if device.is_certain else f"  # {line}" for line in _entry(device, local_id)]
    lines += [*_nothing(reports), "", *_comments("", _TAIL)]
    return "\n".join(lines) + "\n"


def _entry(device: Device, local_id: str) -> Iterator[str]:
    """Lines of one device, as they stand in the list."""
    yield f"- id: {local_id}"
    yield f"  kind: {device.kind}"
    if len(device.sightings) == 1:
        yield "  connection:"
        yield from (f"    {line}" for line in _section(device.sightings[0]))
        return
    yield "  connections:"
    for sighting in device.sightings:
        for number, line in enumerate(_section(sighting)):
            yield f"    {'  ' if number else '- '}{line}"


def _section(sighting: Sighting) -> Iterator[str]:
    content: dict[str, Any] = {"driver": sighting.driver, **sighting.connection}
    yield from yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True).splitlines()
    yield from _comments("", sighting.fill_in)


class _Plain(yaml.SafeDumper):
    """Writes what stands twice in full: an alias saves a line and helps nobody."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (the signature is PyYAML's)
        return True


def _nothing(reports: Sequence[Report]) -> Iterator[str]:
    """What was tried where nothing was found, addresses with the same fate together."""
    fates: dict[tuple[str, ...], list[str]] = {}
    for report in reports:
        if not report.sightings:
            ports = ", ".join(map(str, report.target.tcp_ports))
            state = "" if report.open_ports else f"no connection on TCP port {ports}"
            tried = "; ".join(text for text in (state, *(look.tried for look in report.looks)) if text)
            fates.setdefault((tried, *report.remarks), []).append(report.target.label)
    if fates:
        yield ""
        yield from _comments("", ("Nothing found 未发现设备:",))
    for (tried, *remarks), addresses in fates.items():
        yield from _comments("", (f"  {', '.join(_ranges(addresses))}",), most=8192)
        yield from _comments("", (f"    tried 已尝试: {tried}", *(f"    {remark}" for remark in remarks)))


def _ranges(addresses: Sequence[str]) -> Iterator[str]:
    """Addresses that follow one another as first-last."""
    first = last = ""
    for address in addresses:
        if last and _follows(last, address):
            last = address
            continue
        if first:
            yield first if first == last else f"{first}-{last}"
        first = last = address
    if first:
        yield first if first == last else f"{first}-{last}"


def _follows(last: str, address: str) -> bool:
    try:
        return int(ipaddress.ip_address(address)) == int(ipaddress.ip_address(last)) + 1
    except ValueError:
        return False


def _comments(indent: str, texts: Iterable[str], most: int = _COMMENT_MOST) -> list[str]:
    return [f"{indent}# {_harmless(text, most)}" for text in texts]


def _harmless(text: str, most: int) -> str:
    """A text on one line, without what a terminal or a YAML reader would take for more than text."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * most])
    return plain if len(plain) <= most else f"{plain[:most]}…"
