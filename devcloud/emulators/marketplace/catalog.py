"""The offers: flat rate with a metered dimension, per seat, and another product."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from devcloud.emulators.marketplace.errors import MarketplaceError


PUBLISHER_ID: Final = "timetracker"
DIMENSION: Final = "active_user"
CURRENCY: Final = "USD"
_PER_UNIT: Final = 5


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a plan: price, and included units of each dimension."""

    unit: str
    price: str
    included: int = 0

    def document(self, dimensions: tuple[str, ...]) -> dict[str, Any]:
        return {
            "currency": CURRENCY,
            "price": float(self.price),
            "termUnit": self.unit,
            "termDescription": "1 month" if self.unit == "P1M" else "1 year",
            "meteredQuantityIncluded": [{"dimensionId": each, "units": str(self.included)} for each in dimensions],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan, with limits for seats or with metered dimensions."""

    id: str
    name: str
    offer: str
    terms: tuple[Term, ...]
    seats: tuple[int, int] | None = None
    dimensions: tuple[str, ...] = ()
    has_free_trial: bool = False  # not possible for metered plans

    @property
    def per_user(self) -> Decimal:
        """The price of a user and month: of a seat, or of a unit of the dimension."""
        return Decimal(_PER_UNIT if self.seats is None else self.terms[0].price)

    def takes(self, quantity: int | None) -> bool:
        """Whether this number of seats can be bought; None for plans without seats."""
        if self.seats is None or quantity is None:
            return self.seats is None and quantity is None
        return self.seats[0] <= quantity <= self.seats[1]

    def document(self, *, is_priced: bool = True) -> dict[str, Any]:
        """`is_priced` is False for a plan without a readable price."""
        low, high = self.seats or (None, None)
        return {
            "planId": self.id,
            "displayName": self.name,
            "isPrivate": False,
            "description": self.name,
            "minQuantity": low,
            "maxQuantity": high,
            "hasFreeTrials": self.has_free_trial,
            "isPricePerSeat": self.seats is not None,
            "isStopSell": False,
            "market": "US",
            "planComponents": {
                "recurrentBillingTerms": [each.document(self.dimensions) for each in self.terms if is_priced],
                "meteringDimensions": [
                    {
                        "id": each,
                        "currency": CURRENCY,
                        "pricePerUnit": _PER_UNIT,
                        "unitOfMeasure": "user per month",
                        "displayName": "Active users",
                    }
                    for each in self.dimensions
                    if is_priced
                ],
            },
            "sourceOffers": [],
        }


_METERED: Final = (DIMENSION,)
PLANS: Final = (
    Plan("paid", "Paid", "timetracker", (Term("P1M", "0"), Term("P1Y", "0")), dimensions=_METERED),
    Plan("gold", "Gold", "timetracker", (Term("P1M", "49"), Term("P1Y", "490")), dimensions=_METERED),
    Plan("team", "Team", "timetracker-fee", (Term("P1M", "20", 5), Term("P1Y", "200", 60)), dimensions=_METERED),
    Plan(
        "seats",
        "Per seat",
        "timetracker-seats",
        (Term("P1M", "6"), Term("P1Y", "60")),
        seats=(1, 1000),
        has_free_trial=True,
    ),
    Plan("seats-plus", "Per seat Plus", "timetracker-seats", (Term("P1M", "9"),), seats=(1, 1000)),
    Plan("seats-yearly", "Per seat, yearly", "timetracker-year", (Term("P1Y", "60"),), seats=(1, 1000)),
    Plan("other", "Another product", "another-product", (Term("P1M", "1"),)),
)
_BY_ID: Final = {plan.id: plan for plan in PLANS}


def find_plan(plan_id: str) -> Plan:
    """Raises MarketplaceError for an unknown plan."""
    if plan_id not in _BY_ID:
        raise MarketplaceError(400, "InvalidPlan", f"There is no plan {plan_id}.")
    return _BY_ID[plan_id]


def plans_of(offer: str) -> list[Plan]:
    return [plan for plan in PLANS if plan.offer == offer]
