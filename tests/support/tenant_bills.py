"""Bills of a tenant, inserted into the tables like the results of closed months."""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa

from shared.db.schema import (
    billing_lines,
    billing_records,
    subscription_events,
    subscription_rates,
    subscriptions,
    tenants,
    users,
)
from tests.support.world import Person, new_id


RATE = Decimal("4.50")
CENT = Decimal("0.01")
PAID_FROM = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class TenantBills:
    """The bills of a paying tenant; `people` are the row numbers of its users, oldest first."""

    engine: sa.Engine
    tenant_id: int
    subscription_id: int
    marketplace_id: uuid.UUID | None
    people: tuple[int, ...]

    def subscribe(self, marketplace_id: uuid.UUID | None = None, **values: Any) -> "TenantBills":  # noqa: ANN401
        """Adds another subscription; the first stays unchanged."""
        with self.engine.begin() as tx:
            row = _subscription(tx, self.tenant_id, marketplace_id, **values)
        return TenantBills(self.engine, self.tenant_id, row, marketplace_id, self.people)

    def end(self, at: dt.datetime) -> None:
        """Ends the subscription, so that another may begin."""
        with self.engine.begin() as tx:
            this = subscriptions.c.id == self.subscription_id
            tx.execute(subscriptions.update().where(this).values(status="unsubscribed", ended_at=at))

    def close(self, month: int, *people: int | dict[str, Any], **values: Any) -> str:  # noqa: ANN401 - any column
        """Adds a record with a line for each person, given by number or by column values; returns its public id."""
        public_id = uuid.UUID(new_id())
        starts_at = dt.datetime(month // 100, month % 100, 1, tzinfo=dt.UTC)
        ends_at = (starts_at + dt.timedelta(days=32)).replace(day=1)
        record = {
            "tenant_id": self.tenant_id,
            "public_id": public_id,
            "subscription_id": self.subscription_id,
            "marketplace_id": self.marketplace_id,
            "month_key": month,
            "kind": "month",
            "state": "closed",
            "period_from": starts_at,
            "period_to": ends_at,
            "time_zone": "UTC",
            "plan_id": "paid",
            "active_users": len(people),
            "rate_per_user": RATE,
            "currency": "EUR",
            "minor_unit": CENT,
            "last_event_type": "Activate",
            "closed_at": ends_at + dt.timedelta(minutes=20),
            **values,
        }
        exact = record["active_users"] * record["rate_per_user"]
        record.setdefault("total", (exact / record["minor_unit"]).quantize(1, ROUND_HALF_UP) * record["minor_unit"])
        is_void = record["state"] == "void"
        with self.engine.begin() as tx:
            row = tx.execute(billing_records.insert().returning(billing_records.c.id), record).scalar_one()
            for each in people:
                tx.execute(billing_lines.insert().inline(), self._line(row, month, each, starts_at, is_void=is_void))
            self._set_paid_from(tx)
        return str(public_id)

    def void(self, record: str, reason: str = "a wrong rate") -> int:
        """Voids a record and returns its row number."""
        with self.engine.begin() as tx:
            of_id = billing_records.c.public_id == uuid.UUID(record)
            row: int = tx.scalars(sa.select(billing_records.c.id).where(of_id)).one()
            voided_at = dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
            tx.execute(
                billing_records.update().where(of_id).values(state="void", voided_at=voided_at, void_reason=reason)
            )
            tx.execute(billing_lines.update().where(billing_lines.c.record_id == row).values(is_void=True))
        return row

    def add_event(self, event_type: str, at: dt.datetime, **values: Any) -> None:  # noqa: ANN401 - any column
        """Adds an event to the subscription's ledger."""
        event = {
            "tenant_id": self.tenant_id,
            "subscription_id": self.subscription_id,
            "event_type": event_type,
            "source": "webhook",
            "outcome": "applied",
            "plan_id": "paid",
            "status": "subscribed",
            "effective_at": at,
            "recorded_at": at,
            **values,
        }
        with self.engine.begin() as tx:
            tx.execute(subscription_events.insert().inline(), event)

    def add_price(self, rate: str, at: dt.datetime, currency: str = "EUR") -> None:
        """Adds a price per user from an instant on."""
        price = {"tenant_id": self.tenant_id, "subscription_id": self.subscription_id, "from_at": at, "plan_id": "paid"}
        with self.engine.begin() as tx:
            tx.execute(
                subscription_rates.insert().inline(), {**price, "rate_per_user": Decimal(rate), "currency": currency}
            )

    def _set_paid_from(self, tx: sa.Connection) -> None:
        """Sets the start of the paid plan to the start of the first bill."""
        first = sa.select(sa.func.min(billing_records.c.period_from)).where(
            billing_records.c.subscription_id == self.subscription_id
        )
        this = subscriptions.c.id == self.subscription_id
        tx.execute(subscriptions.update().where(this).values(paid_from=first.scalar_subquery()))

    def _line(
        self, record: int, month: int, person: int | dict[str, Any], at: dt.datetime, *, is_void: bool
    ) -> dict[str, Any]:
        given = {"user_id": self.people[person]} if isinstance(person, int) else person
        return {
            "tenant_id": self.tenant_id,
            "record_id": record,
            "activity_month": month,
            "email": f"{given['user_id']}@contoso.example",
            "display_name": f"Somebody {given['user_id']}",
            "reason": "time",
            "first_activity_at": at + dt.timedelta(days=1, hours=8),
            "last_activity_at": at + dt.timedelta(days=20, hours=17),
            "is_void": is_void,
            **given,
        }


def start_paid_plan(
    engine: sa.Engine,
    admin: Person,
    *,
    people: int = 3,
    marketplace_id: uuid.UUID | None = None,
    **bought: Any,  # noqa: ANN401
) -> TenantBills:
    """Puts the admin's tenant on the paid plan, with invited colleagues, and returns its bills."""
    paid = {"plan_kind": "paid", "rate_per_user": RATE, "currency": "EUR", "subscription_id": marketplace_id}
    with engine.begin() as tx:
        theirs = tenants.c.entra_tenant_id == uuid.UUID(admin.tid)
        tenant_id = tx.scalars(sa.select(tenants.c.id).where(theirs)).one()
        tx.execute(tenants.update().where(theirs).values(**paid))
        subscription = _subscription(tx, tenant_id, marketplace_id, **bought)
    for first in range(0, people, 50):
        some = [{"email": f"{new_id()}@contoso.example"} for _ in range(first, min(first + 50, people))]
        assert admin.post("users", {"users": some}).status == 200
    with engine.connect() as connection:
        rows = connection.scalars(sa.select(users.c.id).where(users.c.tenant_id == tenant_id).order_by(users.c.id))
        return TenantBills(engine, tenant_id, subscription, marketplace_id, tuple(rows))


def _subscription(
    tx: sa.Connection,
    tenant_id: int,
    marketplace_id: uuid.UUID | None,
    **values: Any,  # noqa: ANN401 - any column
) -> int:
    bought = {
        "tenant_id": tenant_id,
        "marketplace_id": marketplace_id,
        "status": "subscribed",
        "offer_id": "timetracker",
        "plan_id": "paid",
        "term_unit": "P1M",
        "auto_renew": True,
        "paid_from": PAID_FROM,
        "version": 1,
        "created_at": PAID_FROM,
        "updated_at": PAID_FROM,
        **values,
    }
    row: int = tx.execute(subscriptions.insert().returning(subscriptions.c.id), bought).scalar_one()
    return row
