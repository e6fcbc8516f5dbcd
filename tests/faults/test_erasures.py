"""Erasures that are killed between any two statements, run concurrently, or run during the close of a month."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import pytest
import sqlalchemy as sa

from privacy import person_store
from privacy.erasure import person_flow
from privacy.erasure import service as erasure_service
from privacy.requests import service as requests_service
from privacy.rules import Channel
from shared import clock
from shared.db.schema import erasures, privacy_requests, time_entries, time_entry_days, timer_log, users
from shared.tenancy.store import read_tenant
from shared.work import OPERATOR, Work
from tests.faults import product
from tests.faults.acknowledged_time import violations
from tests.faults.children import CrashingJob, start_crashing_job
from tests.support.paying_tenants import PayingTenant, at
from tests.support.record_protection import unprotected_records
from tests.support.scan import find_columns
from tests.support.world import new_id


@pytest.fixture(scope="module")
def erasure_jobs(app_database_url, entra, tmp_path_factory) -> Iterator[list[CrashingJob]]:
    """Two processes on one database."""
    logs, settings = tmp_path_factory.mktemp("erasers"), product.environment(app_database_url, entra)
    with (
        start_crashing_job("erasures", logs / "1", settings) as first,
        start_crashing_job("erasures", logs / "2", settings) as second,
    ):
        yield [first, second]


@dataclass(frozen=True)
class PersonWithTime:
    payer: PayingTenant
    user: int
    name: str
    address: str

    @property
    def identifiers(self) -> tuple[str, str]:
        return self.name, self.address

    def hours(self, engine) -> list[object]:
        """The person's time in entries, days and log, which must not change."""
        found: list[object] = []
        with engine.connect() as tx:
            for table in (time_entries, time_entry_days, timer_log):
                own = sa.select(sa.func.count(), sa.func.sum(table.c.elapsed_ms)).where(table.c.user_id == self.user)
                found.append(tuple(tx.execute(own).one()))
        return found

    def ask(self, engine) -> None:
        """Adds a due erasure request."""
        with engine.begin() as tx:
            person = person_store.read(tx, self.payer.tenant_id, self.user)
            work = Work(tx, read_tenant(tx, self.payer.tenant_id), OPERATOR, clock.now(), clock.new_id)
            request, _ = requests_service.request_person_erasure(work, person, Channel.OPERATOR)
            requests_service.verify(work, request)


def add_person(engine) -> PersonWithTime:
    """Adds a person with time and notes, and a colleague whose notes name them."""
    payer = PayingTenant.create(engine, people=2)
    user, unique = payer.people[1], new_id()[:8]
    name, address = f"Grace Hopper-{unique}", f"grace.{unique}@contoso.example"
    payer.sign_in(user, at("2026-10-05"))
    for day in (5, 6):
        payer.add_time(user, at(f"2026-10-0{day}T09:00"), at(f"2026-10-0{day}T10:30"))
        payer.add_time(payer.people[0], at(f"2026-10-0{day}T09:00"), at(f"2026-10-0{day}T10:30"))
    with unprotected_records(engine) as tx:
        called = {"email": address, "display_name": name, "directory_name": name}
        tx.execute(users.update().where(users.c.id == user).values(**called))
        note = {"note": f"with {name}, on the phone"}
        tx.execute(time_entries.update().where(time_entries.c.tenant_id == payer.tenant_id).values(**note))
        logged = sa.select(timer_log.c.id, timer_log.c.after_change).where(timer_log.c.tenant_id == payer.tenant_id)
        for row in tx.execute(logged).all():
            change = {"reason": name} | ({} if row.after_change is None else {"after_change": row.after_change | note})
            tx.execute(timer_log.update().where(timer_log.c.id == row.id).values(**change))
    return PersonWithTime(payer, user, name, address)


def state_of(engine, person):
    with engine.connect() as tx:
        own = privacy_requests.c.subject_user_id == person.user
        return tx.execute(sa.select(privacy_requests.c.state).where(own)).scalars().all()


def test_killed_before_any_statement_the_next_run_finishes_it_and_no_hour_is_lost(erasure_jobs, engine):
    for point in count(1):
        person = add_person(engine)
        before = person.hours(engine)
        person.ask(engine)
        code = erasure_jobs[0].run(point)
        half = person.hours(engine)
        if code == -signal.SIGKILL:
            assert erasure_jobs[0].run() == 0
        with engine.connect() as tx:
            mine = erasures.c.tenant_id == person.payer.tenant_id
            listed = tx.execute(sa.select(sa.func.count()).select_from(erasures).where(mine)).scalar_one()

        assert half == before == person.hours(engine), point
        assert find_columns(engine, *person.identifiers) == set(), point
        assert (state_of(engine, person), listed) == (["done"], 1), point
        if code == 0:
            break

    assert point > 40
    assert violations(engine) == []


def test_two_processes_at_once_erase_each_person_once(erasure_jobs, engine):
    people = [add_person(engine) for _ in range(8)]
    before = [person.hours(engine) for person in people]
    for person in people:
        person.ask(engine)
    for each in erasure_jobs:
        each.begin()
    codes = [each.exit_code() for each in erasure_jobs]
    assert erasure_jobs[0].run() == 0  # the loser of a race for a lock retries at the next run
    with engine.connect() as tx:
        tenants = [person.payer.tenant_id for person in people]
        listed = tx.scalars(sa.select(erasures.c.tenant_id).where(erasures.c.tenant_id.in_(tenants))).all()

    assert set(codes) <= {0, 1}
    assert sorted(listed) == sorted(tenants)
    assert [state_of(engine, person) for person in people] == [["done"]] * 8
    assert [len(person.payer.audit("erasure.done")) for person in people] == [1] * 8
    assert [person.hours(engine) for person in people] == before
    assert find_columns(engine, *(identifier for person in people for identifier in person.identifiers)) == set()
    assert violations(engine) == []


def test_a_month_that_is_closed_meanwhile_bills_the_person_once_and_names_nobody(app, engine):
    for _ in range(6):
        person = add_person(engine)
        person.payer.subscribe(at("2026-10-01"))
        with engine.begin() as tx:
            subject = person_store.read(tx, person.payer.tenant_id, person.user)
            erasure_service.close_account(person.payer.work(tx, clock.now()), subject)
        with ThreadPoolExecutor(2) as pool:
            erased = pool.submit(person_flow.erase, app, person.payer.tenant_id, person.user)
            closed = pool.submit(person.payer.close, at("2026-11-02"))
            assert erased.result(60)
            [record] = closed.result(60)
        lines = person.payer.lines(record)

        assert {line.user_id for line in lines} == set(person.payer.people)
        assert find_columns(engine, *person.identifiers) == set()
        assert [line.email.endswith("@erased.invalid") for line in lines if line.user_id == person.user] == [True]
    assert violations(engine) == []
