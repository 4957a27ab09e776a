"""A sink that keeps in memory what a driver hands over, and checks it against the device catalogue as the gateway does."""

from collections.abc import Mapping, Sequence

from contracts.errors import DependencyUnavailable, DeviceError
from contracts.signals import DeviceKind, Sort
from gateway.driver import Identity, Observation


class RecordingSink:
    def __init__(self, kind: DeviceKind) -> None:
        self.kind = kind
        self.taken: list[Observation] = []
        self.identities: list[Identity] = []
        self.refused: list[tuple[bytes | str, DeviceError]] = []
        self.is_full = False
        self.turned_away = 0
        self.memory: dict[str, str] = {}

    async def observe(self, observations: Sequence[Observation], keep: Mapping[str, str | None] = {}) -> None:
        self._check_space()
        for observation in observations:
            signal = self.kind.signal(observation.path)
            assert signal is not None, f"the catalogue has no {observation.path}"
            if signal.sort is Sort.STATE:
                assert isinstance(observation.value, str)
                assert signal.ordinal(observation.value) is not None, observation
            elif signal.sort is Sort.EVENT:
                assert isinstance(observation.value, str)
            else:
                assert isinstance(observation.value, (int, float))
        self.taken.extend(observations)
        for key, value in keep.items():
            if value is None:
                self.memory.pop(key, None)
            else:
                self.memory[key] = value

    async def recall(self) -> Mapping[str, str]:
        return dict(self.memory)

    async def identify(self, identity: Identity) -> None:
        self._check_space()
        self.identities.append(identity)

    def _check_space(self) -> None:
        if self.is_full:
            self.turned_away += 1
            raise DependencyUnavailable("outbox cannot be written: disk full")

    def refuse(self, raw: bytes | str, error: DeviceError) -> None:
        self.refused.append((raw, error))

    def last(self, path: str) -> float | str | None:
        return next((seen.value for seen in reversed(self.taken) if seen.path == path), None)

    def all(self, path: str) -> list[float | str]:
        return [seen.value for seen in self.taken if seen.path == path]
