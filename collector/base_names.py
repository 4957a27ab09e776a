"""What the base names of packs stand for."""

from collector.fleet import Fleet
from collector.series import SeriesRegistry, Shelf
from contracts.identity import branch_of


class BaseNames:
    """Which device a base name such as ``BR0421/atm-01/`` stands for, and where its series are."""

    def __init__(self, fleet: Fleet, registry: SeriesRegistry) -> None:
        self._fleet = fleet
        self._registry = registry
        self._of_branch: dict[str, dict[str, Shelf]] = {}

    def forget(self, branch_id: str) -> None:
        """The devices of a branch changed: what its names stand for has to be looked up again."""
        self._of_branch.pop(branch_id, None)

    def of_branch(self, branch_id: str) -> dict[str, Shelf]:
        """What was looked up so far."""
        return self._of_branch.setdefault(branch_id, {})

    def look_up(self, base_name: str, branch_id: str) -> Shelf | None:
        """Find the series of a device; ``None`` where it names no device of the branch, or one without a reading so far."""
        device_id = base_name[:-1]
        kind = self._fleet.kind_of(device_id) if base_name.endswith("/") and branch_of(device_id) == branch_id else None
        shelf = None if kind is None else self._registry.shelf(device_id, kind)
        if shelf is not None:
            self.of_branch(branch_id)[base_name] = shelf
        return shelf
