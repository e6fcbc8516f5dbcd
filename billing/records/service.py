"""The bills of a month as the customer asks for them, what the running one comes to, and statements taken out."""

import datetime as dt
import uuid
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
from shared.tenancy.model import Caller, Tenant
from shared.work import Actor


def bills_of(tx: sa.Connection, tenant: Tenant, text: str, *, now: dt.datetime) -> tuple[Month, list[ClosedBill]]:
    """The month of a text such as 2026-11, and its records.

    Raises:
        NotFound: it is no month, or has no record; the text says why, and where to look.
    """
    try:
        month = Month.parse(text)
    except ValueError as error:
        raise NotFound("There is no such month. Write it like 2026-11.") from error
    bills = records_store.bills_of(tx, tenant.id, month)
    if not bills:
        raise NotFound(records_rules.no_record(month, Month.of(now, tenant.zone)))
    return month, [replace(bill, seats=_seats_of(tx, tenant.id, bill.record)) for bill in bills]


def preview(
    tx: sa.Connection, tenant: Tenant, *, now: dt.datetime
) -> tuple[Bill, tuple[BillLine, ...], tuple[SeatSpan, ...]]:
    """What the running month would come to if it ended now, by the computation that will close it; who counts, seats.

    Raises:
        NotFound: nothing is paid for, so nothing will be billed.
    """
    bill = closing.preview(tx, tenant, now=now)
    if bill is None:
        raise NotFound("Your organisation pays for no subscription now, so this month will have no bill.")
    return bill, records_store.lines_of(tx, tenant.id, bill.lines), _seats_so_far(tx, bill, now)


def record_statement(tx: sa.Connection, caller: Caller, month: Month, *, now: dt.datetime, row_id: uuid.UUID) -> None:
    audit.record_row(
        tx,
        caller.tenant.id,
        Action.STATEMENT_EXPORTED,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=row_id,
        after={"month": str(month), "format": "pdf"},
    )


def _seats_of(tx: sa.Connection, tenant_id: int, record: Record) -> tuple[SeatSpan, ...]:
    """As they were known when the record was closed: it never changes."""
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
    tx: sa.Connection, key: tuple[int, int], otherwise: SeatChange, *, ends_at: dt.datetime, known_at: dt.datetime
) -> tuple[SeatSpan, ...]:
    """From the ledger of a tenant's subscription, for a period that begins at `otherwise`, which stands without one."""
    changes = seat_store.changes(tx, *key, known_at=known_at) or [otherwise]
    if all(each.seats is None for each in changes):
        return ()
    prices = seat_store.prices(tx, *key, known_at=known_at)
    return seat_spans(changes, prices, starts_at=otherwise.at, ends_at=ends_at)
