"""The cabinet around the modules: doors, operator switch, vendor mode."""

from dataclasses import dataclass

from simulators.atm.happenings import Report, SafeDoorMoved, VendorModeEntered, VendorModeExited


@dataclass(slots=True)
class Cabinet:
    """Doors and switches a person moves.

    Attributes:
        report: told what happens.
        operator_switch: ``run``, ``maintenance`` or ``supervisor``.
        cabinet_door: ``closed`` or ``open``.
        safe_door: ``locked`` or ``open``.
        vendor_mode: ``inactive``, ``enterPending``, ``active`` or ``exitPending``.
    """

    report: Report
    operator_switch: str = "run"
    cabinet_door: str = "closed"
    safe_door: str = "locked"
    vendor_mode: str = "inactive"

    @property
    def access_level(self) -> str:
        """What the vendor's application lets the person do, in the standard's words."""
        return "full" if self.vendor_mode == "active" else "notActive"

    def enter_vendor_mode(self) -> None:
        """A technician has the machine from now on."""
        self.vendor_mode = "active"
        self.report(VendorModeEntered())

    def exit_vendor_mode(self) -> None:
        """The machine is given back."""
        self.vendor_mode = "inactive"
        self.report(VendorModeExited())

    def open_safe(self) -> None:
        self.safe_door = "open"
        self.report(SafeDoorMoved(is_open=True))

    def close_safe(self) -> None:
        self.safe_door = "locked"
        self.report(SafeDoorMoved(is_open=False))
