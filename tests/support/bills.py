"""A bill inserted into the tables: a subscription, one month's record, and a line for one person."""

import datetime as dt
import uuid
from decimal import Decimal

import sqlalchemy as sa

from shared.db.schema import billing_lines, billing_records, subscriptions


AT = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)


def subscribe(tx: sa.Connection, tenant_id: int, *, status: str = "subscribed") -> int:
    """Adds a paid plan agreed with the vendor, and returns its row number."""
    values = {
        "tenant_id": tenant_id,
        "status": status,
        "offer_id": "timetracker",
        "plan_id": "team",
        "term_unit": "P1M",
        "auto_renew": True,
        "paid_from": AT,
        "ended_at": AT + dt.timedelta(days=30) if status == "unsubscribed" else None,
        "version": 1,
        "created_at": AT,
        "updated_at": AT,
    }
    found: int = tx.execute(subscriptions.insert().returning(subscriptions.c.id), values).scalar_one()
    return found


def close_a_month(
    tx: sa.Connection,
    tenant_id: int,
    user_id: int,
    *,
    email: str,
    name: str,
    kind: str = "month",
    closed_at: dt.datetime = AT + dt.timedelta(days=31),
    subscription_id: int | None = None,
) -> int:
    """Adds a record of October 2026 with one active user, and returns its row number."""
    values = {
        "tenant_id": tenant_id,
        "public_id": uuid.uuid4(),  # noqa: TID251 - tests make their own ids
        "subscription_id": subscription_id or subscribe(tx, tenant_id),
        "month_key": 202610,
        "kind": kind,
        "state": "closed",
        "period_from": AT,
        "period_to": AT + dt.timedelta(days=31),
        "time_zone": "UTC",
        "plan_id": "team",
        "active_users": 1,
        "rate_per_user": Decimal("4.50"),
        "currency": "EUR",
        "minor_unit": Decimal("0.01"),
        "total": Decimal("4.50"),
        "closed_at": closed_at,
    }
    record: int = tx.execute(billing_records.insert().returning(billing_records.c.id), values).scalar_one()
    line = {
        "tenant_id": tenant_id,
        "record_id": record,
        "user_id": user_id,
        "activity_month": 202610,
        "email": email,
        "display_name": name,
        "reason": "time",
        "first_activity_at": AT,
        "last_activity_at": AT,
    }
    tx.execute(billing_lines.insert(), line)
    return record
