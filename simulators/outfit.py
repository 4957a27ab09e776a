"""What stands in a simulated branch: ten devices of as many makers as branches really have.

Source of the shares: message majors and panel encryption as installed fleets have them; all others are assumed.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from simulators import access, alarm_panel, camera, footfall, milesight, terminal, xfs4iot
from simulators.access import HOST, Access, Address
from simulators.alarm_panel.day import WITHOUT_MISHAPS, Habits
from simulators.alarm_panel.installation import draw_installation
from simulators.alarm_panel.zones import AREAS
from simulators.atm import AtmSimulator
from simulators.device import SimulatedDevice
from simulators.terminal.machine import APPLICATION
from simulators.world import World

MAJOR_SHARES: Final = {1: 0.20, 2: 0.45, 3: 0.35}
"""Message formats of XFS4IoT over all machines."""

KAL_SHARE: Final = 0.25
"""Machines whose server follows KAL's reading of the specification."""

QUIRK_SHARE: Final = 0.1
"""Machines and sensors with each of the other peculiarities."""

UDP_SHARE: Final = 0.25
"""Panels that report over UDP."""

SWAPPED_SHARE: Final = 0.02
"""People counters mounted the wrong way round. Source: installers' experience."""

STREAM_SCALE: Final = 0.02
"""Share of a real camera's bit rate that simulated branches stream, so that hundreds of cameras are cheap."""

HARDWARE_ERROR_SHARE: Final = 0.3
"""Jams after which a dispenser gives up altogether."""

_REPLY_TIMEOUT_S: Final = 5
_INTERVAL_S, _HURRIED_INTERVAL_S = 60, 5
_SUPERVISION_S, _HURRIED_SUPERVISION_S = 60.0, 10.0


@dataclass(frozen=True, slots=True)
class Room:
    """The branch as a device finds it.

    Attributes:
        branch_id: branch.
        world: world in the scope of the branch.
        mishaps: whether things also break by themselves.
    """

    branch_id: str
    world: World
    mishaps: bool

    @property
    def is_hurried(self) -> bool:
        """An hour of use takes less than one, so what is told every minute has to be told more often."""
        return self.world.pace > 1

    @property
    def interval_s(self) -> int:
        """How often a people counter pushes."""
        return _HURRIED_INTERVAL_S if self.is_hurried else _INTERVAL_S

    @property
    def supervision_s(self) -> float:
        """How often a silent panel says that it is there."""
        return _HURRIED_SUPERVISION_S if self.is_hurried else _SUPERVISION_S


Installed = tuple[SimulatedDevice, tuple[Access, ...]]


@dataclass(frozen=True, slots=True)
class Fitting:
    """A place for one device.

    Attributes:
        local_id: id inside the branch.
        kind: kind of the device.
        ports: loopback ports it takes.
        install: makes the device of a room with its random source and its ports, and says how the gateway reaches it.
    """

    local_id: str
    kind: str
    ports: int
    install: Callable[[str, Room, random.Random, Sequence[int]], Installed]

    def fit(self, room: Room, ports: Sequence[int]) -> tuple[SimulatedDevice, Address]:
        """Put the device into its place."""
        chance = room.world.chance(f"{self.local_id}/outfit")
        device, accesses = self.install(self.local_id, room, chance, ports)
        return device, Address(self.local_id, self.kind, accesses)


def _dispenser(local_id: str, room: Room, chance: random.Random, ports: Sequence[int]) -> Installed:
    return _atm(local_id, room, _machine_quirks(2, chance), ports, recycler=False)


def _recycler(local_id: str, room: Room, chance: random.Random, ports: Sequence[int]) -> Installed:
    return _atm(local_id, room, _machine_quirks(draw_major(chance, 1, 3), chance), ports, recycler=True)


def _atm(local_id: str, room: Room, quirks: xfs4iot.Quirks, ports: Sequence[int], *, recycler: bool) -> Installed:
    (port,) = ports
    share = HARDWARE_ERROR_SHARE if room.mishaps else 0.0
    device = AtmSimulator(local_id, room.world, port, quirks=quirks, recycler=recycler, hardware_error_share=share)
    return device, (access.Xfs(port),)


def _terminal(local_id: str, room: Room, chance: random.Random, ports: Sequence[int]) -> Installed:
    port, snmp_port = ports
    quirks = _machine_quirks(draw_major(chance, 1, 2, 3), chance)
    snmp_quirks = terminal.SnmpQuirks(
        short_error_bits=_has(chance), date_without_zone=_has(chance), counters_32_only=_has(chance)
    )
    device = terminal.TerminalSimulator(
        local_id, room.world, port, snmp_port, quirks=quirks, snmp_quirks=snmp_quirks, crash_service="Scanner1"
    )
    ways = (access.Xfs(port, ("IdCardReader1",)), access.Snmp(snmp_port, "public", APPLICATION))
    return device, ways


def _camera(local_id: str, room: Room, chance: random.Random, ports: Sequence[int]) -> Installed:
    http_port, rtsp_port = ports
    username, password = "monitor", f"camera-{chance.randrange(10**6):06d}"
    quirks = replace(
        camera.Quirks.drawn(chance),
        capital_booleans=_has(chance),
        http_digest_only=_has(chance),
        closes_on_empty_pull=_has(chance),
        relative_addresses_wrong=_has(chance),
    )
    device = camera.CameraSimulator(
        local_id,
        room.world,
        http_port,
        rtsp_port,
        username=username,
        password=password,
        quirks=quirks,
        stream_scale=STREAM_SCALE,
        mishaps=room.mishaps,
    )
    return device, (access.Onvif(http_port, username, password),)


def _panel(local_id: str, room: Room, chance: random.Random, ports: Sequence[int]) -> Installed:
    (port,) = ports
    installed = draw_installation(chance)
    transport: Literal["tcp", "udp"] = "udp" if chance.random() < UDP_SHARE else "tcp"
    quirks = alarm_panel.Quirks(
        without_receiver_field=_has(chance),
        without_timestamp=_has(chance),
        several_frames_at_once=_has(chance),
        frames_in_pieces=_has(chance),
        noise_before_frames=_has(chance),
        lower_case_hex=_has(chance),
    )
    digits = room.branch_id[2:]
    account = f"{int(digits) if digits.isdecimal() else 0:04d}"
    device = alarm_panel.AlarmPanelSimulator(
        local_id,
        room.world,
        (HOST, port),
        account,
        transport=transport,
        key=installed.key,
        quirks=quirks,
        zones=installed.zones,
        habits=Habits() if room.mishaps else WITHOUT_MISHAPS,
        supervision_s=room.supervision_s,
        reply_timeout_s=_REPLY_TIMEOUT_S,
        lose_replies=installed.lose_replies if room.mishaps else 0.0,
        clock_offset_s=installed.clock_offset_s,
        drift_s_a_day=installed.drift_s_a_day,
    )
    zones = tuple(zone.number for zone in installed.zones)
    return device, (
        access.Dc09(port, account, transport, installed.key, zones, AREAS, supervision_s=room.supervision_s),
    )


def _asked_counter(local_id: str, room: Room, chance: random.Random, ports: Sequence[int]) -> Installed:
    (port,) = ports
    username, password = "monitor", f"counter-{chance.randrange(10**6):06d}"
    swapped = chance.random() < SWAPPED_SHARE
    device = footfall.FootfallSimulator(
        local_id,
        room.world,
        port,
        credentials=(username, password),
        quirks=footfall.Quirks(old_paths=_has(chance), basic_auth=_has(chance), swapped_direction=swapped),
        mishaps=room.mishaps,
    )
    return device, (access.Axis(port, username, password, swapped),)


def _pushing_counter(local_id: str, room: Room, chance: random.Random, ports: Sequence[int]) -> Installed:
    (port,) = ports
    username, password = "counter", f"push-{chance.randrange(10**6):06d}"
    swapped = chance.random() < SWAPPED_SHARE
    quirks = milesight.Quirks(
        old_model=_has(chance),
        local_time_without_offset=_has(chance),
        custom_ids=_has(chance),
        trigger_too=_has(chance),
        swapped_direction=swapped,
    )
    path = f"/{room.branch_id}/{local_id}"
    device = milesight.MilesightSimulator(
        local_id,
        room.world,
        f"http://{HOST}:{port}{path}",
        period_s=room.interval_s,
        quirks=quirks,
        site_id=room.branch_id,
        credentials=(username, password),
        mishaps=room.mishaps,
    )
    return device, (access.Milesight(port, path, username, password, room.interval_s, swapped),)


def _machine_quirks(major: int, chance: random.Random) -> xfs4iot.Quirks:
    if chance.random() < KAL_SHARE:
        return xfs4iot.Quirks.of(xfs4iot.Dialect.KAL, major)
    return xfs4iot.Quirks(
        message_major=major,
        capital_enums=_has(chance),
        extra_properties=_has(chance),
        version_missing=major == 1 and _has(chance),
        lowest_version_first=major == 3 and _has(chance),
        services_by_event=_has(chance),
    )


def draw_major(chance: random.Random, *of: int) -> int:
    """Draw one of some message formats, as they are spread over all machines."""
    return chance.choices(of, [MAJOR_SHARES[major] for major in of])[0]


def _has(chance: random.Random) -> bool:
    return chance.random() < QUIRK_SHARE


OUTFIT: Final = (
    Fitting("atm-01", "atm", 1, _dispenser),
    Fitting("atm-02", "atm", 1, _recycler),
    Fitting("sst-01", "self_service_terminal", 2, _terminal),
    *(Fitting(f"cam-{number:02d}", "camera", 2, _camera) for number in range(1, 5)),
    Fitting("panel-01", "alarm_panel", 1, _panel),
    Fitting("footfall-01", "footfall_sensor", 1, _asked_counter),
    Fitting("footfall-02", "footfall_sensor", 1, _pushing_counter),
)
"""The places of a branch: a small one."""
