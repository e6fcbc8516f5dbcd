"""Hours with two places that add up to their total: by largest remainder; pure."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final


MINUTE: Final = 60_000  # in milliseconds, as all amounts here
HUNDREDTH: Final = 36_000  # of an hour


class Shares:
    """Hundredths of an hour for amounts that are seen twice: first `add` for each, then, in the same order, `share`.

    Each is rounded down, and what is then missing to the rounded total goes, one each, to those that lost the most;
    among equals to the first ones. So no share is a whole hundredth away from its amount. What is held does not grow
    with the number of amounts.
    """

    def __init__(self, whole: int | None = None) -> None:
        """With `whole` the shares add up to this, which is the sum of the amounts rounded down or up."""
        self._whole = whole
        self._total = self._rounded_down = 0
        self._remainders: Counter[int] = Counter()
        self._threshold, self._at_threshold = HUNDREDTH, 0
        self._is_settled = False

    def add(self, ms: int) -> None:
        whole, remainder = divmod(ms, HUNDREDTH)
        self._total += ms
        self._rounded_down += whole
        self._remainders[remainder] += 1

    def share(self, ms: int) -> int:
        if not self._is_settled:
            self._settle()
        whole, remainder = divmod(ms, HUNDREDTH)
        if remainder == self._threshold and self._at_threshold:
            self._at_threshold -= 1
            return whole + 1
        return whole + (remainder > self._threshold)

    def _settle(self) -> None:
        self._is_settled = True
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
    """Hundredths of an hour for each of the amounts, in milliseconds; see `Shares`."""
    found = Shares(whole)
    for ms in amounts:
        found.add(ms)
    return [found.share(ms) for ms in amounts]


def decimal_hours(hundredths: int) -> Decimal:
    return Decimal(hundredths).scaleb(-2)
