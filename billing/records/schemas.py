"""Bills on the wire: records, their lines, and the month they belong to."""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

from pydantic import Field, PlainValidator, WithJsonSchema

from billing.closing import model
from billing.records.rules import month_key, month_text
from billing.records.seat_rules import SeatSpan, charges_for_seats
from billing.records.store import Bill, Line, Record
from billing.schemas import Money
from shared.http.wire import Instant, WireModel
from shared.money import amount_text


Kind = Literal["month", "final"]
State = Literal["closed", "void"]
Reason = Literal["signIn", "time"]
InvoicedBy = Annotated[
    Literal["microsoft", "vendor"],
    Field(description="microsoft: bought in the Marketplace; vendor: agreed with the vendor"),
]
Total = Annotated[
    str | None,
    Field(
        description="a decimal number in the record's currency; absent while the price is not known, and where "
        "Microsoft charges for seats, since its invoice decides",
        examples=["13.50"],
    ),
]
Month = Annotated[str, Field(description="a calendar month in the organisation's time zone", examples=["2026-11"])]
Included = Annotated[
    int | None,
    Field(description="of the active users, those that the plan's monthly fee covers, or a free trial; absent is none"),
]
RateUnit = Annotated[
    str | None, Field(description="how long one user or seat is paid for by the rate", examples=["P1M", "P1Y"])
]


def _month(value: Any) -> int:  # noqa: ANN401 - whatever pydantic is handed before it validates
    try:
        return month_key(value)
    except (TypeError, ValueError) as error:
        raise ValueError("must be a month like 2026-11") from error


MonthText = Annotated[
    int,
    PlainValidator(_month),
    WithJsonSchema({"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$", "examples": ["2026-11"]}),
]


class RecordsQuery(WireModel):
    month: MonthText | None = Field(None, description="only records of this month")
    state: State | None = Field(None, description="only records in this state")
    after: str | None = Field(None, description="where the page before ended; nextLink carries it")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50

    def link_after(self, last: "BillingRecord") -> str:
        """Where the page after that record is."""
        parameters = {
            "month": None if self.month is None else month_text(self.month),
            "state": self.state,
            "pageSize": self.page_size,
            "after": last.id,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return "/api/billing/records?" + urlencode(given)


class BillingRecord(WireModel):
    """A closed month: `total` is `activeUsers` without `includedUsers`, times `ratePerUser`.

    A mistake is voided and replaced, never changed. Where Microsoft charges for seats there is no total: its invoice
    decides. Where the price could not be read there is no rate, no currency and no total; the record is replaced when
    the price is known.
    """

    id: str
    month: Month
    kind: Kind = Field(description="final: the subscription ended in it")
    state: State
    period_from: Instant
    period_to: Instant = Field(description="not in it any more")
    time_zone: str = Field(description="the organization's when the period began; the month is one of this zone")
    subscription_id: str | None = Field(None, description="the Marketplace's; absent for an agreement with the vendor")
    invoiced_by: InvoicedBy
    subscription_plan: str
    quantity: int | None = Field(None, description="seats bought, on a plan with seats")
    active_users: int
    included_users: Included = None
    rate_per_user: Money | None = Field(None, description="absent while the price is not known")
    rate_unit: RateUnit = None
    currency: str | None = None
    total: Total = None
    last_event_type: str | None = Field(None, description="the last event of the subscription before the close")
    closed_at: Instant
    voided_at: Instant | None = None
    void_reason: str | None = None
    replaces_id: str | None = Field(None, description="the void record that this one stands for")
    replaced_by_id: str | None = Field(None, description="the record that stands for this void one")

    @classmethod
    def of(cls, record: Record) -> Self:
        return cls(**_fields(record))


class BillingLine(WireModel):
    """One person who counts, named as they were when the month was closed."""

    user_id: str
    email: str
    display_name: str
    reason: Reason = Field(description="time: has time dated in the month; signIn: only signed in")
    first_activity_at: Instant
    last_activity_at: Instant
    activity_month: Month = Field(description="the record's, or an earlier one when time came in after it was closed")
    is_adjustment: Literal[True] | None = Field(None, description="the activity was in an earlier month")

    @classmethod
    def of(cls, line: Line, month: int) -> Self:
        return cls(
            user_id=str(line.user_id),
            email=line.email,
            display_name=line.display_name,
            reason=line.reason,  # type: ignore[arg-type]  # one of them, by a CHECK
            first_activity_at=line.first_activity_at,
            last_activity_at=line.last_activity_at,
            activity_month=month_text(line.activity_month),
            is_adjustment=(line.activity_month != month) or None,
        )


class BillingSeats(WireModel):
    """Seats that a subscription had for a while, at the Marketplace's listed price; Microsoft's invoice decides."""

    period_from: Instant
    period_to: Instant = Field(description="not in it any more")
    plan: str
    quantity: int
    listed_price: Money | None = Field(None, description="of one seat for a term; absent where it is not known")
    currency: str | None = None
    term_unit: str | None = Field(None, description="the term that the price is for", examples=["P1M"])

    @classmethod
    def of(cls, span: SeatSpan) -> Self:
        price = span.price
        return cls(
            period_from=span.starts_at,
            period_to=span.ends_at,
            plan=span.plan_id,
            quantity=span.seats,
            listed_price=None if price is None else amount_text(price.amount, price.currency),
            currency=None if price is None else price.currency,
            term_unit=None if price is None else price.term_unit or None,
        )


Seats = Annotated[
    list[BillingSeats] | None,
    Field(description="from when to when in the period; absent without seats in the Marketplace"),
]


class BillingRecordDetail(BillingRecord):
    seats: Seats = None
    lines: list[BillingLine]

    @classmethod
    def of_bill(cls, bill: Bill) -> Self:
        lines = [BillingLine.of(line, bill.record.month_key) for line in bill.lines]
        return cls(**_fields(bill.record), seats=_seats(bill.seats), lines=lines)


class BillingMonth(WireModel):
    """Every record of a month, in the order in which they were closed: one for each subscription, and void ones."""

    month: Month
    records: list[BillingRecordDetail]

    @classmethod
    def of(cls, month: int, bills: list[Bill]) -> Self:
        return cls(month=month_text(month), records=[BillingRecordDetail.of_bill(bill) for bill in bills])


class BillingPreview(WireModel):
    """What the running month would come to if it ended at `asOf`; more people may become active until it ends.

    Where Microsoft charges for seats there is no total: its invoice decides.
    """

    as_of: Instant
    month: Month
    period_from: Instant
    period_to: Instant = Field(description="when the month ends; not in it any more")
    time_zone: str
    subscription_id: str | None = Field(None, description="the Marketplace's; absent for an agreement with the vendor")
    invoiced_by: InvoicedBy
    subscription_plan: str
    quantity: int | None = Field(None, description="seats bought, on a plan with seats")
    active_users: int
    included_users: Included = None
    rate_per_user: Money | None = Field(None, description="absent while the price is not known")
    rate_unit: RateUnit = None
    currency: str | None = None
    total: Total = None
    seats: Seats = None
    lines: list[BillingLine]

    @classmethod
    def of(cls, bill: model.Bill, lines: Iterable[Line], seats: Iterable[SeatSpan], *, now: dt.datetime) -> Self:
        period, price = bill.period, bill.price
        marketplace_id, quantity = bill.subscription.marketplace_id, bill.subscription.terms.quantity
        total = None if charges_for_seats(marketplace_id, quantity) else bill.total
        return cls(
            as_of=now,
            month=month_text(period.month),
            period_from=period.starts_at,
            period_to=period.ends_at,
            time_zone=period.time_zone,
            subscription_id=_text(marketplace_id),
            invoiced_by=_invoiced_by(marketplace_id),
            subscription_plan=bill.plan_id,
            quantity=quantity,
            active_users=bill.active_users,
            included_users=bill.included_users or None,
            rate_per_user=None if price is None else amount_text(price.rate_per_user, price.currency),
            rate_unit=None if price is None else price.unit,
            currency=None if price is None else price.currency,
            total=None if price is None else amount_text(total, price.currency),
            seats=_seats(seats),
            lines=[BillingLine.of(line, period.month) for line in lines],
        )


class BillingRecordPage(WireModel):
    items: list[BillingRecord]
    next_link: str | None = Field(None, description="the next page; absent on the last")


def _fields(record: Record) -> dict[str, Any]:
    return {
        "id": str(record.id),
        "month": month_text(record.month_key),
        "kind": record.kind,
        "state": record.state,
        "period_from": record.period_from,
        "period_to": record.period_to,
        "time_zone": record.time_zone,
        "subscription_id": _text(record.marketplace_id),
        "invoiced_by": _invoiced_by(record.marketplace_id),
        "subscription_plan": record.plan_id,
        "quantity": record.quantity,
        "active_users": record.active_users,
        "included_users": record.included_users or None,
        "rate_per_user": amount_text(record.rate_per_user, record.currency),
        "rate_unit": None if record.rate_per_user is None else record.rate_unit,
        "currency": record.currency,
        "total": None if record.is_by_seats else amount_text(record.total, record.currency),
        "last_event_type": record.last_event_type,
        "closed_at": record.closed_at,
        "voided_at": record.voided_at,
        "void_reason": record.void_reason,
        "replaces_id": _text(record.replaces),
        "replaced_by_id": _text(record.replaced_by),
    }


def _invoiced_by(marketplace_id: uuid.UUID | None) -> Literal["microsoft", "vendor"]:
    return "vendor" if marketplace_id is None else "microsoft"


def _seats(spans: Iterable[SeatSpan]) -> list[BillingSeats] | None:
    return [BillingSeats.of(span) for span in spans] or None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
