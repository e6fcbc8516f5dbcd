"""The documents of the Marketplace's API, parsed tolerantly: only the fields that we act on must be valid.

Microsoft pads statuses, writes quantities as numbers, strings, "" or null, and adds enum values without notice. So
statuses and units are strings, incidental fields become empty when invalid, and unknown fields are ignored.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Self

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from billing.marketplace.errors import UnreadableResponse
from shared.money import MONTH
from shared.settings import GUID


RESOURCE: Final = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"  # the Marketplace in Entra, the same for every publisher
PENDING: Final = "PendingFulfillmentStart"
SUBSCRIBED: Final = "Subscribed"
SUSPENDED: Final = "Suspended"
UNSUBSCRIBED: Final = "Unsubscribed"
IN_PROGRESS: Final = "InProgress"
SUCCEEDED: Final = "Succeeded"
_MAX_SEATS: Final = 2**31 - 1
_CURRENCY: Final = re.compile(r"\A[A-Z]{3}\Z")
_FOUR_PLACES: Final = Decimal("0.0001")
_MAX_AMOUNT: Final = Decimal(10**9)
_DIGITS: Final = re.compile(r"\A[0-9]{1,10}(?:\.0{1,9})?\Z", re.ASCII)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Trimmed; empty for a value that is not a string."""
    return value.strip() if isinstance(value, str) else ""


def _required(value: Any) -> str:  # noqa: ANN401 - likewise
    if not (text := _text(value)):
        raise ValueError("must not be missing")
    return text


def _id(value: Any) -> str:  # noqa: ANN401 - likewise
    if not GUID.match(text := _text(value).lower()):
        raise ValueError("must be a GUID")
    return text


def _optional_id(value: Any) -> str:  # noqa: ANN401 - likewise
    return text if GUID.match(text := _text(value).lower()) else ""


def _quantity(value: Any) -> int | None:  # noqa: ANN401 - likewise
    """None without seats. An unreadable value is an error, so that no limit follows from a misunderstanding."""
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else value
    if text is None or text == "":
        return None
    if not isinstance(text, str) or not _DIGITS.match(text) or (seats := int(float(text))) > _MAX_SEATS:
        raise ValueError("must be a number of seats, empty or null")
    return seats


def _instant(value: Any) -> dt.datetime | None:  # noqa: ANN401 - likewise
    """UTC without an offset; None for the year 1, which is .NET's empty value."""
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
RequiredText = Annotated[str, BeforeValidator(_required)]
Id = Annotated[str, BeforeValidator(_id)]
Quantity = Annotated[int | None, BeforeValidator(_quantity)]
Instant = Annotated[dt.datetime | None, BeforeValidator(_instant)]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
OptionalFlag = Annotated[bool | None, BeforeValidator(lambda value: value if isinstance(value, bool) else None)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


def list_rows(document: object, name: str) -> list[Any]:
    """The rows of a list. An empty list may have no body at all, and a bare array is accepted."""
    rows = document.get(name) if isinstance(document, dict) else document
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise UnreadableResponse("no_list")
    return rows


class MarketplaceModel(BaseModel):
    """The base class: unknown fields are ignored, and errors contain no input."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    @classmethod
    def parse(cls, document: object) -> Self:
        """Raises UnreadableResponse when a field that we act on is missing or invalid."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise UnreadableResponse(f"unreadable {cls.__name__} {where}".rstrip()) from None


class Party(MarketplaceModel):
    """The user or the payer of a subscription; `tid` and `oid` may be empty."""

    email: Text = Field("", alias="emailId", repr=False)
    oid: Annotated[str, BeforeValidator(lambda value: _text(value).lower())] = Field("", alias="objectId")
    tid: Annotated[str, BeforeValidator(lambda value: _text(value).lower())] = Field("", alias="tenantId")


class Term(MarketplaceModel):
    """Before the activation only the unit is known. `ends_at` is the last day of the term."""

    unit: Text = Field("", alias="termUnit")
    starts_at: Instant = Field(None, alias="startDate")
    ends_at: Instant = Field(None, alias="endDate")


class Subscription(MarketplaceModel):
    """None, "" and an empty Term or Party are unknown in this copy; an earlier one may have had a value."""

    id: Id
    status: RequiredText = Field(alias="saasSubscriptionStatus")
    plan_id: RequiredText = Field(alias="planId")
    offer_id: Text = Field("", alias="offerId")
    quantity: Quantity = None
    name: Text = Field("", repr=False)
    beneficiary: Annotated[Party, BeforeValidator(_object)] = Party()
    purchaser: Annotated[Party, BeforeValidator(_object)] = Party()
    term: Annotated[Term, BeforeValidator(_object)] = Term()
    auto_renew: OptionalFlag = Field(None, alias="autoRenew")
    is_free_trial: OptionalFlag = Field(None, alias="isFreeTrial")
    allowed_operations: Texts = Field((), alias="allowedCustomerOperations")
    created_at: Instant = Field(None, alias="created")
    modified_at: Instant = Field(None, alias="lastModified")


class Operation(MarketplaceModel):
    """`plan_id` and `quantity` are the new values of a change."""

    id: Id
    subscription_id: Id = Field(alias="subscriptionId")
    action: RequiredText
    status: Text = ""
    plan_id: Text = Field("", alias="planId")
    quantity: Quantity = None
    source: Text = Field("", alias="operationRequestSource")
    happened_at: Instant = Field(None, alias="timeStamp")


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of the list that cannot be parsed, with the subscription's id if at least that is readable."""

    id: str | None
    reason: str


class WebhookEvent(MarketplaceModel):
    """The body of a webhook call, used only as a reference for a query. `operation_id` is empty in short bodies."""

    operation_id: Annotated[str, BeforeValidator(_optional_id)] = Field("", alias="id")
    subscription_id: Id = Field(alias="subscriptionId")
    action: Text = Field("", validation_alias=AliasChoices("action", "operationType"))


class Price(MarketplaceModel):
    """An amount of money; at most four decimal places."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Pricing:
    """The prices of a plan for one of its terms (`P1M`, `P1Y`).

    `price` is per user or seat and `unit`; None if it, or the number of included users, cannot be read. `fee` is the
    flat rate per term, which covers `included` users.
    """

    price: Price | None
    unit: str
    fee: Price | None
    included: int
    term_unit: str


class _Term(MarketplaceModel):
    """A term that the plan is offered for; unreadable quantities in `included` are None."""

    unit: str
    price: Price | None
    included: dict[str, int | None] = {}


class Plan(MarketplaceModel):
    """A plan of the offer; usage is reported in one of its `dimensions`."""

    id: RequiredText = Field(alias="planId")
    name: Text = Field("", alias="displayName")
    description: Text = ""
    is_per_seat: Flag = Field(default=False, alias="isPricePerSeat")
    min_quantity: Quantity = Field(None, alias="minQuantity")
    max_quantity: Quantity = Field(None, alias="maxQuantity")
    dimensions: Texts = ()
    dimension: str = ""
    dimension_prices: dict[str, Price | None] = {}
    terms: tuple[_Term, ...] = ()

    def with_dimension(self, dimension: str) -> Self:
        """The plan with the dimension that usage is reported in, if it has several."""
        return self.model_copy(update={"dimension": dimension})

    def pricing_for(self, term_unit: str) -> Pricing:
        """The prices for the purchased term, or for the only term if the purchased one is unknown."""
        terms = [each for each in self.terms if each.unit == term_unit or not term_unit]
        term_price = _only([each.price for each in terms])
        unit = terms[0].unit if len(terms) == 1 else term_unit
        if self.is_per_seat:
            return Pricing(term_price, unit, None, 0, unit)
        dimension = self.dimension if self.dimension in self.dimension_prices else None
        if dimension is None and len(self.dimension_prices) == 1:
            dimension = next(iter(self.dimension_prices))
        included = [each.included.get(dimension or "", 0) for each in terms]
        known = included[0] if len(included) == 1 else None if any(included) else 0
        price = None if known is None else self.dimension_prices.get(dimension or "")
        return Pricing(price, MONTH, term_price, known or 0, unit)

    @model_validator(mode="before")
    @classmethod
    def _flatten_components(cls, document: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(document, dict) or "planComponents" not in document:
            return document
        components = _object(document["planComponents"])
        metered, terms = _objects(components, "meteringDimensions"), _objects(components, "recurrentBillingTerms")
        is_per_seat = document.get("isPricePerSeat") is True
        per_unit = {each["id"]: _price(each, "pricePerUnit") for each in metered if _text(each.get("id"))}
        return {
            **document,
            "dimensions": [each.get("id") for each in metered],
            "dimension_prices": {} if is_per_seat else per_unit,
            "terms": [_term(each) for each in terms],
        }


def _term(document: Mapping[str, Any]) -> dict[str, Any]:
    included = _objects(document, "meteredQuantityIncluded")
    return {
        "unit": _text(document.get("termUnit")),
        "price": _price(document, "price"),
        "included": {_text(each.get("dimensionId")): _units(each.get("units")) for each in included},
    }


def _units(value: Any) -> int | None:  # noqa: ANN401 - likewise
    """Whole units; None for any other value."""
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    units = int(float(text)) if _DIGITS.match(text) else None
    return units if units is not None and units <= _MAX_SEATS else None


def _objects(components: Any, name: str) -> list[Any]:  # noqa: ANN401 - likewise
    rows = components.get(name) if isinstance(components, dict) else None
    return [_object(row) for row in rows] if isinstance(rows, list) else []


def _only(prices: list[Price | None]) -> Price | None:
    return prices[0] if len(prices) == 1 else None


def _price(document: Mapping[str, Any], name: str) -> Price | None:
    """None for an unreadable price, so that no bill follows from a misunderstanding."""
    value, currency = document.get(name), _text(document.get("currency"))
    try:
        amount = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        if amount is None or not 0 <= amount < _MAX_AMOUNT or amount != amount.quantize(_FOUR_PLACES):
            return None
    except InvalidOperation:
        return None
    return Price(amount=amount, currency=currency) if _CURRENCY.match(currency) else None
