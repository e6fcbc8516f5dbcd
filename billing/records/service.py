"""Reads the bills of a month and the preview of the running month, and records statement exports."""

import datetime as dt
from dataclasses import replace

import sqlalchemy as sa

from billing.closing import service as closing
from billing.closing.model import Bill, Record
from billing.records import rules as records_rules
from billing.records import seat_store
from billing.records import store as records_store
from billing.records.seat_rules import SeatChange, SeatSpan, seat_spans
from billing.records.store import BillLine, ClosedBill
from shared import audit
from shared.audit import Action
from shared.calendar import Month
from shared.errors import NotFound
from shared.work import Work


def bills_of(work: Work, text: str) -> tuple[Month, list[ClosedBill]]:
    """The month of a text such as 2026-11, and its bills.

    Raises:
        NotFound: the text is no month, or the month has no record; the message gives the reason.
    """
    try:
        month = Month.parse(text)
    except ValueError as error:
        raise NotFound("There is no such month. Write it like 2026-11.") from error
    tx, tenant = work.tx, work.tenant
    bills = records_store.bills_of(tx, tenant.id, month)
    if not bills:
        raise NotFound(records_rules.no_record(month, Month.of(work.now, tenant.zone)))
    return month, [replace(bill, seats=_seats_of(tx, tenant.id, bill.record)) for bill in bills]


def preview(work: Work) -> tuple[Bill, tuple[BillLine, ...], tuple[SeatSpan, ...]]:
    """The preview of the running month, with its active users and seats.

    Raises:
        NotFound: the tenant has no subscription.
    """
    bill = closing.preview(work)
    if bill is None:
        raise NotFound("Your organization has no paid subscription, so this month will have no bill.")
    lines = records_store.lines_of(work.tx, work.tenant.id, bill.lines)
    return bill, lines, _seats_so_far(work.tx, bill, work.now)


def record_statement(work: Work, month: Month) -> None:
    audit.record(work, Action.STATEMENT_EXPORTED, after={"month": str(month), "format": "pdf"})


def _seats_of(tx: sa.Connection, tenant_id: int, record: Record) -> tuple[SeatSpan, ...]:
    """The seats known at the close of the record, which never changes."""
    if record.marketplace_id is None or record.is_void:
        return ()
    seats = SeatChange(record.period.starts_at, record.plan_id, record.quantity)
    key, ends_at = (tenant_id, record.subscription_id), record.period.ends_at
    return _seats(tx, key, seats, ends_at=ends_at, known_at=record.closed_at)


def _seats_so_far(tx: sa.Connection, bill: Bill, now: dt.datetime) -> tuple[SeatSpan, ...]:
    subscription, terms = bill.subscription, bill.subscription.terms
    if subscription.marketplace_id is None:
        return ()
    seats = SeatChange(bill.period.starts_at, terms.plan_id, terms.quantity)
    return _seats(tx, (subscription.tenant_id, subscription.id), seats, ends_at=now, known_at=now)


def _seats(
    tx: sa.Connection, key: tuple[int, int], initial: SeatChange, *, ends_at: dt.datetime, known_at: dt.datetime
) -> tuple[SeatSpan, ...]:
    """The seats in the subscription's ledger; `initial` has the start of the period, and its seats without a ledger."""
    changes = seat_store.changes(tx, *key, known_at=known_at) or [initial]
    if all(each.seats is None for each in changes):
        return ()
    prices = seat_store.prices(tx, *key, known_at=known_at)
    return seat_spans(changes, prices, starts_at=initial.at, ends_at=ends_at)
