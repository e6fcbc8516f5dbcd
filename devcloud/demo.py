"""The demo tenant: four people of Contoso and three weeks of believable work, by the product's own verbs."""

import datetime as dt
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
import typer

from devcloud.azure_devops.items import ITEMS
from devcloud.entra.people import CONTOSO, Person, find_person
from shared import clock
from shared.db.engine import make_engine
from shared.identity import Principal
from shared.settings import Settings
from shared.tenancy import service as tenants
from shared.tenancy.rows import NewTenant
from shared.tenancy.store import find_tenant
from timers import service as timers


ORGANIZATION: Final = "contoso"
TIME_ZONE: Final = "Europe/Berlin"
MEMBERS: Final = ("ada", "ben", "chloe", "gus")
DAYS: Final = 21
_WORK_ITEMS: Final = {42, 57, 61, 73, 88, 104, 112}


@dataclass(frozen=True, slots=True)
class Work:
    """A stretch of somebody's work on a work item."""

    person: Person
    start: timers.Start
    began_at: dt.datetime
    ended_at: dt.datetime


def demo_command() -> None:
    """Loads the demo tenant into the database of DATABASE_URL, unless it is there."""
    settings = Settings.from_env(os.environ)
    engine = make_engine(settings.database_url, pool_size=1)
    with engine.begin() as tx:
        loaded = load(tx, settings, now=clock.now())
    engine.dispose()
    typer.echo("demo tenant loaded" if loaded else "demo tenant was there")


def load(tx: sa.Connection, settings: Settings, *, now: dt.datetime) -> bool:
    """All in the one transaction: a demo that was interrupted is not there at all. False when it was there."""
    if find_tenant(tx, tid=CONTOSO.tid) is not None:
        return False
    people = [person for name in MEMBERS if (person := find_person(name)) is not None]
    began = (now - dt.timedelta(days=DAYS)).replace(hour=7, minute=30, second=0, microsecond=0)
    subject = NewTenant(CONTOSO.name, ORGANIZATION, TIME_ZONE)
    principals = [_principal(person) for person in people]
    tenants.start_tenant(tx, principals[0], subject, settings=settings, now=began, new_id=clock.new_id)
    for minutes, principal in enumerate(principals[1:], start=1):
        at = began + dt.timedelta(minutes=minutes)
        tenants.sign_in(tx, principal, settings=settings, now=at, new_id=clock.new_id)
    for work in sorted(_history(people, began, now), key=lambda each: each.began_at):
        _track(tx, work, settings)
    return True


def _history(people: list[Person], began: dt.datetime, now: dt.datetime) -> Iterator[Work]:
    """Two to four stretches on each working day, the same ones each time."""
    dice = random.Random(7)  # noqa: S311 - believable, not secret
    items = [(item.project, item.id, item.title) for item in ITEMS if item.id in _WORK_ITEMS]
    for day in range(DAYS):
        morning = began + dt.timedelta(days=day, hours=1)
        if morning.isoweekday() > 5:  # noqa: PLR2004 - Saturday and Sunday
            continue
        for person in people:
            at = morning + dt.timedelta(minutes=dice.randrange(45))
            for _ in range(dice.randint(2, 4)):
                project, number, title = dice.choice(items)
                end = at + dt.timedelta(minutes=dice.randint(25, 130), milliseconds=dice.randrange(60_000))
                if end < now:
                    yield Work(person, timers.Start(ORGANIZATION, project, number, note=title), at, end)
                at = end + dt.timedelta(minutes=dice.randint(5, 50))


def _track(tx: sa.Connection, work: Work, settings: Settings) -> None:
    caller = tenants.sign_in(tx, _principal(work.person), settings=settings, now=work.began_at, new_id=clock.new_id)
    assert caller is not None, "the tenant was made above"  # noqa: S101 - an invariant of ours
    timers.start(tx, caller, work.start, now=work.began_at, new_id=clock.new_id)
    timers.stop(tx, caller, now=work.ended_at)


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
