"""How many texts a service may tell: a broken module can raise the same error many times a second, for hours."""

from typing import Final

BURST_MOST: Final = 100
"""Texts told one after the other."""

REFILL_PER_S: Final = 1.0
"""Texts told a second after that."""


class ErrorTexts:
    """Lets a burst of texts through, then one a second; how many were held back is told with the next one.

    The errors themselves are counted elsewhere, each of them.
    """

    def __init__(self) -> None:
        self._tokens = float(BURST_MOST)
        self._refilled_s: float | None = None
        self._held_back = 0

    def take(self, text: str, now_s: float) -> str | None:
        """Take a text; returns what to tell, ``None`` for nothing.

        Args:
            text: what the device says.
            now_s: time on a clock that only goes forward.
        """
        elapsed_s = 0.0 if self._refilled_s is None else max(0.0, now_s - self._refilled_s)
        self._refilled_s = now_s
        self._tokens = min(float(BURST_MOST), self._tokens + elapsed_s * REFILL_PER_S)
        if self._tokens < 1:
            self._held_back += 1
            return None
        self._tokens -= 1
        held_back, self._held_back = self._held_back, 0
        return f"{text} (and {held_back} more before it)" if held_back else text
