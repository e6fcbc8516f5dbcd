"""Hours with two decimals that add up to their rounded total, by the largest-remainder method; pure."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final


MINUTE: Final = 60_000  # in milliseconds, as all amounts here
HUNDREDTH: Final = 36_000  # of an hour


class Shares:
    """Hundredths of an hour for amounts that are read twice: `add` each, then call `share` for each in the same order.

    Amounts are rounded down. The hundredths missing from the rounded total go to the largest remainders, among equal
    ones to the first. So each share differs from its amount by less than a hundredth. Memory is constant.
    """

    def __init__(self, whole: int | None = None) -> None:
        """With `whole` the shares add up to it; it must be the sum of the amounts, rounded down or up."""
        self._whole = whole
        self._total = self._rounded_down = 0
        self._remainders: Counter[int] = Counter()
        self._threshold, self._at_threshold = HUNDREDTH, 0
        self._has_threshold = False

    def add(self, ms: int) -> None:
        whole, remainder = divmod(ms, HUNDREDTH)
        self._total += ms
        self._rounded_down += whole
        self._remainders[remainder] += 1

    def share(self, ms: int) -> int:
        if not self._has_threshold:
            self._set_threshold()
        whole, remainder = divmod(ms, HUNDREDTH)
        if remainder == self._threshold and self._at_threshold:
            self._at_threshold -= 1
            return whole + 1
        return whole + (remainder > self._threshold)

    def _set_threshold(self) -> None:
        self._has_threshold = True
        missing = (rounded(self._total) if self._whole is None else self._whole) - self._rounded_down
        for remainder in sorted(self._remainders, reverse=True):
            if missing <= 0:
                return
            self._threshold, self._at_threshold = remainder, min(missing, self._remainders[remainder])
            missing -= self._remainders[remainder]


def rounded(ms: int) -> int:
    """Hundredths of an hour, half up."""
    return (ms + HUNDREDTH // 2) // HUNDREDTH


def to_the_minute(ms: int) -> int:
    """Milliseconds of whole minutes, half up."""
    return (ms + MINUTE // 2) // MINUTE * MINUTE


def shares(amounts: Sequence[int], whole: int | None = None) -> list[int]:
    """Hundredths of an hour for amounts in milliseconds; see `Shares`."""
    result = Shares(whole)
    for ms in amounts:
        result.add(ms)
    return [result.share(ms) for ms in amounts]


def decimal_hours(hundredths: int) -> Decimal:
    return Decimal(hundredths).scaleb(-2)
