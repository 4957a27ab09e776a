"""In what vendors' XFS4IoT servers differ from one another."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

MESSAGE_MAJORS: Final = (1, 2, 3)


class Dialect(StrEnum):
    """Whose reading of the specification a machine follows; a name for a set of quirks."""

    STANDARD = "standard"
    KAL = "kal"


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one vendor's server differs from the newest standard; the default does not.

    Attributes:
        message_major: message format, 1 as in release 2021-1, 2 and 3 as from 2023-2 on.
        trailing_slash: service URIs end with a slash.
        capital_enums: words of states begin with a capital letter: ``Online``, ``JammedOpen``.
        event_typed_unsolicited: unsolicited messages have the type ``event`` and no request id.
        extra_properties: headers and payloads hold properties the standard has not, and events it has not are sent.
        success_spelt_out: a good completion says ``success`` instead of nothing; format 1 always does.
        camel_case_interfaces: interface names begin with a small letter.
        version_missing: headers have no version; only in format 1.
        lowest_version_first: several majors of a message are offered, and the lowest is spoken until the client has set
            another; only in format 3.
        services_by_event: services are told in events before an empty completion of ``GetServices``.

    Raises:
        ValueError: no such format, or a quirk that it cannot have.
    """

    message_major: int = 3
    trailing_slash: bool = False
    capital_enums: bool = False
    event_typed_unsolicited: bool = False
    extra_properties: bool = False
    success_spelt_out: bool = False
    camel_case_interfaces: bool = False
    version_missing: bool = False
    lowest_version_first: bool = False
    services_by_event: bool = False

    def __post_init__(self) -> None:
        if self.message_major not in MESSAGE_MAJORS:
            raise ValueError(f"message_major {self.message_major}, expected one of {MESSAGE_MAJORS}")
        if self.version_missing and self.message_major != 1:
            raise ValueError(f"version_missing with message_major {self.message_major}, expected 1")
        if self.lowest_version_first and self.message_major != 3:
            raise ValueError(f"lowest_version_first with message_major {self.message_major}, expected 3")

    @classmethod
    def of(cls, dialect: Dialect, message_major: int = 3) -> Self:
        """Quirks of a dialect."""
        kal = dialect is Dialect.KAL
        return cls(
            message_major=message_major,
            trailing_slash=kal,
            event_typed_unsolicited=kal,
            success_spelt_out=kal,
            camel_case_interfaces=kal,
        )
