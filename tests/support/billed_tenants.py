"""A billed tenant, inserted into the tables: its subscription, records and usage events."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from shared import audit
from shared.db.schema import billing_lines, billing_records, subscriptions, tenants, usage_events, users
from shared.tenancy import organization_store
from shared.tenancy.store import read_tenant
from shared.work import SERVICE, Work
from tests.support.record_protection import unprotected_records
from tests.support.world import START


RATE = Decimal("4.50")
DIMENSION = "active_user"
_TENANT_IDS: list[int] = []


@dataclass(frozen=True)
class BilledTenant:
    """A paying tenant; `marketplace_id` is the Marketplace id of its subscription."""

    engine: sa.Engine
    tenant_id: int
    tenant: uuid.UUID
    slug: str
    marketplace_id: uuid.UUID
    subscription_id: int
    people: tuple[int, ...]

    def add_usage(
        self,
        quantity: int = 3,
        *,
        slot: dt.datetime = START,
        month: int = 202610,
        late: bool = False,
        **event: Any,  # noqa: ANN401 - any column value
    ) -> int:
        """Adds a closed record of a month with its usage event, and returns the row number of the event.

        The event is for the last hour of the record's period; if `late`, the period ends with the month.
        """
        with self.engine.begin() as tx:
            record = self._record(tx, quantity, month, slot, late=late)
            values = {
                "tenant_id": self.tenant_id,
                "record_id": record,
                "marketplace_id": self.marketplace_id,
                "dimension": DIMENSION,
                "quantity": quantity,
                "plan_id": "paid",
                "slot": slot,
                "state": "pending",
                "attempts": 0,
                "created_at": slot,
                **event,
            }
            row: int = tx.execute(usage_events.insert().returning(usage_events.c.id), values).scalar_one()
            return row

    def events(self) -> list[dict[str, Any]]:
        """The tenant's rows of the outbox, oldest first."""
        query = sa.select(usage_events).where(usage_events.c.tenant_id == self.tenant_id)
        with self.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query.order_by(usage_events.c.id))]

    def event(self) -> dict[str, Any]:
        [only] = self.events()
        return only

    def change(self, table: sa.Table, **values: Any) -> None:  # noqa: ANN401 - any column value
        """Updates the tenant's rows of a table."""
        with self.engine.begin() as tx:
            tx.execute(table.update().where(table.c.tenant_id == self.tenant_id).values(**values))

    def _record(self, tx: sa.Connection, quantity: int, month: int, closed_at: dt.datetime, *, late: bool) -> int:
        starts_at = dt.datetime(month // 100, month % 100, 1, tzinfo=dt.UTC)
        ends_at = (starts_at + dt.timedelta(days=32)).replace(day=1)
        if not late and starts_at < closed_at:
            ends_at = closed_at + dt.timedelta(hours=1)
        values = {
            "tenant_id": self.tenant_id,
            "public_id": new_id(),
            "subscription_id": self.subscription_id,
            "month_key": month,
            "kind": "month",
            "state": "closed",
            "period_from": starts_at,
            "period_to": ends_at,
            "time_zone": "UTC",
            "marketplace_id": self.marketplace_id,
            "plan_id": "paid",
            "active_users": quantity,
            "rate_per_user": RATE,
            "currency": "USD",
            "minor_unit": Decimal("0.01"),
            "total": quantity * RATE,
            "closed_at": closed_at,
        }
        record: int = tx.execute(billing_records.insert().returning(billing_records.c.id), values).scalar_one()
        for number, user in enumerate(self.people[:quantity]):
            line: dict[str, Any] = {"tenant_id": self.tenant_id, "record_id": record, "user_id": user}
            line |= {"email": f"p{number}@contoso.example", "display_name": f"Somebody {number}", "reason": "signIn"}
            line |= {"activity_month": month, "first_activity_at": starts_at, "last_activity_at": starts_at}
            tx.execute(billing_lines.insert().inline(), line)
        return record


def add_billed_tenant(engine: sa.Engine, marketplace_id: str | uuid.UUID, *, people: int = 3) -> BilledTenant:
    """A tenant on the paid plan since before the billed months."""
    began = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    stamps = {"version": 1, "created_at": began, "updated_at": began}
    marketplace_id, public_id = uuid.UUID(str(marketplace_id)), new_id()
    tenant: dict[str, Any] = {
        "public_id": public_id,
        "entra_tenant_id": new_id(),
        "slug": f"t-{public_id.hex}",
        "name": "Contoso",
    }
    tenant |= {"organization": "contoso", "plan_kind": "paid", "status": "active", "time_zone": "UTC", **stamps}
    tenant |= {"rate_per_user": RATE, "currency": "USD", "seats_used": people, "subscription_id": marketplace_id}
    bought: dict[str, Any] = {
        "marketplace_id": marketplace_id,
        "status": "subscribed",
        "offer_id": "timetracker",
        "plan_id": "paid",
    }
    bought |= {"term_unit": "P1M", "auto_renew": True, "paid_from": began, **stamps}
    with engine.begin() as tx:
        tenant_id = tx.execute(tenants.insert().returning(tenants.c.id), tenant).scalar_one()
        organization_store.add(tx, tenant_id, name="contoso", public_id=new_id(), now=began)
        added = subscriptions.insert().returning(subscriptions.c.id)
        subscription = tx.execute(added, {"tenant_id": tenant_id, **bought}).scalar_one()
        members = tuple(_person(tx, tenant_id, number, stamps) for number in range(people))
    _TENANT_IDS.append(tenant_id)
    return BilledTenant(engine, tenant_id, public_id, str(tenant["slug"]), marketplace_id, subscription, members)


def remove_bills(engine: sa.Engine) -> None:
    """Removes the added bills, since they lack the months before them."""
    with unprotected_records(engine) as tx:
        for table in (usage_events, billing_lines, billing_records):
            tx.execute(table.delete().where(table.c.tenant_id.in_(_TENANT_IDS)))
    _TENANT_IDS.clear()


def _person(tx: sa.Connection, tenant_id: int, number: int, stamps: dict[str, Any]) -> int:
    """Adds a person; the first is the super admin."""
    values = {
        "tenant_id": tenant_id,
        "public_id": new_id(),
        "entra_object_id": new_id(),
        "email": f"p{number}@contoso.example",
        "display_name": f"Somebody {number}",
        "role": "user" if number else "super_admin",
        "auth_provider": "microsoft",
        "is_active": True,
        **stamps,
    }
    user: int = tx.execute(users.insert().returning(users.c.id), values).scalar_one()
    work = Work(tx, read_tenant(tx, tenant_id), SERVICE, stamps["created_at"], new_id)
    audit.record(work, audit.Action.USER_JOINED, subject=user)
    return user


def new_id() -> uuid.UUID:
    return uuid.uuid4()  # noqa: TID251 - tests make their own ids
