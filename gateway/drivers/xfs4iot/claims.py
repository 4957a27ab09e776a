"""Which service speaks for which component: a machine may have two card readers, the catalogue knows one of each component."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from gateway.drivers.xfs4iot.vocabulary import fold

_CLAIM: Final = "claim/"
_SPEAKER: Final = "speaker"


class Strength(IntEnum):
    """How surely a service is a component, least first."""

    GUESSED = 0  # its capabilities leave it open
    NAMED = 1  # they say so
    CONFIGURED = 2  # the settings say so


@dataclass(frozen=True, slots=True)
class _Claim:
    service: str
    strength: Strength


class Claims:
    """The components of one machine and their services; outlives the process.

    A service keeps its component while it is out of reach, so that the second card reader of a machine does not look like
    the first one, repaired. It loses it to a service that has the stronger reason, or once the machine no longer lists it.

    Args:
        configured: service name → component, from the settings.
        has_left: tells of a service whether the machine neither lists it nor answers on it.
    """

    def __init__(self, configured: Mapping[str, str], has_left: Callable[[str], bool]) -> None:
        self._configured = sorted(configured.items(), key=lambda item: -len(item[0]))  # with a port before without
        self._has_left = has_left
        self._claims: dict[str, _Claim] = {}
        self._settled = False
        self.speaker = ""
        """Service whose serial number is the machine's, empty where none is chosen."""

    def configured(self, service: str) -> str | None:
        """Component that the settings give a service."""
        return next((component for name, component in self._configured if self.is_meant(name, service)), None)

    @staticmethod
    def is_meant(configured: str, service: str) -> bool:
        """Whether a name in the settings means a service: in any case, and without the port that tells two apart."""
        name = fold(service)
        return fold(configured) in {name, name.partition("@")[0]}

    def claim(self, component: str, service: str, strength: Strength) -> bool:
        """Be the component's service, if there is no better one; returns whether it is.

        As long as services appear for the first time, the first by name is it among equals, whoever answers first.
        """
        held = self._claims.get(component)
        if (
            held is None
            or held.service == service
            or strength > held.strength
            or self._has_left(held.service)
            or (strength == held.strength and not self._settled and service < held.service)
        ):
            self._claims[component] = _Claim(service, strength)
        return self.owns(component, service)

    def owns(self, component: str, service: str) -> bool:
        """Whether a service speaks for a component."""
        held = self._claims.get(component)
        return held is not None and held.service == service

    def owner(self, component: str) -> str:
        """Service that speaks for a component, empty where none does."""
        held = self._claims.get(component)
        return "" if held is None else held.service

    def settle(self) -> None:
        """Every service was tried once; from now on a component changes its service for a reason only."""
        self._settled = True

    def recall(self, kept: Mapping[str, str]) -> None:
        """Go on from what was kept, where this object does not know better."""
        self.speaker = self.speaker or kept.get(_SPEAKER, "")
        for key, text in kept.items():
            strength, _, service = text.partition(" ")
            if key.startswith(_CLAIM) and service and strength in {str(int(item)) for item in Strength}:
                claim = _Claim(service, Strength(int(strength)))
                self._settled |= self._claims.setdefault(key.removeprefix(_CLAIM), claim) is claim

    def to_keep(self) -> dict[str, str]:
        """What has to be known again."""
        kept = {
            f"{_CLAIM}{component}": f"{int(claim.strength)} {claim.service}"
            for component, claim in self._claims.items()
        }
        return kept | ({_SPEAKER: self.speaker} if self.speaker else {})
