"""The bills of a month as the customer asks for them, what the running one comes to, and statements taken out."""

import datetime as dt
import uuid

import sqlalchemy as sa

from billing import rules_records, store_records
from billing.store_records import Bill, Line
from shared import audit
from shared.audit import Action, Actor
from shared.billing import model
from shared.billing import service as closing
from shared.errors import NotFound
from shared.tenancy.model import Caller, Tenant
from shared.tenancy.rules import month_key


def bills_of(tx: sa.Connection, tenant: Tenant, month: str, *, now: dt.datetime) -> tuple[int, list[Bill]]:
    """A month as yyyymm, and its records.

    Raises:
        NotFound: it is no month, or has no record; the text says why, and where to look.
    """
    try:
        key = rules_records.month_key(month)
    except ValueError as error:
        raise NotFound("There is no such month. Write it like 2026-11.") from error
    bills = store_records.bills_of(tx, tenant.id, key)
    if not bills:
        raise NotFound(rules_records.no_record(key, month_key(now, tenant)))
    return key, bills


def preview(tx: sa.Connection, tenant: Tenant, *, now: dt.datetime) -> tuple[model.Bill, tuple[Line, ...]]:
    """What the running month would come to if it ended now, by the computation that will close it, and who counts.

    Raises:
        NotFound: nothing is paid for, so nothing will be billed.
    """
    bill = closing.preview(tx, tenant, now=now)
    if bill is None:
        raise NotFound("Your organisation pays for no subscription now, so this month will have no bill.")
    return bill, store_records.lines_of(tx, tenant.id, bill.lines)


def record_statement(tx: sa.Connection, caller: Caller, month: int, *, now: dt.datetime, row_id: uuid.UUID) -> None:
    audit.record(
        tx,
        caller.tenant.id,
        Action.STATEMENT_EXPORTED,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=row_id,
        after={"month": rules_records.month_text(month), "format": "pdf"},
    )
