"""What was bought, in words: plan, price, seats, term, and who bought it for whom."""

from collections.abc import Mapping
from typing import Final

from shared.http.html import Html, element
from shared.marketplace.model import Plan, Price, Subscription


NO_MORE: Final[Mapping[str, str]] = {}
_UNITS: Final = {"M": ("month", "months"), "Y": ("year", "years"), "D": ("day", "days")}


def facts(bought: Subscription, plan: Plan | None, more: Mapping[str, str] = NO_MORE) -> Html:
    """A list of what is known; a line that would be empty is left out."""
    per_seat = bought.quantity is not None
    told = {
        "Subscription": bought.name,
        "Plan": (plan.name if plan is not None else "") or bought.plan_id,
        "Price": _costs(plan, per_seat=per_seat),
        "Seats": str(bought.quantity) if per_seat else "Unlimited (billed per active user)",
        "Total": _total(plan, bought.quantity),
        "Term": _term(bought),
        "Bought by": bought.purchaser.email,
        "For": bought.beneficiary.email,
        **more,
    }
    return element(
        "dl", *(part for name, text in told.items() if text for part in (element("dt", name), element("dd", text)))
    )


def counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _costs(plan: Plan | None, *, per_seat: bool) -> str:
    """By the month. Empty where the Marketplace does not tell all of it: half a price would mislead."""
    if plan is None or plan.price is None:
        return ""
    per_user = f"{_amount(plan.price)} per {'seat' if per_seat else 'active user'} and month"
    return f"{_amount(plan.fee)} a month, and {per_user}" if plan.fee is not None and plan.fee.amount else per_user


def _total(plan: Plan | None, seats: int | None) -> str:
    """Of all seats, since few people multiply; empty where it depends on who comes."""
    if plan is None or plan.price is None or not seats:
        return ""
    fee = plan.fee.amount if plan.fee is not None else 0
    whole = plan.price.model_copy(update={"amount": plan.price.amount * seats + fee})
    return f"{_amount(whole)} a month for {counted(seats, 'seat', 'seats')}, plus taxes where they apply"


def _amount(price: Price) -> str:
    places = max(2, -int(price.amount.normalize().as_tuple().exponent))
    return f"{price.currency} {price.amount:,.{places}f}"


def _term(bought: Subscription) -> str:
    unit, ends = bought.term.unit, bought.term.ends_at
    length = unit
    if len(unit) > 2 and unit[0] == "P" and unit[1:-1].isdecimal() and unit[-1] in _UNITS:  # noqa: PLR2004 - P1M
        length = counted(int(unit[1:-1]), *_UNITS[unit[-1]])
    if ends is None:
        return length
    then = ", then renewed" if bought.auto_renew else ""
    return f"{length}, until {ends.day} {ends:%B %Y}{then}"
