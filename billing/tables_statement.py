"""The statement of use of a month on paper: what was counted, who counts and why, and what it comes to."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from billing.rules_records import instant_text, month_name, period_days
from billing.store_records import Bill, Line, Record
from shared.billing.rules import amount_text


if TYPE_CHECKING:
    from billing.tables_paper import Paper

_TITLE: Final = "Statement of use"
_COUNTED: Final = (
    "A person counts once in a month, however many projects, work items or subscriptions they worked in. "
    "Who signed in during the period or has time dated in it counts in full; who was only invited does not. "
    "Time that was entered for a month after that was closed counts as an adjustment in the next statement."
)
_MERCHANT: Final = (
    "Microsoft is the merchant of record for purchases in the Azure Marketplace. This is a statement, not an invoice."
)
_REASONS: Final = {"time": "time", "signIn": "sign-in"}
_COLUMNS: Final = (
    ("No.", 10.0),
    ("Name", 44.0),
    ("E-mail", 56.0),
    ("Counts for", 22.0),
    ("First activity", 22.0),
    ("Last activity", 20.0),
)


@dataclass(frozen=True, slots=True)
class _Head:
    tenant: str
    month: str
    records: Sequence[Record]

    @property
    def made_at(self) -> dt.datetime:
        """When the newest of it became so: the same records make the same bytes."""
        return max(record.voided_at or record.closed_at for record in self.records)


def statement(tenant_name: str, month: int, bills: Sequence[Bill]) -> bytes:
    """The PDF of every record of a month (yyyymm), in the order in which they were closed."""
    from billing.tables_paper import Paper  # noqa: PLC0415 - slow to load, and nothing else needs it

    head = _Head(tenant_name, month_name(month), [bill.record for bill in bills])
    ids = ", ".join(str(record.id) for record in head.records)
    paper = Paper(f"{_TITLE} · {tenant_name} · {head.month}", subject=ids, made_at=head.made_at)
    paper.masthead(_TITLE, head.month)
    for number, bill in enumerate(bills):
        if number:
            paper.rule()
        _bill(paper, head, bill)
    if len(bills) > 1:
        _sum(paper, head.records)
    paper.note("How active users are counted", _COUNTED)
    paper.note("", _MERCHANT)
    return paper.to_bytes()


def _bill(paper: "Paper", head: _Head, bill: Bill) -> None:
    record = bill.record
    paper.facts([("Customer", head.tenant), *_facts(record)])
    if record.is_void:
        paper.note("Void: not to be paid", _void(record))
        return
    paper.figures(
        [
            ("Active users", str(record.active_users)),
            ("Rate per user and month", _money(record.rate_per_user, record)),
            ("Total", _money(record.total, record)),
        ]
    )
    zone = ZoneInfo(record.time_zone)
    if bill.lines:
        paper.listing(
            _COLUMNS, (_row(number, line, record.month_key, zone) for number, line in enumerate(bill.lines, start=1))
        )
    else:
        paper.note("", "Nobody was active in this period.")


def _money(amount: Decimal | None, record: Record) -> str:
    spelled = amount_text(amount, record.currency)
    return "not known yet" if spelled is None else f"{spelled} {record.currency}"


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    zone = ZoneInfo(record.time_zone)
    first, last = period_days(record.period_from, record.period_to, zone)
    yield "Period", f"{first} to {last}"
    yield "Time zone", record.time_zone
    seats = "" if record.quantity is None else f", {record.quantity} seats"
    yield "Plan", f"{record.plan_id}{seats}"
    yield "Subscription", str(record.marketplace_id or "agreed with the vendor")
    yield "Statement id", str(record.id)
    ended = ", the subscription ended" if record.kind == "final" else ""
    yield "Closed", f"{instant_text(record.closed_at.astimezone(zone))}{ended}"
    if record.replaces is not None:
        yield "Replaces", str(record.replaces)


def _void(record: Record) -> str:
    when = instant_text((record.voided_at or record.closed_at).astimezone(ZoneInfo(record.time_zone)))
    instead = "" if record.replaced_by is None else f" The record {record.replaced_by} stands in its place."
    return f"This record was voided on {when}: {record.void_reason or 'no reason was given'}.{instead}"


def _row(number: int, line: Line, month: int, zone: ZoneInfo) -> tuple[str, ...]:
    counts = _REASONS[line.reason]
    if line.activity_month != month:
        counts = f"{counts} in {month_name(line.activity_month)} (adjustment)"
    return (
        str(number),
        line.display_name,
        line.email,
        counts,
        _day(line.first_activity_at.astimezone(zone)),
        _day(line.last_activity_at.astimezone(zone)),
    )


def _day(instant: dt.datetime) -> str:
    """Short, and as no two countries read it differently."""
    return f"{instant:%Y-%m-%d}"


def _sum(paper: "Paper", records: Sequence[Record]) -> None:
    """What all records of the month come to, without the void ones."""
    counted = [record for record in records if not record.is_void]
    paper.rule()
    figures = [("Active users of the month", str(sum(record.active_users for record in counted)))]
    for currency in sorted({record.currency for record in counted if record.currency is not None}):
        of_currency = [record for record in counted if record.currency == currency]
        total = sum((record.total for record in of_currency if record.total is not None), Decimal())
        figures.append(("Total of the month", f"{amount_text(total, currency)} {currency}"))
    paper.figures(figures)
