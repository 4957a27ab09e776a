"""Where a camera's firmware departs from the standard, as cameras in the field do."""

import random
from dataclasses import dataclass

QUIRKY_SHARE = 0.03
"""Share of cameras with each of the three quirks :meth:`Quirks.drawn` draws. Source: observed in the field."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Departures of one camera.

    Attributes:
        zero_date: events carry the time ``0000-00-00T00:00:00Z``.
        trailing_topic: topics end in ``//.`` (motion) or ``/`` (all others).
        capital_booleans: truth is ``True`` (picture), ``1`` (hardware) or ``active`` (analytics) instead of ``true``.
        processor_percent: processor load from 0 to 100 instead of 0 to 1.
        http_digest_only: HTTP Digest is the only way in; a user name token is not looked at.
        closes_on_empty_pull: a pull without news ends with a closed connection instead of an empty answer. It does not
            remember tokens either: HTTP clients send a request whose connection was closed once more, token and all.
        without_recording: no card in it: no recording job, no search service, no storage to fail.
        short_subscriptions: grants :attr:`short_subscription_s`, whatever was asked for.
        relative_addresses_wrong: every address it gives names a host that only its own network knows, as behind NAT.
        short_subscription_s: life of a shortened subscription, seconds.
    """

    zero_date: bool = False
    trailing_topic: bool = False
    capital_booleans: bool = False
    processor_percent: bool = False
    http_digest_only: bool = False
    closes_on_empty_pull: bool = False
    without_recording: bool = False
    short_subscriptions: bool = False
    relative_addresses_wrong: bool = False
    short_subscription_s: float = 20.0

    @classmethod
    def drawn(cls, chance: random.Random) -> "Quirks":
        """Quirks of one camera of many."""
        return cls(
            zero_date=chance.random() < QUIRKY_SHARE,
            trailing_topic=chance.random() < QUIRKY_SHARE,
            processor_percent=chance.random() < QUIRKY_SHARE,
        )
