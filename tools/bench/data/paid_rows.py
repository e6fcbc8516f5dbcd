"""The rows of many paying tenants: people with sign-ins, and time of one month."""

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from shared.db.schema import metadata
from tools.bench.data.directory import TID, oid
from tools.bench.data.rows import DAY, ENTRY, Batch, Values


USERS: Final = 20
ENTRIES: Final = 100  # per tenant
_PERSON: Final = (
    *("id", "tenant_id", "public_id", "entra_object_id", "email", "display_name", "role"),
    *("auth_provider", "is_active", "version", "created_at", "updated_at"),
)
_SIGNED_IN: Final = ("tenant_id", "user_id", "month_key", "first_sign_in_at", "last_sign_in_at")
COLUMNS: Final = {"users": _PERSON, "user_months": _SIGNED_IN, "time_entries": ENTRY, "time_entry_days": DAY}
assert all(set(names) <= set(metadata.tables[table].c.keys()) for table, names in COLUMNS.items())  # noqa: S101 - checks the names
_BATCH: Final = 500  # tenants
_HOUR_MS: Final = 3_600_000


def tenants(count: int, month: dt.datetime) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The tables with few rows per tenant; all tenants pay from the start of the month.

    The first tenant belongs to the directory, so that its bill can be requested.
    """
    timestamps = {"version": 1, "created_at": month, "updated_at": month}
    numbers = range(1, count + 1)
    settings = {"name": "Contoso", "organization": "contoso", "time_zone": "UTC", "seats_used": USERS}
    plan = {"plan_kind": "paid", "status": "active", **settings, **timestamps}
    yield "tenants", [{"id": each, **_ids(each), **plan} for each in numbers]
    project = {"organization": "contoso", "name": "Website", "name_key": "contoso/website"}
    organization = {"name": "contoso", "name_key": "contoso", "is_active": True, "created_at": month}
    yield (
        "organizations",
        [{"id": each, "tenant_id": each, "public_id": uuid.UUID(int=each), **organization} for each in numbers],
    )
    yield (
        "projects",
        [
            {"id": each, "tenant_id": each, "public_id": uuid.UUID(int=each), "organization_id": each, **project}
            for each in numbers
        ],
    )
    terms = {"status": "subscribed", "offer_id": "o", "plan_id": "paid", "term_unit": "P1M", "auto_renew": True}
    paid = {**terms, "paid_from": month, **timestamps}
    yield (
        "subscriptions",
        [{"id": each, "tenant_id": each, "marketplace_id": uuid.UUID(int=each), **paid} for each in numbers],
    )
    rate = {"from_at": month, "plan_id": "paid", "rate_per_user": Decimal("4.5"), "currency": "EUR"}
    yield "subscription_rates", [{"tenant_id": each, "subscription_id": each, **rate} for each in numbers]


def _ids(tenant: int) -> dict[str, Any]:
    directory = uuid.UUID(TID) if tenant == 1 else uuid.UUID(int=tenant)
    return {"public_id": uuid.UUID(int=tenant), "entra_tenant_id": directory, "slug": f"t{tenant}"}


def batches(count: int, month: dt.datetime) -> Iterator[Batch]:
    """The tables with many rows per tenant, in the order of `COLUMNS`."""
    for first in range(1, count + 1, _BATCH):
        last = min(first + _BATCH, count + 1)
        numbers = range(first, last)
        people = [(tenant, (tenant - 1) * USERS + each) for tenant in numbers for each in range(USERS)]
        work = [_work(tenant, each, month) for tenant in numbers for each in range(ENTRIES)]
        signed_in = [_signed_in(tenant, user, month) for tenant, user in people]
        yield (
            (last - 1) / count,
            [[_person(tenant, user, month) for tenant, user in people], signed_in, *map(list, zip(*work, strict=True))],
        )


def month_key(month: dt.datetime) -> int:
    return month.year * 100 + month.month


def _person(tenant: int, number: int, month: dt.datetime) -> Values:
    object_id = uuid.UUID(oid(number)).hex if tenant == 1 else f"{number:032x}"
    email, at = f"p{number}@contoso.example", _text(month)
    role = "user" if number % USERS else "super_admin"
    person = (f"{number:032x}", object_id, email, f"Person {number}", role, "microsoft")
    return (number + 1, tenant, *person, 1, 1, at, at)


def _signed_in(tenant: int, number: int, month: dt.datetime) -> Values:
    return (tenant, number + 1, month_key(month), _text(month), _text(month))


def _work(tenant: int, number: int, month: dt.datetime) -> tuple[Values, Values]:
    entry, user = (tenant - 1) * ENTRIES + number + 1, (tenant - 1) * USERS + number % USERS + 1
    start = month + dt.timedelta(days=number % 28, hours=9)
    began, ended = _text(start), _text(start + dt.timedelta(milliseconds=_HOUR_MS))
    of = (tenant, user, f"{entry:032x}", tenant, 7)
    row = (entry, *of, began, ended, _HOUR_MS, "UTC", "timer", 0, 1, ended, ended)
    return row, (tenant, entry, start.date().isoformat(), month_key(month), user, tenant, 7, _HOUR_MS, 1)


def _text(instant: dt.datetime) -> str:
    """The text in SQLite's tables."""
    return instant.isoformat(timespec="milliseconds")[:23] + "Z"
