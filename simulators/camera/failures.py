"""What can happen to a camera, by name, and what somebody does about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from simulators.camera.attack import Attack
from simulators.camera.encoder import Encoder
from simulators.camera.event_service import EventService
from simulators.camera.model import Camera
from simulators.camera.onvif_server import Logins
from simulators.camera.subscriptions import PullPoints

WRONG_CLOCK_MS: Final = 3_600_000
"""A clock set to another time zone is ahead by so much."""


@dataclass(slots=True)
class Standing:
    """Whether the camera can be reached.

    Attributes:
        powered: between start and stop.
        cut_off: its cable is out.
        boots_until_ms: real time at which a restart is over, ``None`` for none.
    """

    powered: bool = False
    cut_off: bool = False
    boots_until_ms: int | None = None

    @property
    def reachable(self) -> bool:
        """Its ports are open."""
        return self.powered and not self.cut_off and self.boots_until_ms is None


@dataclass(frozen=True, slots=True)
class Parts:
    """What failures get at.

    Attributes:
        camera: the model.
        standing: whether it can be reached.
        attack: who tries passwords.
        encoder: of its streams.
        logins: of its web services.
        events: event service.
        points: subscriptions.
        password: its own.
        now_ms: the real time.
        reboot: restarts it.
    """

    camera: Camera
    standing: Standing
    attack: Attack
    encoder: Encoder
    logins: Logins
    events: EventService
    points: PullPoints
    password: str
    now_ms: Callable[[], int]
    reboot: Callable[[], None]

    def expect(self, password: str) -> None:
        """Ask for another password from now on, everywhere."""
        self.logins.change(password)
        self.encoder.password = password


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that happens, and its repair."""

    happen: Callable[[], None]
    put_right: Callable[[], None]


def failures(parts: Parts) -> Mapping[str, Failure]:
    """All failures of a camera; one without a disk has none of the disk's."""
    camera, lens, housing = parts.camera, parts.camera.lens, parts.camera.housing

    def focus() -> None:
        lens.out_of_focus = False
        lens.clean()

    by_name = {
        "signal_loss": _flag(camera, "signal_lost"),
        "sprayed": Failure(lambda: setattr(lens, "sprayed", True), lens.clean),
        "moved": _flag(camera, "moved"),
        "blurred": Failure(lambda: setattr(lens, "out_of_focus", True), focus),
        "blinded": _flag(camera, "blinded"),
        "fan_failure": _flag(housing, "fan_failed"),
        "power_supply_failure": _flag(camera, "supply_failed"),
        "overheated": Failure(housing.seal, housing.unseal),
        "cover_opened": _flag(camera, "cover_open"),
        "clock_wrong": Failure(
            lambda: setattr(camera.clock, "wrong_by_ms", WRONG_CLOCK_MS),
            lambda: camera.clock.set_right(parts.now_ms()),
        ),
        "unreachable": _flag(parts.standing, "cut_off"),
        "encoder_hang": _flag(camera, "encoder_hung"),
        "stream_lossy": _flag(parts.encoder, "lossy"),
        "password_changed": Failure(
            lambda: parts.expect(f"{parts.password}-changed"), lambda: parts.expect(parts.password)
        ),
        "brute_force": Failure(lambda: parts.attack.begin(parts.now_ms()), parts.attack.end),
        "event_service_hang": Failure(parts.events.hang, parts.events.restart),
        "pull_point_lost": Failure(parts.points.end_all, lambda: None),
        "reboot": Failure(parts.reboot, lambda: setattr(parts.standing, "boots_until_ms", None)),
    }
    recorder = camera.recorder
    if recorder is not None:
        by_name["disk_dying"] = Failure(lambda: setattr(recorder, "disk_failed", True), recorder.replace_disk)
        by_name["recording_stopped"] = _flag(recorder, "stopped")
    return by_name


def _flag(target: object, name: str) -> Failure:
    return Failure(lambda: setattr(target, name, True), lambda: setattr(target, name, False))
