"""Paying tenants, inserted into the tables; their people act through the product's services."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from billing.closing import service
from billing.closing.model import Bill, Record
from billing.closing.service import Closing
from billing.subscriptions import ledger_store
from billing.subscriptions import store as subscription_store
from billing.subscriptions.model import Event, EventSource, Outcome, Price, Quote, Subscription, SubscriptionStatus
from shared import audit, clock
from shared.calendar import Month
from shared.db.schema import (
    audit_log,
    billing_lines,
    billing_records,
    closed_months,
    organizations,
    projects,
    subscriptions,
    tenants,
    usage_events,
    users,
)
from shared.money import MONTH
from shared.tenancy.model import Caller, Tenant
from shared.tenancy.store import find_caller, lock_tenant, read_tenant, record_sign_in
from shared.work import SERVICE, Actor, Work
from tenants.settings import store as settings_store
from tests.support.world import new_id
from timers import days as rules
from timers.entries import change_service
from timers.model import EventKind, Source, TimeEntry, WorkItem
from timers.running import change_service as timer_changes
from timers.running import service as timing
from timers.running.model import Start, Stop, TimerChange


DIMENSION = "active_user"
FOUR_FIFTY = Price(Decimal("4.50"), "EUR")


def at(text: str) -> dt.datetime:
    """An instant, in UTC by default."""
    instant = dt.datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


@dataclass
class PayingTenant:
    """A tenant with people and a subscription; the caller gives the time of each action."""

    engine: sa.Engine
    tenant_id: int
    organization_id: int
    project_id: int
    people: list[int]

    @classmethod
    def create(
        cls,
        engine: sa.Engine,
        *,
        zone: str = "UTC",
        people: int = 3,
        since: dt.datetime | None = None,
    ) -> "PayingTenant":
        """Creates a tenant on its trial."""
        created_at = since or at("2026-01-01")
        stamps = {"version": 1, "created_at": created_at, "updated_at": created_at}
        with engine.begin() as tx:
            tenant = tx.execute(tenants.insert().returning(tenants.c.id), _tenant(zone, people, stamps)).scalar_one()
            named = {"name": "contoso", "name_key": "contoso", "is_active": True, "created_at": created_at}
            organization = {"tenant_id": tenant, "public_id": uuid.UUID(new_id()), **named}
            organization_id = tx.execute(
                organizations.insert().returning(organizations.c.id), organization
            ).scalar_one()
            project = {"organization": "contoso", "name": "Website", "name_key": "contoso/website"}
            project_id = tx.execute(
                projects.insert().returning(projects.c.id),
                {
                    "tenant_id": tenant,
                    "public_id": organization["public_id"],
                    "organization_id": organization_id,
                    **project,
                },
            ).scalar_one()
            payer = cls(engine, tenant, organization_id, project_id, [])
            payer.people = [_person(tx, tenant, number, stamps, created_at) for number in range(people)]
        return payer

    def tenant(self, tx: sa.Connection) -> Tenant:
        return read_tenant(tx, self.tenant_id)

    def change(self, **values: Any) -> None:  # noqa: ANN401 - any column value
        with self.engine.begin() as tx:
            tx.execute(tenants.update().where(tenants.c.id == self.tenant_id).values(**values))

    def set_zone(self, zone: str, when: dt.datetime) -> None:
        """Sets another time zone, like a super admin."""
        with self.engine.begin() as tx:
            settings_store.add_previous_zone(tx, self.tenant_id, self.tenant(tx).time_zone, until=when)
            tx.execute(tenants.update().where(tenants.c.id == self.tenant_id).values(time_zone=zone))

    def add_person(self, when: dt.datetime) -> int:
        """Adds another person, who has never signed in."""
        stamps = {"version": 1, "created_at": when, "updated_at": when}
        with self.engine.begin() as tx:
            self.people.append(_person(tx, self.tenant_id, len(self.people), stamps, when))
            seats = tenants.update().where(tenants.c.id == self.tenant_id).values(seats_used=len(self.people))
            tx.execute(seats)
        return self.people[-1]

    def subscribe(
        self,
        since: dt.datetime,
        price: Price | None = FOUR_FIFTY,
        *,
        marketplace: bool | uuid.UUID = True,
        quantity: int | None = None,
        included: int = 0,
        included_unit: str = MONTH,
        free_trial_ends_at: dt.datetime | None = None,
    ) -> Subscription:
        with self.engine.begin() as tx:
            values: dict[str, Any] = {
                "tenant_id": self.tenant_id,
                "marketplace_id": uuid.UUID(new_id()) if marketplace is True else marketplace or None,
            }
            values |= {"status": "subscribed", "offer_id": "timetracker", "plan_id": "paid", "quantity": quantity}
            values |= {"term_unit": "P1M", "auto_renew": True, "paid_from": since, "version": 1}
            values |= {"free_trial_ends_at": free_trial_ends_at}
            values |= {"created_at": since, "updated_at": since}
            row = tx.execute(subscriptions.insert().returning(subscriptions.c.id), values).scalar_one()
            on_trial = (tenants.c.id == self.tenant_id, tenants.c.plan_kind == "trial")
            tx.execute(tenants.update().where(*on_trial).values(plan_kind="paid"))
            subscription = subscription_store.read(tx, self.tenant_id, row)
            event = Event("Activate", EventSource.LANDING, since)
            ledger_store.add_event(tx, subscription, event, Outcome.APPLIED, now=since)
            if price is not None:
                ledger_store.add_rate(tx, subscription, Quote(price, included, included_unit), from_at=since)
        return subscription

    def live_subscription(self) -> Subscription:
        """The tenant's live subscription."""
        with self.engine.begin() as tx:
            live = subscription_store.find_live(tx, self.tenant_id)
        assert live is not None
        return live

    def set_price(
        self,
        subscription: Subscription,
        price: Price | None,
        since: dt.datetime,
        *,
        plan: str = "paid",
        included: int = 0,
        included_unit: str = MONTH,
    ) -> None:
        """Adds a price of the plan from an instant on; None for an unreadable price."""
        of_plan = replace(subscription, terms=replace(subscription.terms, plan_id=plan))
        with self.engine.begin() as tx:
            ledger_store.add_rate(tx, of_plan, Quote(price, included, included_unit), from_at=since)

    def end_subscription(
        self, subscription: Subscription, when: dt.datetime, *, now: dt.datetime | None = None
    ) -> list[Record]:
        """Ends the subscription like the webhook: in one transaction with its final bill."""
        now = now or when
        with self.engine.begin() as tx:
            current = subscription_store.read(tx, self.tenant_id, subscription.id)
            terms = replace(current.terms, status=SubscriptionStatus.UNSUBSCRIBED)
            ended = replace(current, terms=terms, ended_at=when)
            event = Event("Unsubscribe", EventSource.WEBHOOK, when, uuid.UUID(new_id()))
            ledger_store.add_event(tx, ended, event, Outcome.APPLIED, now=now)
            assert subscription_store.change(tx, ended, now=now)
            return service.close_ended(self.work(tx, now), [ended], Closing(DIMENSION))

    def sign_in(self, user: int, when: dt.datetime) -> None:
        with self.engine.begin() as tx:
            tenant = self.tenant(tx)
            record_sign_in(tx, tenant, user, month=Month.of(when, tenant.zone), at=when)

    def add_time(
        self, user: int, start: dt.datetime, stop: dt.datetime, *, now: dt.datetime | None = None
    ) -> TimeEntry:
        with self.engine.begin() as tx:
            tenant = self.tenant(tx)
            entry = self._entry(tenant, user, start, stop)
            change_service.add(self.user_work(tx, user, now or stop), entry, EventKind.ENTERED)
        return entry

    def start_timer(self, user: int, when: dt.datetime) -> None:
        with self.engine.begin() as tx:
            caller, item = self._caller(tx, user), Start("contoso", "Website", 7)
            timing.start(self.user_work(tx, user, when), caller.user, item)

    def stop_timer(self, user: int, when: dt.datetime) -> None:
        with self.engine.begin() as tx:
            timing.stop(self.user_work(tx, user, when), self._caller(tx, user).user, Stop())

    def discard_timer(self, user: int, when: dt.datetime) -> None:
        with self.engine.begin() as tx:
            timer_changes.discard(self.user_work(tx, user, when), self._caller(tx, user).user, None)

    def move_start(self, user: int, at: dt.datetime, when: dt.datetime) -> None:
        with self.engine.begin() as tx:
            change = TimerChange(started_at=at)
            timer_changes.change(self.user_work(tx, user, when), self._caller(tx, user).user, change)

    def user_work(self, tx: sa.Connection, user: int, now: dt.datetime) -> Work:
        return Work(tx, self.tenant(tx), Actor.user(user), now, clock.new_id)

    def _caller(self, tx: sa.Connection, user: int) -> Caller:
        of_user = sa.select(tenants.c.entra_tenant_id, users.c.entra_object_id).where(
            tenants.c.id == users.c.tenant_id, users.c.tenant_id == self.tenant_id, users.c.id == user
        )
        tid, oid = tx.execute(of_user).one()
        caller = find_caller(tx, tid=str(tid), oid=str(oid), lock=False)
        assert caller is not None
        return caller

    def correct(self, entry: TimeEntry, start: dt.datetime, stop: dt.datetime, now: dt.datetime) -> TimeEntry:
        with self.engine.begin() as tx:
            tenant = self.tenant(tx)
            corrected = self._entry(tenant, entry.user_id, start, stop)
            new = replace(corrected, id=entry.id, version=entry.version + 1)
            work = self.user_work(tx, entry.user_id, now)
            change_service.replace(work, entry, new, EventKind.CORRECTED, reason="wrong")
        return new

    def remove(self, entry: TimeEntry, now: dt.datetime) -> None:
        with self.engine.begin() as tx:
            change_service.remove(self.user_work(tx, entry.user_id, now), entry, reason="by mistake")

    def work(self, tx: sa.Connection, now: dt.datetime) -> Work:
        return Work(tx, lock_tenant(tx, self.tenant_id), SERVICE, now, clock.new_id)

    def close(self, now: dt.datetime, *, dimension: str = DIMENSION) -> list[Record]:
        with self.engine.begin() as tx:
            return service.close_tenant(self.work(tx, now), Closing(dimension))

    def preview(self, now: dt.datetime) -> Bill | None:
        with self.engine.begin() as tx:
            return service.preview(self.work(tx, now))

    def void(self, record: Record, now: dt.datetime, *, is_replaced: bool = False) -> Record | None:
        with self.engine.begin() as tx:
            work = self.work(tx, now)
            service.void(work, record, reason="wrong")
            return service.replace(work, record, Closing(DIMENSION)) if is_replaced else None

    def replace(self, record: Record, now: dt.datetime) -> Record:
        with self.engine.begin() as tx:
            return service.replace(self.work(tx, now), record, Closing(DIMENSION))

    def records(self) -> Sequence[sa.Row[Any]]:
        return self._rows(billing_records, billing_records.c.month_key, billing_records.c.id)

    def lines(self, record: Record | None = None) -> Sequence[sa.Row[Any]]:
        rows = self._rows(billing_lines, billing_lines.c.activity_month, billing_lines.c.user_id)
        return [row for row in rows if record is None or row.record_id == record.id]

    def billed_people(self, record: Record | None = None) -> list[tuple[int, int]]:
        """The number of each billed person, and the month as yyyymm."""
        lines = [line for line in self.lines(record) if not line.is_void]
        return [(self.people.index(line.user_id), line.activity_month) for line in lines]

    def usage(self) -> Sequence[sa.Row[Any]]:
        return self._rows(usage_events, usage_events.c.id)

    def closed_months(self) -> list[int]:
        return [row.month_key for row in self._rows(closed_months, closed_months.c.month_key)]

    def audit(self, action: str) -> list[sa.Row[Any]]:
        return [row for row in self._rows(audit_log, audit_log.c.id) if row.action == action]

    def _entry(self, tenant: Tenant, user: int, start: dt.datetime, stop: dt.datetime) -> TimeEntry:
        return TimeEntry(
            id=uuid.UUID(new_id()),
            user_id=user,
            work_item=WorkItem(self.organization_id, self.project_id, "contoso", "Website", 7),
            started_at=start,
            stopped_at=stop,
            elapsed_ms=rules.elapsed_ms(start, stop),
            existing_hours=None,
            note=None,
            source=Source.MANUAL,
            needs_review=False,
            time_zone=tenant.time_zone,
            end_inferred=False,
            version=1,
            days=rules.split(start, stop, tenant.zone),
        )

    def _rows(self, table: sa.Table, *order: sa.ColumnElement[Any]) -> Sequence[sa.Row[Any]]:
        with self.engine.connect() as connection:
            return connection.execute(
                sa.select(table).where(table.c.tenant_id == self.tenant_id).order_by(*order)
            ).all()


def _tenant(zone: str, people: int, stamps: dict[str, Any]) -> dict[str, Any]:
    names = {"public_id": uuid.UUID(new_id()), "entra_tenant_id": uuid.UUID(new_id()), "slug": f"t-{new_id()}"}
    state = {"plan_kind": "trial", "status": "active", "time_zone": zone, "seats_used": people}
    return {**names, "name": "Contoso", "organization": "contoso", **state, **stamps}


def _person(tx: sa.Connection, tenant_id: int, number: int, stamps: dict[str, Any], when: dt.datetime) -> int:
    email = f"p{number}@contoso.example"
    values = {"tenant_id": tenant_id, "public_id": uuid.UUID(new_id()), "entra_object_id": uuid.UUID(new_id())}
    values |= {"email": email, "display_name": f"Person {number}", "auth_provider": "microsoft"}
    values |= {"role": "user" if number else "super_admin", "is_active": True, **stamps}
    user: int = tx.execute(users.insert().returning(users.c.id), values).scalar_one()
    work = Work(tx, read_tenant(tx, tenant_id), SERVICE, when, clock.new_id)
    audit.record(work, audit.Action.USER_JOINED, subject=user)
    return user
