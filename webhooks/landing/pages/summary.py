"""The summary of a purchase: plan, price, seats, term, buyer and beneficiary."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from billing.marketplace import Plan, Price, Subscription
from billing.subscriptions import term_text


NOTHING_MORE: Final[Mapping[str, str]] = {}
_ONE: Final = frozenset({"day", "month", "year"})


def summary(bought: Subscription, plan: Plan | None, more: Mapping[str, str] = NOTHING_MORE) -> list[tuple[str, str]]:
    """Labels and texts; without the lines that have no text."""
    lines = {
        "Subscription": bought.name,
        "Plan": (plan.name if plan is not None else "") or bought.plan_id,
        "Price": _price(bought, plan),
        "Seats": "Unlimited (billed per active user)" if bought.quantity is None else str(bought.quantity),
        "Total": _total(bought, plan),
        "Term": _term(bought),
        "Free trial": _free_trial(bought),
        "Bought by": bought.purchaser.email,
        "For": bought.beneficiary.email,
        **more,
    }
    return [(label, text) for label, text in lines.items() if text]


def counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _price(bought: Subscription, plan: Plan | None) -> str:
    """The price of the purchase's term; empty where the Marketplace gives only a part, which would mislead."""
    sold = None if plan is None else plan.pricing_for(bought.term.unit)
    if sold is None or sold.price is None:
        return ""
    unit = "active user" if bought.quantity is None else "seat"
    per_user = f"{_amount(sold.price)} per {unit} and {_length(sold.unit)}"
    term = _length(sold.term_unit)
    fee = f"{_amount(sold.fee)} {_per(term)}, and " if sold.fee is not None and sold.fee.amount else ""
    if not sold.included:
        return f"{fee}{per_user}"
    users = counted(sold.included, "active user", "active users")
    return f"{fee}{per_user}, with {users} included {_per(term)}"


def _per(term: str) -> str:
    return f"a {term}" if term in _ONE else f"for {term}"


def _free_trial(bought: Subscription) -> str:
    if not bought.is_free_trial:
        return ""
    ends = bought.term.ends_at
    until = "" if ends is None else f"Until {ends.day} {ends:%B %Y}. "
    return f"{until}Microsoft charges nothing for it."


def _total(bought: Subscription, plan: Plan | None) -> str:
    """The price of all seats for one term; empty where it depends on the number of active users."""
    sold = None if plan is None else plan.pricing_for(bought.term.unit)
    if sold is None or sold.price is None or not bought.quantity:
        return ""
    fee = Decimal() if sold.fee is None else sold.fee.amount
    if fee and sold.term_unit != sold.unit:
        return ""  # a fee for another length is not added to it
    total = sold.price.model_copy(update={"amount": sold.price.amount * bought.quantity + fee})
    seats = counted(bought.quantity, "seat", "seats")
    return f"{_amount(total)} {_per(_length(sold.unit))} for {seats}, plus taxes where they apply"


def _amount(price: Price) -> str:
    places = max(2, -int(price.amount.normalize().as_tuple().exponent))
    return f"{price.currency} {price.amount:,.{places}f}"


def _term(bought: Subscription) -> str:
    unit, ends = bought.term.unit, bought.term.ends_at
    length = f"1 {_length(unit)}" if _length(unit) in _ONE else _length(unit)
    if ends is None:
        return length
    renewal = ", then renewed" if bought.auto_renew else ""
    return f"{length}, until {ends.day} {ends:%B %Y}{renewal}"


def _length(unit: str) -> str:
    return term_text(unit, unknown=unit)
