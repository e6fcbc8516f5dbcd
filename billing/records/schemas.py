"""Bills on the wire: records, their lines, and the month they belong to."""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from billing.closing.model import Bill, Record, charges_for_seats
from billing.records.seat_rules import SeatSpan
from billing.records.store import BillLine, ClosedBill
from billing.schemas import Money
from shared.calendar import Month
from shared.http.paging import NEXT_LINK, PageQuery
from shared.http.wire import Instant, WireModel
from shared.money import amount_text


KindText = Literal["month", "final"]
StateText = Literal["closed", "void"]
ReasonText = Literal["signIn", "time"]
InvoicedBy = Annotated[
    Literal["microsoft", "vendor"],
    Field(description="microsoft: bought in the Marketplace; vendor: agreed with the vendor"),
]
Total = Annotated[
    str | None,
    Field(
        description="a decimal number in the record's currency; absent while the price is not known, and if "
        "Microsoft charges for seats",
        examples=["13.50"],
    ),
]
MonthText = Annotated[str, Field(description="a calendar month in the organization's time zone", examples=["2026-11"])]
Included = Annotated[
    int | None,
    Field(description="active users covered by the plan's monthly fee or a free trial; absent if none"),
]
RateUnit = Annotated[str | None, Field(description="billing unit of the rate", examples=["P1M", "P1Y"])]


GivenMonth = Annotated[
    Month,
    PlainValidator(Month.parse),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$", "examples": ["2026-11"]}),
]


class RecordsQuery(PageQuery):
    month: GivenMonth | None = Field(None, description="only records of this month")
    state: StateText | None = Field(None, description="only records in this state")


class BillingRecord(WireModel):
    """A closed month: `total` is `activeUsers` minus `includedUsers`, times `ratePerUser`.

    A record never changes; a wrong one is voided and replaced. If Microsoft charges for seats, there is no total, and
    Microsoft's invoice decides. While the price is not known, rate, currency and total are absent; the record is
    replaced later.
    """

    id: str
    month: MonthText
    kind: KindText = Field(description="final: the subscription ended in it")
    state: StateText
    period_from: Instant
    period_to: Instant = Field(description="exclusive end of the period")
    time_zone: str = Field(description="time zone of the organization at the start of the period")
    subscription_id: str | None = Field(None, description="Marketplace id; absent for an agreement with the vendor")
    invoiced_by: InvoicedBy
    subscription_plan: str
    quantity: int | None = Field(None, description="seats bought, on a plan with seats")
    active_users: int
    included_users: Included = None
    rate_per_user: Money | None = Field(None, description="absent while the price is not known")
    rate_unit: RateUnit = None
    currency: str | None = None
    total: Total = None
    last_event_type: str | None = Field(None, description="last event of the subscription before the close")
    closed_at: Instant
    voided_at: Instant | None = None
    void_reason: str | None = None
    replaces_id: str | None = Field(None, description="id of the void record that this one replaces")
    replaced_by_id: str | None = Field(None, description="id of the replacement record")

    @classmethod
    def of(cls, record: Record) -> Self:
        return cls(**_fields(record))


class BillingLine(WireModel):
    """An active user, with name and address at the close of the month."""

    user_id: str
    email: str
    display_name: str
    reason: ReasonText = Field(description="time: tracked time in the month; signIn: only signed in")
    first_activity_at: Instant
    last_activity_at: Instant
    activity_month: MonthText = Field(
        description="the record's month, or an earlier one for time entered after its close"
    )
    is_adjustment: Literal[True] | None = Field(None, description="the activity was in an earlier month")

    @classmethod
    def of(cls, line: BillLine, month: Month) -> Self:
        return cls(
            user_id=str(line.user_id),
            email=line.email,
            display_name=line.display_name,
            reason=line.reason.value,
            first_activity_at=line.first_activity_at,
            last_activity_at=line.last_activity_at,
            activity_month=str(line.activity_month),
            is_adjustment=(line.activity_month != month) or None,
        )


class BillingSeats(WireModel):
    """Seats of a part of the period, at the Marketplace's listed price; Microsoft's invoice decides."""

    period_from: Instant
    period_to: Instant = Field(description="exclusive end of the period")
    plan: str
    quantity: int
    listed_price: Money | None = Field(None, description="price of one seat for a term; absent if not known")
    currency: str | None = None
    term_unit: str | None = Field(None, description="term of the price", examples=["P1M"])

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
    Field(description="seats by part of the period; absent without Marketplace seats"),
]


class BillingRecordDetail(BillingRecord):
    seats: Seats = None
    lines: list[BillingLine]

    @classmethod
    def of_bill(cls, bill: ClosedBill) -> Self:
        lines = [BillingLine.of(line, bill.record.period.month) for line in bill.lines]
        return cls(**_fields(bill.record), seats=_seats(bill.seats), lines=lines)


class BillingMonth(WireModel):
    """The records of a month in closing order: one for each subscription, and void ones."""

    month: MonthText
    records: list[BillingRecordDetail]

    @classmethod
    def of(cls, month: Month, bills: list[ClosedBill]) -> Self:
        return cls(month=str(month), records=[BillingRecordDetail.of_bill(bill) for bill in bills])


class BillingPreview(WireModel):
    """The bill of the running month if it ended at `asOf`; more people may become active until it ends.

    If Microsoft charges for seats, there is no total, and Microsoft's invoice decides.
    """

    as_of: Instant
    month: MonthText
    period_from: Instant
    period_to: Instant = Field(description="exclusive end of the month")
    time_zone: str
    subscription_id: str | None = Field(None, description="Marketplace id; absent for an agreement with the vendor")
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
    def of(cls, bill: Bill, lines: Iterable[BillLine], seats: Iterable[SeatSpan], *, now: dt.datetime) -> Self:
        period, price = bill.period, bill.price
        marketplace_id, quantity = bill.subscription.marketplace_id, bill.subscription.terms.quantity
        total = None if charges_for_seats(marketplace_id, quantity) else bill.total
        return cls(
            as_of=now,
            month=str(period.month),
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
    next_link: str | None = NEXT_LINK


def _fields(record: Record) -> dict[str, Any]:
    return {
        "id": str(record.public_id),
        "month": str(record.period.month),
        "kind": record.period.kind.value,
        "state": record.state.value,
        "period_from": record.period.starts_at,
        "period_to": record.period.ends_at,
        "time_zone": record.period.time_zone,
        "subscription_id": _text(record.marketplace_id),
        "invoiced_by": _invoiced_by(record.marketplace_id),
        "subscription_plan": record.plan_id,
        "quantity": record.quantity,
        "active_users": record.active_users,
        "included_users": record.included_users or None,
        "rate_per_user": amount_text(record.rate_per_user, record.currency),
        "rate_unit": None if record.price is None else record.price.unit,
        "currency": record.currency,
        "total": amount_text(record.amount, record.currency),
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
