"""What was bought, in words: plan, price, seats, term, and who bought it for whom."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from billing.marketplace import Plan, Price, Subscription
from billing.subscriptions import term_text
from webhooks.landing.pages.html import Html, element


NO_MORE: Final[Mapping[str, str]] = {}
_ONE: Final = frozenset({"day", "month", "year"})


def facts(bought: Subscription, plan: Plan | None, more: Mapping[str, str] = NO_MORE) -> Html:
    """A list of what is known; a line that would be empty is left out."""
    per_seat = bought.quantity is not None
    told = {
        "Subscription": bought.name,
        "Plan": (plan.name if plan is not None else "") or bought.plan_id,
        "Price": _costs(bought, plan, per_seat=per_seat),
        "Seats": str(bought.quantity) if per_seat else "Unlimited (billed per active user)",
        "Total": _total(bought, plan),
        "Term": _term(bought),
        "Free trial": _free_trial(bought),
        "Bought by": bought.purchaser.email,
        "For": bought.beneficiary.email,
        **more,
    }
    return listed(told)


def listed(told: Mapping[str, str]) -> Html:
    return element(
        "dl", *(part for name, text in told.items() if text for part in (element("dt", name), element("dd", text)))
    )


def counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _costs(bought: Subscription, plan: Plan | None, *, per_seat: bool) -> str:
    """On the term that was bought. Empty where the Marketplace does not tell all of it: half a price would mislead."""
    sold = None if plan is None else plan.pricing_for(bought.term.unit)
    if sold is None or sold.price is None:
        return ""
    per_user = f"{_amount(sold.price)} per {'seat' if per_seat else 'active user'} and {_length(sold.unit)}"
    term = _length(sold.term_unit)
    fee = f"{_amount(sold.fee)} {_each(term)}, and " if sold.fee is not None and sold.fee.amount else ""
    if not sold.included:
        return f"{fee}{per_user}"
    users = counted(sold.included, "active user", "active users")
    return f"{fee}{per_user}, with {users} included {_each(term)}"


def _each(term: str) -> str:
    return f"a {term}" if term in _ONE else f"for {term}"


def _free_trial(bought: Subscription) -> str:
    if not bought.is_free_trial:
        return ""
    ends = bought.term.ends_at
    until = "" if ends is None else f"Until {ends.day} {ends:%B %Y}. "
    return f"{until}Microsoft charges nothing for it."


def _total(bought: Subscription, plan: Plan | None) -> str:
    """Of all seats for one term, since few people multiply; empty where it depends on who comes."""
    sold = None if plan is None else plan.pricing_for(bought.term.unit)
    if sold is None or sold.price is None or not bought.quantity:
        return ""
    fee = Decimal() if sold.fee is None else sold.fee.amount
    if fee and sold.term_unit != sold.unit:
        return ""  # a fee for another length is not added to it
    whole = sold.price.model_copy(update={"amount": sold.price.amount * bought.quantity + fee})
    seats = counted(bought.quantity, "seat", "seats")
    return f"{_amount(whole)} {_each(_length(sold.unit))} for {seats}, plus taxes where they apply"


def _amount(price: Price) -> str:
    places = max(2, -int(price.amount.normalize().as_tuple().exponent))
    return f"{price.currency} {price.amount:,.{places}f}"


def _term(bought: Subscription) -> str:
    unit, ends = bought.term.unit, bought.term.ends_at
    length = f"1 {_length(unit)}" if _length(unit) in _ONE else _length(unit)
    if ends is None:
        return length
    then = ", then renewed" if bought.auto_renew else ""
    return f"{length}, until {ends.day} {ends:%B %Y}{then}"


def _length(unit: str) -> str:
    return term_text(unit, unknown=unit)
