"""What is for sale: one offer at a flat rate with a metered dimension, one per seat, and their plans."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from devcloud.marketplace.refusal import Refused


PUBLISHER_ID: Final = "timetracker"
DIMENSION: Final = "active_user"
CURRENCY: Final = "USD"
_PER_UNIT: Final = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan; one with seats has bounds for their number, one without has dimensions that usage is told in."""

    id: str
    name: str
    offer: str
    price: str
    seats: tuple[int, int] | None = None
    dimensions: tuple[str, ...] = ()

    @property
    def per_user(self) -> Decimal:
        """What a user and month costs: a seat, or a unit of the dimension."""
        return Decimal(_PER_UNIT if self.seats is None else self.price)

    def takes(self, quantity: int | None) -> bool:
        """Whether it can be bought in that number; None is for plans without seats."""
        if self.seats is None or quantity is None:
            return self.seats is None and quantity is None
        return self.seats[0] <= quantity <= self.seats[1]

    def document(self) -> dict[str, Any]:
        low, high = self.seats or (None, None)
        included = [{"dimensionId": each, "units": "0"} for each in self.dimensions]
        terms = {"currency": CURRENCY, "price": float(self.price), "termUnit": "P1M", "termDescription": "1 month"}
        return {
            "planId": self.id,
            "displayName": self.name,
            "isPrivate": False,
            "description": f"{self.name}, by the month",
            "minQuantity": low,
            "maxQuantity": high,
            "hasFreeTrials": False,
            "isPricePerSeat": self.seats is not None,
            "isStopSell": False,
            "market": "US",
            "planComponents": {
                "recurrentBillingTerms": [{**terms, "meteredQuantityIncluded": included}],
                "meteringDimensions": [
                    {
                        "id": each,
                        "currency": CURRENCY,
                        "pricePerUnit": _PER_UNIT,
                        "unitOfMeasure": "user per month",
                        "displayName": "Active users",
                    }
                    for each in self.dimensions
                ],
            },
            "sourceOffers": [],
        }


PLANS: Final = (
    Plan("paid", "Paid", "timetracker", "0", dimensions=(DIMENSION,)),
    Plan("gold", "Gold", "timetracker", "49", dimensions=(DIMENSION,)),
    Plan("seats", "By seats", "timetracker-seats", "6", seats=(1, 1000)),
    Plan("seats-plus", "By seats, plus", "timetracker-seats", "9", seats=(1, 1000)),
)
_BY_ID: Final = {plan.id: plan for plan in PLANS}


def find_plan(plan_id: str) -> Plan:
    """Raises Refused for a plan nobody sells."""
    if plan_id not in _BY_ID:
        raise Refused(400, "InvalidPlan", f"There is no plan {plan_id}.")
    return _BY_ID[plan_id]


def plans_of(offer: str) -> list[Plan]:
    return [plan for plan in PLANS if plan.offer == offer]
