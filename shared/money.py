"""Amounts of money: the minor unit of each currency, and their text; pure."""

from decimal import Decimal
from typing import Final


MONTH: Final = "P1M"  # the default term of a rate
# ISO 4217: currencies whose minor unit is not a hundredth.
_WHOLE: Final = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
_THOUSANDTHS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency (ISO 4217)."""
    if currency in _WHOLE:
        return Decimal(1)
    return Decimal("0.001") if currency in _THOUSANDTHS else Decimal("0.01")


def money_text(amount: Decimal, unit: Decimal) -> str:
    """An amount with the decimal places of its currency's minor unit, or more if needed."""
    places = max(_places(unit), _places(amount))
    return f"{amount:.{places}f}"


def amount_text(amount: Decimal | None, currency: str | None) -> str | None:
    """An amount on the wire; None without an amount or currency."""
    return None if amount is None or currency is None else money_text(amount, minor_unit(currency))


def _places(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
