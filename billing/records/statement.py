"""The usage statement of a month on paper: what was counted, who counts and why, and what it comes to."""

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
    from billing.records.pdf import Column, Paper

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
_FACTS: Final = 75.0  # millimetres that the facts and figures of a record take
_FIGURES: Final = 30.0


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who issues statements; empty is left out."""

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
    def made_at(self) -> dt.datetime:
        """When the newest of it became so: the same records make the same bytes."""
        return max(record.voided_at or record.closed_at for record in self.records)


def statement(vendor: Vendor, tenant_name: str, month: Month, bills: Sequence[ClosedBill]) -> bytes:
    """The PDF of every record of a month, in the order in which they were closed."""
    from billing.records.pdf import Paper  # noqa: PLC0415 - slow to load, and nothing else needs it

    head = _Head(vendor, tenant_name, month.name, [bill.record for bill in bills])
    ids = ", ".join(str(record.public_id) for record in head.records)
    title = f"{_TITLE} · {tenant_name} · {head.month}"
    paper = Paper(title, subject=ids, author=vendor.name, made_at=head.made_at)
    paper.masthead(_TITLE, head.month)
    about = [text for text in (vendor.name, vendor.address, vendor.contact) if text]
    paper.parties([("Issued by", about), ("Customer", [tenant_name])])
    for number, bill in enumerate(bills):
        if number:
            paper.rule(above=_FACTS)
        _bill(paper, vendor, bill)
    if len(bills) > 1:
        _sum(paper, head.records)
    paper.note("How active users are counted", _COUNTED)
    paper.note("Who invoices", " ".join(_invoicing(vendor, bills)))
    return paper.to_bytes()


def _bill(paper: "Paper", vendor: Vendor, bill: ClosedBill) -> None:
    record, zone = bill.record, ZoneInfo(bill.record.period.time_zone)
    paper.facts(_facts(vendor, record, zone))
    if record.is_void:
        paper.note("Void: not to be paid", _void(record, zone))
        return
    paper.figures(list(_figures(bill)))
    if bill.seats:
        paper.listing("Seats", _seat_columns(), (_seat_row(span, zone) for span in bill.seats))
    if bill.lines:
        alike = _alike(bill.lines)
        rows = (_row(number, line, record.period.month, zone, alike) for number, line in enumerate(bill.lines, start=1))
        paper.listing("Active users", _user_columns(), rows)
    else:
        paper.note("", "Nobody was active in this period.")


def _facts(vendor: Vendor, record: Record, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    first, last = period_days(record.period.starts_at, record.period.ends_at, zone)
    yield "Period", f"{first} to {last}"
    yield "Time zone", record.period.time_zone
    yield "Plan", _plan(vendor, record)
    if record.marketplace_id is not None:
        yield "Subscription", f"Azure Marketplace, {record.marketplace_id}"
    yield "Statement id", str(record.public_id)
    ended = ", as the subscription ended" if record.period.kind is Kind.FINAL else ""
    yield "Issued", f"{instant_text(record.closed_at.astimezone(zone))}{ended}"
    if record.replaces is not None:
        yield "Replaces", str(record.replaces)


def _plan(vendor: Vendor, record: Record) -> str:
    """In words: a plan's id is a name between programs."""
    if record.is_by_seats:
        return "Per seat"
    if record.marketplace_id is not None:
        return "Per active user"
    limit = "" if record.quantity is None else f", for up to {_seats(record.quantity)}"
    return f"Per active user{limit}, as agreed with {vendor.name}"


def _seats(number: int) -> str:
    return "1 seat" if number == 1 else f"{number} seats"


def _figures(bill: ClosedBill) -> Iterator[tuple[str, str]]:
    """What is charged for comes last; for seats no total, since only Microsoft knows it."""
    record = bill.record
    yield "Active users", str(record.active_users)
    if record.is_by_seats:
        price = bill.seats[-1].price if bill.seats else None
        term = "" if price is None else f" and {_term(price)}"
        yield f"Listed price per seat{term}", _listed(price)
        yield "Seats at the end of the period", str(record.quantity)
    else:
        if record.included_users:
            yield "Of them without charge", str(record.included_users)
        yield "Rate per user and month", _money(record.rate_per_user, record.currency)
        yield "Total", _money(record.total, record.currency)


def _void(record: Record, zone: ZoneInfo) -> str:
    when = instant_text((record.voided_at or record.closed_at).astimezone(zone))
    reason = (record.void_reason or "no reason was given").removesuffix(".")
    instead = "" if record.replaced_by is None else f" The statement {record.replaced_by} stands in its place."
    return f"This statement was voided on {when}: {reason}.{instead}"


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


def _alike(lines: Iterable[BillLine]) -> frozenset[uuid.UUID]:
    """The people whom neither their name nor their address tells apart on the bill."""
    people: defaultdict[tuple[str, str], set[uuid.UUID]] = defaultdict(set)
    for line in lines:
        people[line.display_name.casefold(), line.email.casefold()].add(line.user_id)
    return frozenset(each for same in people.values() if len(same) > 1 for each in same)


def _row(number: int, line: BillLine, month: Month, zone: ZoneInfo, alike: frozenset[uuid.UUID]) -> tuple[str, ...]:
    through = _REASONS[line.reason]
    if line.activity_month != month:
        through = f"{through} in {line.activity_month.name} (adjustment)"
    first, last = (day_text(at.astimezone(zone)) for at in (line.first_activity_at, line.last_activity_at))
    name = f"{line.display_name} ({short_id(line.user_id)})" if line.user_id in alike else line.display_name
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
    term = _term(span.price)
    whole = _money(span.seats * span.price.amount, span.price.currency)
    return first, last, str(span.seats), f"{_listed(span.price)} per {term}", f"{whole} per {term}"


def _listed(price: ListedPrice | None) -> str:
    return _UNKNOWN if price is None else _money(price.amount, price.currency)


def _term(price: ListedPrice | None) -> str:
    return term_text("" if price is None else price.term_unit)


def _money(amount: Decimal | None, currency: str | None) -> str:
    spelled = amount_text(amount, currency)
    return _UNKNOWN if spelled is None else f"{spelled} {currency}"


def _invoicing(vendor: Vendor, bills: Iterable[ClosedBill]) -> Iterator[str]:
    """What is true of these bills, each once."""
    told = list(bills)
    if any(bill.record.marketplace_id is not None for bill in told):
        yield _MICROSOFT
    if any(bill.record.is_by_seats or bill.seats for bill in told):
        yield _BY_SEATS
    if any(bill.record.marketplace_id is None for bill in told):
        yield f"What was agreed with {vendor.name} is invoiced by {vendor.name}."
    yield _NO_INVOICE


def _sum(paper: "Paper", records: Sequence[Record]) -> None:
    """What all records of the month come to, without the void ones, and without the seats, which are Microsoft's."""
    counted = [record for record in records if not record.is_void]
    priced = [record for record in counted if not record.is_by_seats]
    paper.rule(above=_FIGURES)
    figures = [("Active users of the month", str(sum(record.active_users for record in counted)))]
    name = "Total of the month" if len(priced) == len(counted) else "Total without seats"
    for currency in sorted({record.currency for record in priced if record.currency is not None}):
        totals = [record.total for record in priced if record.currency == currency and record.total is not None]
        figures.append((name, _money(sum(totals, Decimal()), currency)))
    if any(record.total is None for record in priced):
        figures.append(("Further amounts", _UNKNOWN))
    paper.figures(figures)
