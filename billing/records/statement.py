"""The usage statement of a month as PDF: active users with their activity, rate and total."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from billing.closing.model import Kind, Reason, Record
from billing.records.rules import instant_text, period_days
from billing.records.seat_rules import ListedPrice, SeatSpan
from billing.records.store import BillLine, ClosedBill
from billing.subscriptions.rules import term_text
from shared.calendar import Month, day_text
from shared.money import amount_text
from shared.tenancy.rules import short_id


if TYPE_CHECKING:
    from billing.records.pdf import Column, PdfDocument

_TITLE: Final = "Usage statement"
_COUNTED: Final = (
    "Everyone who signed in during the period, or recorded time in it, counts as one active user. People who were only "
    "invited do not. A person counts once in a month, however many projects, work items or subscriptions they worked "
    "in. Time that is entered for a month after its statement was issued counts as an adjustment in the next statement."
)
_MICROSOFT: Final = (
    "Microsoft is the merchant of record for subscriptions bought in the Azure Marketplace, and invoices them. Taxes, "
    "and a flat fee where the plan has one, are on Microsoft's invoice."
)
_BY_SEATS: Final = (
    "On a plan by seats Microsoft charges for the seats, not for active users. The listed price is that of the Azure "
    "Marketplace for a whole term, without taxes, discounts and partial terms. Microsoft's invoice decides."
)
_NO_INVOICE: Final = "This is a statement, not an invoice."
_REASONS: Final = {Reason.TIME: "tracked time", Reason.SIGN_IN: "sign-in"}
_UNKNOWN: Final = "not known"
_RECORD_HEIGHT: Final = 75.0  # millimeters for the facts and figures of a record
_TOTALS_HEIGHT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Vendor:
    """The issuer of statements; empty fields are left out."""

    name: str
    address: str
    contact: str


@dataclass(frozen=True, slots=True)
class _Head:
    vendor: Vendor
    tenant: str
    month: str
    records: Sequence[Record]

    @property
    def created_at(self) -> dt.datetime:
        """The latest close or voiding, so that the same records make the same bytes."""
        return max(record.voided_at or record.closed_at for record in self.records)


def statement(vendor: Vendor, tenant_name: str, month: Month, bills: Sequence[ClosedBill]) -> bytes:
    """The PDF of all records of a month, in closing order."""
    from billing.records.pdf import PdfDocument  # noqa: PLC0415 - slow to load, and used only here

    head = _Head(vendor, tenant_name, month.name, [bill.record for bill in bills])
    ids = ", ".join(str(record.public_id) for record in head.records)
    title = f"{_TITLE} · {tenant_name} · {head.month}"
    document = PdfDocument(title, subject=ids, author=vendor.name, created_at=head.created_at)
    document.add_masthead(_TITLE, head.month)
    issuer = [text for text in (vendor.name, vendor.address, vendor.contact) if text]
    document.add_parties([("Issued by", issuer), ("Customer", [tenant_name])])
    for number, bill in enumerate(bills):
        if number:
            document.add_rule(above=_RECORD_HEIGHT)
        _add_bill(document, vendor, bill)
    if len(bills) > 1:
        _add_totals(document, head.records)
    document.add_note("How active users are counted", _COUNTED)
    document.add_note("Invoices", " ".join(_invoice_notes(vendor, bills)))
    return document.to_bytes()


def _add_bill(document: "PdfDocument", vendor: Vendor, bill: ClosedBill) -> None:
    record, zone = bill.record, ZoneInfo(bill.record.period.time_zone)
    document.add_facts(_facts(vendor, record, zone))
    if record.is_void:
        document.add_note("Void: not to be paid", _void_text(record, zone))
        return
    document.add_figures(list(_figures(bill)))
    if bill.seats:
        document.add_table("Seats", _seat_columns(), (_seat_row(span, zone) for span in bill.seats))
    if bill.lines:
        namesakes = _namesakes(bill.lines)
        rows = (
            _user_row(number, line, record.period.month, zone, namesakes)
            for number, line in enumerate(bill.lines, start=1)
        )
        document.add_table("Active users", _user_columns(), rows)
    else:
        document.add_note("", "Nobody was active in this period.")


def _facts(vendor: Vendor, record: Record, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    first, last = period_days(record.period.starts_at, record.period.ends_at, zone)
    yield "Period", f"{first} to {last}"
    yield "Time zone", record.period.time_zone
    yield "Plan", _plan_text(vendor, record)
    if record.marketplace_id is not None:
        yield "Subscription", f"Azure Marketplace, {record.marketplace_id}"
    yield "Statement id", str(record.public_id)
    ended = ", as the subscription ended" if record.period.kind is Kind.FINAL else ""
    yield "Issued", f"{instant_text(record.closed_at.astimezone(zone))}{ended}"
    if record.replaces is not None:
        yield "Replaces", str(record.replaces)


def _plan_text(vendor: Vendor, record: Record) -> str:
    """The plan in words, since plan ids are internal."""
    if record.is_by_seats:
        return "Per seat"
    if record.marketplace_id is not None:
        return "Per active user"
    limit = "" if record.quantity is None else f", for up to {_seats_text(record.quantity)}"
    return f"Per active user{limit}, as agreed with {vendor.name}"


def _seats_text(number: int) -> str:
    return "1 seat" if number == 1 else f"{number} seats"


def _figures(bill: ClosedBill) -> Iterator[tuple[str, str]]:
    """The charged quantity or amount comes last; seats have no total, since only Microsoft knows it."""
    record = bill.record
    yield "Active users", str(record.active_users)
    if record.is_by_seats:
        price = bill.seats[-1].price if bill.seats else None
        term = "" if price is None else f" and {_price_term(price)}"
        yield f"Listed price per seat{term}", _price_text(price)
        yield "Seats at the end of the period", str(record.quantity)
    else:
        if record.included_users:
            yield "Users without charge", str(record.included_users)
        yield "Rate per user and month", _money_text(record.rate_per_user, record.currency)
        yield "Total", _money_text(record.total, record.currency)


def _void_text(record: Record, zone: ZoneInfo) -> str:
    voided_at = instant_text((record.voided_at or record.closed_at).astimezone(zone))
    reason = (record.void_reason or "no reason was given").removesuffix(".")
    replacement = "" if record.replaced_by is None else f" Statement {record.replaced_by} replaces it."
    return f"This statement was voided on {voided_at}: {reason}.{replacement}"


def _user_columns() -> Sequence["Column"]:
    from billing.records.pdf import Column  # noqa: PLC0415 - as above

    return (
        Column("No.", 10),
        Column("Name", 38),
        Column("E-mail", 44),
        Column("Active through", 24),
        Column("First activity", 29),
        Column("Last activity", 29),
    )


def _namesakes(lines: Iterable[BillLine]) -> frozenset[uuid.UUID]:
    """The people on the bill with the name and the address of another person."""
    people: defaultdict[tuple[str, str], set[uuid.UUID]] = defaultdict(set)
    for line in lines:
        people[line.display_name.casefold(), line.email.casefold()].add(line.user_id)
    return frozenset(each for namesakes in people.values() if len(namesakes) > 1 for each in namesakes)


def _user_row(
    number: int, line: BillLine, month: Month, zone: ZoneInfo, namesakes: frozenset[uuid.UUID]
) -> tuple[str, ...]:
    through = _REASONS[line.reason]
    if line.activity_month != month:
        through = f"{through} in {line.activity_month.name} (adjustment)"
    first, last = (day_text(at.astimezone(zone)) for at in (line.first_activity_at, line.last_activity_at))
    name = f"{line.display_name} ({short_id(line.user_id)})" if line.user_id in namesakes else line.display_name
    return str(number), name, line.email, through, first, last


def _seat_columns() -> Sequence["Column"]:
    from billing.records.pdf import Column  # noqa: PLC0415 - as above

    return (
        Column("From", 42),
        Column("To", 42),
        Column("Seats", 14, "R"),
        Column("Listed price per seat", 38, "R"),
        Column("For a whole term", 38, "R"),
    )


def _seat_row(span: SeatSpan, zone: ZoneInfo) -> tuple[str, ...]:
    first, last = period_days(span.starts_at, span.ends_at, zone)
    if span.price is None:
        return first, last, str(span.seats), _UNKNOWN, _UNKNOWN
    term = _price_term(span.price)
    whole = _money_text(span.seats * span.price.amount, span.price.currency)
    return first, last, str(span.seats), f"{_price_text(span.price)} per {term}", f"{whole} per {term}"


def _price_text(price: ListedPrice | None) -> str:
    return _UNKNOWN if price is None else _money_text(price.amount, price.currency)


def _price_term(price: ListedPrice | None) -> str:
    return term_text("" if price is None else price.term_unit)


def _money_text(amount: Decimal | None, currency: str | None) -> str:
    text = amount_text(amount, currency)
    return _UNKNOWN if text is None else f"{text} {currency}"


def _invoice_notes(vendor: Vendor, bills: Sequence[ClosedBill]) -> Iterator[str]:
    """The notes about invoices that apply to these bills, each once."""
    if any(bill.record.marketplace_id is not None for bill in bills):
        yield _MICROSOFT
    if any(bill.record.is_by_seats or bill.seats for bill in bills):
        yield _BY_SEATS
    if any(bill.record.marketplace_id is None for bill in bills):
        yield f"Subscriptions agreed with {vendor.name} are invoiced by {vendor.name}."
    yield _NO_INVOICE


def _add_totals(document: "PdfDocument", records: Sequence[Record]) -> None:
    """The totals of the month, without void records and without seats, which Microsoft charges for."""
    counted = [record for record in records if not record.is_void]
    priced = [record for record in counted if not record.is_by_seats]
    document.add_rule(above=_TOTALS_HEIGHT)
    figures = [("Active users of the month", str(sum(record.active_users for record in counted)))]
    name = "Total of the month" if len(priced) == len(counted) else "Total without seats"
    for currency in sorted({record.currency for record in priced if record.currency is not None}):
        totals = [record.total for record in priced if record.currency == currency and record.total is not None]
        figures.append((name, _money_text(sum(totals, Decimal()), currency)))
    if any(record.total is None for record in priced):
        figures.append(("Further amounts", _UNKNOWN))
    document.add_figures(figures)
