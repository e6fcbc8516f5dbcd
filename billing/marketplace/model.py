"""What the Marketplace tells, read tolerantly: only what we act on must be there and make sense.

Microsoft pads statuses, writes quantities as numbers, texts, "" or null, and adds enum values without notice. So
statuses and units are texts, what is incidental falls back to nothing, and what is unknown is left out.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Self

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from billing.marketplace.errors import Unreadable
from shared.money import MONTH
from shared.settings import GUID


RESOURCE: Final = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"  # the Marketplace in Entra, the same for every publisher
PENDING: Final = "PendingFulfillmentStart"
SUBSCRIBED: Final = "Subscribed"
SUSPENDED: Final = "Suspended"
UNSUBSCRIBED: Final = "Unsubscribed"
IN_PROGRESS: Final = "InProgress"
SUCCEEDED: Final = "Succeeded"
_MOST_SEATS: Final = 2**31 - 1
_CURRENCY: Final = re.compile(r"\A[A-Z]{3}\Z")
_FOUR_PLACES: Final = Decimal("0.0001")
_TOO_DEAR: Final = Decimal(10**9)
_DIGITS: Final = re.compile(r"\A[0-9]{1,10}(?:\.0{1,9})?\Z", re.ASCII)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever the answer holds
    """Trimmed; what is no text is none."""
    return value.strip() if isinstance(value, str) else ""


def _needed(value: Any) -> str:  # noqa: ANN401 - likewise
    if not (text := _text(value)):
        raise ValueError("must not be missing")
    return text


def _id(value: Any) -> str:  # noqa: ANN401 - likewise
    if not GUID.match(text := _text(value).lower()):
        raise ValueError("must be a GUID")
    return text


def _maybe_id(value: Any) -> str:  # noqa: ANN401 - likewise
    return text if GUID.match(text := _text(value).lower()) else ""


def _quantity(value: Any) -> int | None:  # noqa: ANN401 - likewise
    """None where there are no seats. What cannot be read is an error: no cap must come of a misunderstanding."""
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else value
    if text is None or text == "":
        return None
    if not isinstance(text, str) or not _DIGITS.match(text) or (seats := int(float(text))) > _MOST_SEATS:
        raise ValueError("must be a number of seats, empty or null")
    return seats


def _instant(value: Any) -> dt.datetime | None:  # noqa: ANN401 - likewise
    """Without an offset it is UTC; the year 1 is .NET's way to say nothing."""
    try:
        instant = dt.datetime.fromisoformat(_text(value))
        aware = instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return aware if aware.year > 1 else None


def _object(value: Any) -> Any:  # noqa: ANN401 - likewise
    return value if isinstance(value, dict | BaseModel) else {}


def _texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - likewise
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list | tuple) else ()


Text = Annotated[str, BeforeValidator(_text)]
Needed = Annotated[str, BeforeValidator(_needed)]
Id = Annotated[str, BeforeValidator(_id)]
Quantity = Annotated[int | None, BeforeValidator(_quantity)]
Instant = Annotated[dt.datetime | None, BeforeValidator(_instant)]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
MaybeFlag = Annotated[bool | None, BeforeValidator(lambda value: value if isinstance(value, bool) else None)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


def listed(told: object, name: str) -> list[Any]:
    """The rows of a list; an empty list has no body at all, and a bare array is one, too."""
    rows = told.get(name) if isinstance(told, dict) else told
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise Unreadable("no_list")
    return rows


class Told(BaseModel):
    """What Microsoft wrote: unknown members are left out, and no input stands in an error."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    @classmethod
    def read(cls, document: object) -> Self:
        """Raises Unreadable when something we act on is missing or makes no sense."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise Unreadable(f"unreadable {cls.__name__} {where}".rstrip()) from None


class Party(Told):
    """Who uses a subscription, or who pays for it; `tid` and `oid` are empty when they are not told."""

    email: Text = Field("", alias="emailId", repr=False)
    oid: Annotated[str, BeforeValidator(lambda value: _text(value).lower())] = Field("", alias="objectId")
    tid: Annotated[str, BeforeValidator(lambda value: _text(value).lower())] = Field("", alias="tenantId")


class Term(Told):
    """Before the activation only the unit is known; the last day is still part of it."""

    unit: Text = Field("", alias="termUnit")
    starts_at: Instant = Field(None, alias="startDate")
    ends_at: Instant = Field(None, alias="endDate")


class Subscription(Told):
    """None, "" and an empty Term or Party stand for what this copy does not say; it may have been said before."""

    id: Id
    status: Needed = Field(alias="saasSubscriptionStatus")
    plan_id: Needed = Field(alias="planId")
    offer_id: Text = Field("", alias="offerId")
    quantity: Quantity = None
    name: Text = Field("", repr=False)
    beneficiary: Annotated[Party, BeforeValidator(_object)] = Party()
    purchaser: Annotated[Party, BeforeValidator(_object)] = Party()
    term: Annotated[Term, BeforeValidator(_object)] = Term()
    auto_renew: MaybeFlag = Field(None, alias="autoRenew")
    is_free_trial: MaybeFlag = Field(None, alias="isFreeTrial")
    allowed_operations: Texts = Field((), alias="allowedCustomerOperations")
    created_at: Instant = Field(None, alias="created")
    modified_at: Instant = Field(None, alias="lastModified")


class Operation(Told):
    """`plan_id` and `quantity` are the new values of a change."""

    id: Id
    subscription_id: Id = Field(alias="subscriptionId")
    action: Needed
    status: Text = ""
    plan_id: Text = Field("", alias="planId")
    quantity: Quantity = None
    source: Text = Field("", alias="operationRequestSource")
    happened_at: Instant = Field(None, alias="timeStamp")


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A subscription of the list that cannot be understood; its id, where at least that is clear."""

    id: str | None
    reason: str


class WebhookEvent(Told):
    """What a call of the webhook says: a hint what to ask about, no more. `operation_id` is empty in short bodies."""

    operation_id: Annotated[str, BeforeValidator(_maybe_id)] = Field("", alias="id")
    subscription_id: Id = Field(alias="subscriptionId")
    action: Text = Field("", validation_alias=AliasChoices("action", "operationType"))


class Price(Told):
    """An amount of money; at most four decimal places."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Sold:
    """What a plan costs on one of its terms (`P1M`, `P1Y`).

    `price` is that of a user or seat for `unit`; None where it, or how many users are included, cannot be read. `fee`
    is what a plan at a flat rate costs beside it for each term, with `included` users in it.
    """

    price: Price | None
    unit: str
    fee: Price | None
    included: int
    term_unit: str


class _Term(Told):
    """A term that a plan is sold for; `included` is None where it cannot be read."""

    unit: str
    price: Price | None
    included: dict[str, int | None] = {}


class Plan(Told):
    """What can be bought; `dimensions` are those that usage is told in."""

    id: Needed = Field(alias="planId")
    name: Text = Field("", alias="displayName")
    description: Text = ""
    is_per_seat: Flag = Field(default=False, alias="isPricePerSeat")
    min_quantity: Quantity = Field(None, alias="minQuantity")
    max_quantity: Quantity = Field(None, alias="maxQuantity")
    dimensions: Texts = ()
    dimension: str = ""
    dimension_prices: dict[str, Price | None] = {}
    terms: tuple[_Term, ...] = ()

    def told_in(self, dimension: str) -> Self:
        """The plan with the dimension that usage is told in, where it has several."""
        return self.model_copy(update={"dimension": dimension})

    def sold_for(self, term_unit: str) -> Sold:
        """What it costs on the term that was bought; on its only one, where it is not known which that was."""
        terms = [each for each in self.terms if each.unit == term_unit or not term_unit]
        of_term = _only([each.price for each in terms])
        unit = terms[0].unit if len(terms) == 1 else term_unit
        if self.is_per_seat:
            return Sold(of_term, unit, None, 0, unit)
        dimension = self.dimension if self.dimension in self.dimension_prices else None
        if dimension is None and len(self.dimension_prices) == 1:
            dimension = next(iter(self.dimension_prices))
        included = [each.included.get(dimension or "", 0) for each in terms]
        known = included[0] if len(included) == 1 else None if any(included) else 0
        price = None if known is None else self.dimension_prices.get(dimension or "")
        return Sold(price, MONTH, of_term, known or 0, unit)

    @model_validator(mode="before")
    @classmethod
    def _find_components(cls, told: Any) -> Any:  # noqa: ANN401 - whatever the answer holds
        if not isinstance(told, dict) or "planComponents" not in told:
            return told
        components = _object(told["planComponents"])
        metered, terms = _objects(components, "meteringDimensions"), _objects(components, "recurrentBillingTerms")
        is_per_seat = told.get("isPricePerSeat") is True
        per_unit = {each["id"]: _price(each, "pricePerUnit") for each in metered if _text(each.get("id"))}
        return {
            **told,
            "dimensions": [each.get("id") for each in metered],
            "dimension_prices": {} if is_per_seat else per_unit,
            "terms": [_term(each) for each in terms],
        }


def _term(told: Mapping[str, Any]) -> dict[str, Any]:
    included = _objects(told, "meteredQuantityIncluded")
    return {
        "unit": _text(told.get("termUnit")),
        "price": _price(told, "price"),
        "included": {_text(each.get("dimensionId")): _units(each.get("units")) for each in included},
    }


def _units(value: Any) -> int | None:  # noqa: ANN401 - likewise
    """Whole units; None for what is no number of them."""
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    units = int(float(text)) if _DIGITS.match(text) else None
    return units if units is not None and units <= _MOST_SEATS else None


def _objects(components: Any, name: str) -> list[Any]:  # noqa: ANN401 - likewise
    listed = components.get(name) if isinstance(components, dict) else None
    return [_object(each) for each in listed] if isinstance(listed, list) else []


def _only(prices: list[Price | None]) -> Price | None:
    return prices[0] if len(prices) == 1 else None


def _price(told: Mapping[str, Any], name: str) -> Price | None:
    """None for what is no price: a bill must not come of a misunderstanding."""
    value, currency = told.get(name), _text(told.get("currency"))
    try:
        amount = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        if amount is None or not 0 <= amount < _TOO_DEAR or amount != amount.quantize(_FOUR_PLACES):
            return None
    except InvalidOperation:
        return None
    return Price(amount=amount, currency=currency) if _CURRENCY.match(currency) else None
