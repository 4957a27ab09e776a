"""Presence: whether a gateway is connected, from what it says, what its broker says of it, and what it sends.

None of them alone is to be believed. A status may be delivered again behind a newer one; a will is not published by a broker
that is down itself; a gateway whose clock was put back seems to speak from the past. So a status counts only when no newer
one is known, a gateway that says nothing for long is gone, and one that goes on sending is there.
"""

from dataclasses import dataclass, replace
from typing import Final

from collector.fleet import GatewayState
from contracts.gateway_messages import GatewayStatus, is_overtaken


@dataclass(frozen=True, slots=True)
class _Sign:
    """The last sign of life: a live pack that had not come before."""

    boot: str
    at_ms: int


_NO_SIGN: Final = _Sign("", 0)


class Presence:
    """Judges; whoever asks writes the new state down.

    Args:
        silence_ms: a gateway that sent no live pack for so long, while we listened, is gone; and one that is said to be gone
            and still sends them so long after that is there.
    """

    def __init__(self, silence_ms: int) -> None:
        self._silence_ms = silence_ms
        self._signs: dict[str, _Sign] = {}
        self._told_gone_ms: dict[str, int] = {}
        self._returned: set[tuple[str, str]] = set()
        self._listening_since_ms: int | None = None
        self._looked_at_ms: int | None = None

    def notice(self, branch_id: str, boot: str, now_ms: int) -> None:
        """A live pack came that had not come before."""
        self._signs[branch_id] = _Sign(boot, now_ms)

    def hear(
        self, branch_id: str, status: GatewayStatus, known: GatewayState | None, now_ms: int
    ) -> GatewayState | None:
        """What a status makes of a gateway's state.

        Args:
            branch_id: its branch.
            status: as it arrived.
            known: its state so far, ``None`` where it never said anything.
            now_ms: arrival, milliseconds since 1970 UTC.

        Returns:
            The state from now on; ``None`` where the status is no news.
        """
        if known is not None and _is_no_news(status, known, now_ms):
            return None
        if not status.online:
            self._told_gone_ms[branch_id] = now_ms
        unchanged = known is not None and (known.online, known.boot) == (status.online, status.boot)
        since_ms = (
            known.since_ms if known is not None and unchanged else self._began_ms(branch_id, status, known, now_ms)
        )
        return self._note_return(
            known, GatewayState(branch_id, status.online, status.boot, since_ms, status.version, status.since)
        )

    def look(self, known: GatewayState, now_ms: int) -> GatewayState | None:
        """What its silence, or its going on, makes of a gateway's state; ``None`` where nothing changes."""
        sign = self._signs.get(known.branch_id, _NO_SIGN)
        if known.online:
            if not self.is_silent(known.branch_id, now_ms) or now_ms - known.since_ms < self._silence_ms:
                return None
            return replace(known, online=False, silent=True, since_ms=max(known.since_ms, sign.at_ms))
        if known.silent:
            is_there = sign.at_ms > known.since_ms
        else:
            told_ms = self._told_gone_ms.setdefault(known.branch_id, now_ms)
            is_there = sign.at_ms - told_ms >= self._silence_ms
        if not is_there:
            return None
        back = replace(known, online=True, silent=False, since_ms=sign.at_ms, boot=sign.boot)
        return self._note_return(known, back)

    def listen(self, now_ms: int, *, connected: bool) -> None:
        """Say, often, whether we hear gateways at all; where that was interrupted, their silence counts anew."""
        looked_at_ms = self._looked_at_ms if self._looked_at_ms is not None else now_ms
        steady = 0 <= now_ms - looked_at_ms < self._silence_ms / 3  # else we were held up, or our clock was set
        if not connected:
            self._listening_since_ms = None
        elif self._listening_since_ms is None or not steady:
            self._listening_since_ms = now_ms
        self._looked_at_ms = now_ms

    def is_silent(self, branch_id: str, now_ms: int) -> bool:
        """Whether a gateway sent nothing for so long that it must be gone."""
        if self._listening_since_ms is None:
            return False
        heard_ms = max(self._signs.get(branch_id, _NO_SIGN).at_ms, self._listening_since_ms)
        return now_ms - heard_ms >= self._silence_ms

    def take_returned(self) -> set[tuple[str, str]]:
        """Each (branch_id, boot) that came online since this was asked last."""
        returned, self._returned = self._returned, set()
        return returned

    def _note_return(self, known: GatewayState | None, state: GatewayState) -> GatewayState:
        same = known is not None and known.online and (known.boot, known.session_ms) == (state.boot, state.session_ms)
        if state.online and not same:
            self._returned.add((state.branch_id, state.boot))
        return state

    def _began_ms(self, branch_id: str, status: GatewayStatus, known: GatewayState | None, now_ms: int) -> int:
        """When the state a status tells of began, by our clock as far as that is known.

        A will carries the time of the connection it ends, and the broker publishes it when it notices, which is now. An
        orderly goodbye carries its own time; the gateway was there as long as it sent, whatever its clock said.
        """
        known_since_ms = 0 if known is None else known.since_ms
        if status.online:
            return min(max(status.since, known_since_ms), now_ms)
        is_goodbye = known is not None and known.online and status.since > known.session_ms
        if not is_goodbye:
            return now_ms
        return min(max(status.since, known_since_ms, self._signs.get(branch_id, _NO_SIGN).at_ms), now_ms)


def _is_no_news(status: GatewayStatus, known: GatewayState, now_ms: int) -> bool:
    if is_overtaken(status.since, known.session_ms, now_ms):
        return True
    # Of one connection the end is the last word, whether it was said or found out by silence.
    same = (status.boot, status.since) == (known.boot, known.session_ms)
    return same and (status.online or (not known.online and not known.silent))
