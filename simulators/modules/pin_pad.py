"""The encrypting PIN pad."""

from dataclasses import dataclass

from simulators.modules.happenings import ErrorKind, KeysLoaded, KeysReached, Module, ModuleFailed, Remedy, Report


@dataclass(slots=True)
class PinPad:
    """Keyboard and key memory in one tamper-responding housing.

    Attributes:
        report: told what happens.
        encryption_state: of its key memory, in the standard's words.
        busy: somebody types.
        tampered: its housing was opened; it has erased its keys and gives up.
    """

    report: Report
    encryption_state: str = "ready"
    busy: bool = False
    tampered: bool = False

    @property
    def device(self) -> str:
        """Module state in the standard's words."""
        if self.tampered:
            return "hardwareError"
        return "deviceBusy" if self.busy else "online"

    @property
    def usable(self) -> bool:
        """A customer can type a PIN."""
        return self.encryption_state == "ready" and not self.tampered

    def tamper(self) -> None:
        """Somebody opens the housing: it erases all keys."""
        if not self.tampered:
            self.tampered = True
            self.busy = False
            self.encryption_state = "notInitialized"
            self.report(KeysReached("TerminalMasterKey"))
            text = "tamper switch open, keys erased"
            self.report(ModuleFailed(Module.PIN_PAD, Remedy.ENGINEER, text, ErrorKind.HARDWARE))

    def swap(self) -> None:
        """Fit a new one, without keys yet."""
        self.tampered = False
        self.busy = False
        self.encryption_state = "initialized"

    def load_keys(self) -> None:
        """Load keys into it."""
        if self.encryption_state != "ready":
            self.encryption_state = "ready"
            self.report(KeysLoaded())
