"""The demo tenants, made by the product's services: Contoso on a trial, Fabrikam on a paid plan since last month."""

import datetime as dt
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Self
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import typer

from billing.subscriptions import service as subscriptions
from billing.subscriptions.model import Price, Quote, TenantChange
from billing.subscriptions.store import change_tenant
from devcloud.emulators.azure_devops.items import ITEMS, LABS_ITEMS
from devcloud.emulators.entra.people import CONTOSO, FABRIKAM, Directory, Person, find_person
from shared import audit, clock
from shared.auth.tokens import Principal
from shared.calendar import Month
from shared.db.engine import make_engine
from shared.settings import Settings
from shared.tenancy.model import Plan, TenantStatus
from shared.tenancy.store import find_caller, find_tenant
from shared.work import OPERATOR, Actor, Work
from tenants.new_rows import NewTenant
from tenants.organizations import service as organizations_service
from tenants.sign_in import service as tenants
from timers.running import service as timers
from timers.running.model import Start, Stop


TIME_ZONE: Final = "Europe/Berlin"
MEMBERS: Final = ("ada", "ben", "chloe", "gus")
PAYING: Final = ("bob", "fay", "gus-home")
PRICE: Final = Price(Decimal("4.50"), "EUR")
DAYS: Final = 21
LABS: Final = "contoso-labs"  # Contoso's second Azure DevOps organization
LABS_PERSON: Final = "ada"
_FRIDAY: Final = 5
_LABS_HOUR: Final = dt.timedelta(minutes=50)
_WORK_ITEMS: Final = {42, 57, 61, 73, 88, 104, 112}


@dataclass(frozen=True, slots=True)
class WorkPeriod:
    """One period of a person's work on a work item."""

    person: Person
    start: Start
    began_at: dt.datetime
    ended_at: dt.datetime


def demo_command() -> None:
    """Loads the demo tenants into the database of DATABASE_URL, unless they are there."""
    settings = Settings.from_env(os.environ)
    engine = make_engine(settings.database_url, pool_size=1)
    with engine.begin() as tx:
        loaded = load(tx, settings, now=clock.now())
    engine.dispose()
    typer.echo("demo tenants loaded" if loaded else "demo tenants were there")


def load(tx: sa.Connection, settings: Settings, *, now: dt.datetime) -> bool:
    """Loads both tenants in one transaction; False if they exist."""
    if find_tenant(tx, tid=CONTOSO.tid) is not None:
        return False
    contoso = TenantHistory.of(CONTOSO, MEMBERS, days=DAYS, now=now)
    _start(tx, contoso, settings)
    _add_labs(tx, contoso)
    contoso.track(tx, settings, until=now)
    zone = ZoneInfo(TIME_ZONE)
    first = Month.of(now, zone).previous.starts_at(zone) + dt.timedelta(hours=12)
    fabrikam = TenantHistory.of(FABRIKAM, PAYING, days=(now - first).days, now=now)
    _start(tx, fabrikam, settings)
    _pay(tx, fabrikam)
    fabrikam.track(tx, settings, until=now)
    return True


@dataclass(frozen=True, slots=True)
class TenantHistory:
    """The work of a tenant's people in so many days."""

    directory: Directory
    people: list[Person]
    began: dt.datetime
    days: int

    @classmethod
    def of(cls, directory: Directory, names: tuple[str, ...], *, days: int, now: dt.datetime) -> Self:
        people = [person for name in names if (person := find_person(name)) is not None]
        began = (now - dt.timedelta(days=days)).replace(hour=7, minute=30, second=0, microsecond=0)
        return cls(directory, people, began, days)

    @property
    def organization(self) -> str:
        return self.directory.name.lower()

    def track(self, tx: sa.Connection, settings: Settings, *, until: dt.datetime) -> None:
        for work in sorted(self._work(until), key=lambda each: each.began_at):
            _track(tx, work, settings)

    def _work(self, now: dt.datetime) -> Iterator[WorkPeriod]:
        """Two to four periods on each working day, repeatable."""
        rng = random.Random(7)  # noqa: S311 - demo data, no secret
        items = [(item.project, item.id, item.title) for item in ITEMS if item.id in _WORK_ITEMS]
        for day in range(self.days):
            morning = self.began + dt.timedelta(days=day, hours=1)
            if morning.isoweekday() > 5:  # noqa: PLR2004 - Saturday and Sunday
                continue
            for person in self.people:
                at = morning + dt.timedelta(minutes=rng.randrange(45))
                for _ in range(rng.randint(2, 4)):
                    project, number, title = rng.choice(items)
                    end = at + dt.timedelta(minutes=rng.randint(25, 130), milliseconds=rng.randrange(60_000))
                    if end < now:
                        start = Start(self.organization, project, number, note=title)
                        yield WorkPeriod(person, start, at, end)
                    at = end + dt.timedelta(minutes=rng.randint(5, 50))
                is_in_labs = self.directory == CONTOSO and person.short == LABS_PERSON
                if is_in_labs and morning.isoweekday() == _FRIDAY and at + _LABS_HOUR < now:
                    item = LABS_ITEMS[day % len(LABS_ITEMS)]
                    yield WorkPeriod(person, Start(LABS, item.project, item.id, note=item.title), at, at + _LABS_HOUR)


def _start(tx: sa.Connection, history: TenantHistory, settings: Settings) -> None:
    principals, began = [_principal(person) for person in history.people], history.began
    subject = NewTenant(history.directory.name, history.organization, TIME_ZONE)
    tenants.start_tenant(tx, principals[0], subject, settings=settings, now=began, new_id=clock.new_id)
    for minutes, principal in enumerate(principals[1:], start=1):
        at = began + dt.timedelta(minutes=minutes)
        tenants.sign_in(tx, principal, settings=settings, now=at, new_id=clock.new_id)


def _add_labs(tx: sa.Connection, history: TenantHistory) -> None:
    admin = find_caller(tx, tid=history.directory.tid, oid=history.people[0].oid, lock=False)
    assert admin is not None, "the tenant was started before"  # noqa: S101 - created before
    organizations_service.add(Work(tx, admin.tenant, Actor.user(admin.user.id), history.began, clock.new_id), LABS)


def _pay(tx: sa.Connection, history: TenantHistory) -> None:
    """Records a direct agreement, like an operator."""
    tenant, since = find_tenant(tx, tid=history.directory.tid), history.began
    assert tenant is not None, "it was started above"  # noqa: S101 - created before
    work = Work(tx, tenant, OPERATOR, since, clock.new_id)
    subscriptions.agree(work, "agreed", None, PRICE)
    paid = TenantChange(TenantStatus.ACTIVE, Plan.PAID, None, None, Quote(PRICE), None)
    change_tenant(tx, tenant.id, paid, now=since)
    audit.record(
        work,
        audit.Action.PLAN_CHANGED,
        before={"plan": tenant.plan},
        after={"plan": Plan.PAID, "ratePerUser": PRICE.rate_per_user, "currency": PRICE.currency},
    )


def _track(tx: sa.Connection, period: WorkPeriod, settings: Settings) -> None:
    caller = tenants.sign_in(tx, _principal(period.person), settings=settings, now=period.began_at, new_id=clock.new_id)
    assert caller is not None, "the tenant was made above"  # noqa: S101 - an invariant of ours
    began = Work(tx, caller.tenant, Actor.user(caller.user.id), period.began_at, clock.new_id)
    timers.start(began, caller.user, period.start)
    timers.stop(replace(began, now=period.ended_at), caller.user, Stop())


def _principal(person: Person) -> Principal:
    return Principal(
        tid=person.directory.tid,
        oid=person.oid,
        name=person.name,
        username=person.email,
        email=person.email,
        is_guest=person.is_guest,
        token_id=None,
    )
