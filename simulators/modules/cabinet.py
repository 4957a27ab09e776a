"""The cabinet around the modules: doors, sensors, operator switch, vendor mode, built-in cameras."""

from dataclasses import dataclass, field

from simulators.modules.happenings import (
    RecordingReached,
    Report,
    SafeDoorMoved,
    VendorModeEntered,
    VendorModeExited,
)


@dataclass(slots=True)
class Camera:
    """A camera built into the cabinet.

    Attributes:
        state: ``ok`` or ``inop``.
        media: fill state of its recording medium: ``ok``, ``high`` or ``full``.
        pictures: pictures on it.
    """

    state: str = "ok"
    media: str = "ok"
    pictures: int = 0


@dataclass(slots=True)
class Cabinet:
    """Doors and switches a person moves, and sensors that notice.

    Attributes:
        report: told what happens.
        operator_switch: ``run``, ``maintenance`` or ``supervisor``.
        cabinet_door: ``closed`` or ``open``.
        safe_door: ``locked``, ``open`` or ``tampered``; ``None`` where there is no safe.
        vendor_mode: ``inactive``, ``enterPending``, ``active`` or ``exitPending``.
        tamper: the tamper sensor is triggered.
        seismic: the seismic sensor is triggered; ``None`` where there is none.
        heat: the heat sensor is triggered.
        display: the customer's display: ``on``, ``off`` or ``displayError``.
        sounder: the local alarm sounds.
        open_for_business: what the indicator above it says.
        cameras: built-in cameras by view.
    """

    report: Report
    operator_switch: str = "run"
    cabinet_door: str = "closed"
    safe_door: str | None = "locked"
    vendor_mode: str = "inactive"
    tamper: bool = False
    seismic: bool | None = False
    heat: bool = False
    display: str = "on"
    sounder: bool = False
    open_for_business: bool = True
    cameras: dict[str, Camera] = field(default_factory=lambda: {"room": Camera(), "person": Camera()})

    @property
    def access_level(self) -> str:
        """What the vendor's application lets the person do, in the standard's words."""
        return "full" if self.vendor_mode == "active" else "notActive"

    def enter_vendor_mode(self) -> None:
        """A technician has the machine from now on."""
        if self.vendor_mode != "active":
            self.vendor_mode = "active"
            self.report(VendorModeEntered())

    def exit_vendor_mode(self) -> None:
        """The machine is given back."""
        if self.vendor_mode != "inactive":
            self.vendor_mode = "inactive"
            self.report(VendorModeExited())

    def open_safe(self) -> None:
        """Somebody with the combination opens it."""
        self.safe_door = "open"
        self.report(SafeDoorMoved(is_open=True))

    def close_safe(self) -> None:
        """It is shut and locked."""
        self.safe_door = "locked"
        self.report(SafeDoorMoved(is_open=False))

    def picture(self) -> None:
        """Every camera that works takes a picture of the customer."""
        for camera in self.cameras.values():
            camera.pictures += camera.state == "ok" and camera.media != "full"

    def fill_recording(self, level: str) -> None:
        """The recording medium of all cameras reaches a level."""
        for camera in self.cameras.values():
            camera.media = level
        self.report(RecordingReached(level))

    def set_in_order(self) -> None:
        """Close doors, reset sensors, mend cameras and display."""
        self.cabinet_door = "closed"
        if self.safe_door not in {None, "locked"}:
            self.close_safe()
        self.tamper = self.heat = self.sounder = False
        self.seismic = None if self.seismic is None else False
        self.display = "on"
        self.open_for_business = True
        full = any(camera.media != "ok" for camera in self.cameras.values())
        for camera in self.cameras.values():
            camera.state = "ok"
        if full:
            self.fill_recording("ok")
