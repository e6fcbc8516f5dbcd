"""Bills as table rows and as JSON documents."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from billing.closing.model import Activity, Bill, Record


BILL_COLUMNS: Final = (
    *("TENANT", "MONTH", "KIND", "STATE", "USERS", "RATE", "TOTAL", "CURRENCY", "CLOSED (UTC)", "USAGE", "RECORD"),
)
LINE_COLUMNS: Final = ("NAME", "E-MAIL", "MONTH", "ACTIVE BY", "FIRST (UTC)", "LAST (UTC)")


def bill_document(record: Record, slug: str, row: sa.Row[Any] | None = None) -> dict[str, Any]:
    """`row` adds the state of its usage and the reason for voiding."""
    return {
        "id": record.public_id,
        "tenant": slug,
        "month": str(record.period.month),
        "kind": record.period.kind,
        "state": record.state,
        "periodFrom": record.period.starts_at,
        "periodTo": record.period.ends_at,
        "timeZone": record.period.time_zone,
        "activeUsers": record.active_users,
        "includedUsers": record.included_users,
        "ratePerUser": record.price and record.price.rate_per_user,
        "rateUnit": record.price and record.price.unit,
        "total": record.amount,
        "currency": record.price and record.price.currency,
        "closedAt": record.closed_at,
        "usage": None if row is None else row.usage or ("adopted" if row.adopted else None),
        "adoptedUsers": None if row is None else row.adopted,
        "voidReason": None if row is None else row.void_reason,
    }


def bill_row(document: Mapping[str, Any]) -> list[Any]:
    names = ("tenant", "month", "kind", "state", "activeUsers", "ratePerUser", "total", "currency", "closedAt", "usage")
    return [*(document[name] for name in names), document["id"]]


def preview_document(bill: Bill, slug: str) -> dict[str, Any]:
    return {
        "tenant": slug,
        "month": str(bill.period.month),
        "periodFrom": bill.period.starts_at,
        "periodTo": bill.period.ends_at,
        "timeZone": bill.period.time_zone,
        "plan": bill.plan_id,
        "activeUsers": bill.active_users,
        "includedUsers": bill.included_users,
        "ratePerUser": bill.price and bill.price.rate_per_user,
        "rateUnit": bill.price and bill.price.unit,
        "total": bill.amount,
        "currency": bill.price and bill.price.currency,
        "lines": [_line(line) for line in bill.lines],
    }


def _line(line: Activity) -> dict[str, Any]:
    return {
        "displayName": line.display_name,
        "email": line.email,
        "month": str(line.month),
        "reason": line.reason,
        "firstActivityAt": line.first_at,
        "lastActivityAt": line.last_at,
    }
