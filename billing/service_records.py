"""The bills of a month as the customer asks for them, and on record that a statement was taken out."""

import datetime as dt
import uuid

import sqlalchemy as sa

from billing import rules_records, store_records
from billing.store_records import Bill
from shared import audit
from shared.audit import Action, Actor
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
