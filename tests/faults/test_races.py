"""Two processes on one database, and people who press the button many times at once."""

import datetime as dt
import itertools
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from shared import audit, clock
from shared.audit import Action
from shared.db.schema import tenants, users
from shared.instants import rfc3339
from shared.tenancy.store import read_tenant
from shared.work import OPERATOR, Work
from tests.faults import product
from tests.faults.acknowledged_time import AcknowledgedTime, StoredTime, addresses, seats, violations, watch_invariants
from tests.faults.product import via
from tests.support.world import Answer, Person, new_id


USERS, TENANTS, STARTS, STOPS, AT_ONCE = 60, 4, 8, 4, 4
SWITCHES = {2, 5}  # which of a person's parallel starts say so


@pytest.fixture(scope="module")
def people(two_hosts, entra, internal_tids, crowd) -> list[Person]:
    """Sixty people of four tenants, who signed in for the first time at once."""
    tids = internal_tids[:TENANTS]
    admins = [product.admin(entra, two_hosts[0], tid) for tid in tids]
    more = [product.person(entra, two_hosts[0], tid) for tid in tids for _ in range(USERS // TENANTS - 1)]
    half = len(more) // 2
    for some in (more[:half], more[half:]):
        answers = crowd.at_once([partial(sign_in, one, two_hosts[number % 2]) for number, one in enumerate(some)])
        assert {answer.status for answer in answers} == {200}
    return admins + more


def sign_in(person: Person, base: str, key: str | None = None) -> Answer:
    return via(person, base).post("sign-in", key=key)


def register(person: Person, base: str, key: str | None = None) -> Answer:
    return product.register(via(person, base), key=key)


def start(person: Person, base: str, number: int, project: str) -> Answer:
    switch = number in SWITCHES
    return via(person, base).start(100 + number, key=new_id(), project=project, switch=switch)


def stop(person: Person, base: str, key: str) -> Answer:
    return via(person, base).stop(key=key)


def assert_orderly(starts: list[Answer], stops: list[Answer]) -> None:
    """Checks that each switch and the first start began a timer, other starts got it, and one stop ended it."""
    begun = [answer for answer in starts if answer.status == 201]
    refused = [answer for answer in starts if answer.status != 201]
    plain = [answer for number, answer in enumerate(starts) if number not in SWITCHES and answer.status == 201]
    assert all(starts[number].status == 201 for number in SWITCHES)
    assert len(plain) <= 1
    assert sum("stopped" in answer.body for answer in begun) == len(begun) - 1
    assert {(answer.status, answer.code, "runningTimer" in answer.body) for answer in refused} == {
        (409, "timer_already_running", True)
    }
    assert sorted(answer.status for answer in stops) == [200] + [409] * (STOPS - 1)
    assert {answer.code for answer in stops if answer.status == 409} == {"no_running_timer"}


def test_every_acknowledged_start_and_stop_is_kept_once_and_never_two_timers_run(two_hosts, people, crowd, engine):
    ledger, orderly = AcknowledgedTime(), []
    with watch_invariants(engine) as found:
        for first in range(0, USERS, AT_ONCE):
            wave = people[first : first + AT_ONCE]
            starts = crowd.at_once(
                [partial(start, who, two_hosts[n % 2], n, f"Project {first}") for who in wave for n in range(STARTS)]
            )
            stops = crowd.at_once(
                [partial(stop, who, two_hosts[n % 2], new_id()) for who in wave for n in range(STOPS)]
            )
            for answer in itertools.chain(starts, stops):
                ledger.note(answer)
            orderly += [
                (starts[n * STARTS : (n + 1) * STARTS], stops[n * STOPS : (n + 1) * STOPS]) for n in range(len(wave))
            ]
    stored = StoredTime.of(engine, *{person.tid for person in people})

    assert found == []
    for of_starts, of_stops in orderly:
        assert_orderly(of_starts, of_stops)
    assert stored.started == ledger.started
    assert stored.entries == stored.stopped == ledger.ended
    assert sum(stored.entries.values()) == sum(ledger.ended.values())
    assert stored.running == []


def test_a_discard_of_one_timer_never_takes_the_next_one(two_hosts, entra, crowd, engine):
    people = [product.admin(entra, two_hosts[0]) for _ in range(12)]
    timers = [person.start(7).body["id"] for person in people]

    def discard(person: Person, timer: str) -> Answer:
        return via(person, two_hosts[1]).delete("timers/running", timerId=timer)

    def switch(person: Person) -> Answer:
        return person.start(8, switch=True)

    with watch_invariants(engine) as found:
        pairs = zip(people, timers, strict=True)
        answers = crowd.at_once(
            [call for person, timer in pairs for call in (partial(discard, person, timer), partial(switch, person))]
        )

    assert found == []
    for person, discarded, switched in zip(people, answers[::2], answers[1::2], strict=True):
        entries = person.entries()
        assert switched.status == 201, switched.raw
        assert person.running().body["id"] == switched.body["id"]
        assert (discarded.status, len(entries)) in {(204, 0), (409, 1)}


def test_changes_and_a_stop_at_once_leave_one_entry_with_the_start_of_the_last_change(two_hosts, entra, crowd, engine):
    people = [product.admin(entra, two_hosts[0]) for _ in range(4)]
    timers = [person.start(7).body["id"] for person in people]
    earlier = [rfc3339(clock.now() - dt.timedelta(minutes=minutes)) for minutes in (10, 20)]
    changes = [{"startedAt": earlier[0]}, {"startedAt": earlier[1]}, {"note": "one"}, {"note": "two"}]

    def change(person: Person, timer: str, body: dict[str, str], base: str) -> Answer:
        return via(person, base).patch("timers/running", {**body, "timerId": timer})

    with watch_invariants(engine) as found:
        calls: list[Callable[[], Answer]] = []
        for person, timer in zip(people, timers, strict=True):
            for number, body in enumerate(changes):
                calls.append(partial(change, person, timer, body, two_hosts[number % 2]))
            calls.append(person.stop)
        answers = crowd.at_once(calls)

    assert found == []
    assert {answer.status for answer in answers} <= {200, 409}
    for person in people:
        [entry] = person.entries()
        stopped, *events = person.log()
        assert (stopped["event"], entry["startedAt"]) == ("stopped", events[0]["happenedAt"])
        assert entry.get("note") == events[0].get("timerAfter", {}).get("note")


def test_one_key_sent_twelve_times_at_once_has_one_effect_and_one_answer(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    calls = {
        201: lambda who: who.start(7, key="start"),
        409: lambda who: who.start(8, key="refused"),
        200: lambda who: who.stop(key="stop"),
    }
    answers_by_status = {
        status: crowd.at_once(
            [partial(lambda base, call: call(via(ada, base)), two_hosts[n % 2], call) for n in range(12)]
        )
        for status, call in calls.items()
    }
    stored = StoredTime.of(engine, ada.tid)

    for status, answers in answers_by_status.items():
        assert {(answer.status, answer.raw) for answer in answers} == {(status, answers[0].raw)}
    assert (len(stored.started), len(stored.entries), stored.running) == (1, 1, [])


def test_one_key_sent_twelve_times_at_once_makes_one_tenant_and_one_account(two_hosts, entra, crowd, engine):
    ada = product.person(entra, two_hosts[0])
    made = crowd.at_once([partial(register, ada, two_hosts[n % 2], "register") for n in range(12)])
    bob = product.person(entra, two_hosts[0], ada.tid)
    signed_in = crowd.at_once([partial(sign_in, bob, two_hosts[n % 2], "sign-in") for n in range(12)])

    assert {(answer.status, answer.raw) for answer in made} == {(201, made[0].raw)}
    assert {(answer.status, answer.raw) for answer in signed_in} == {(200, signed_in[0].raw)}
    assert seats(engine, ada.tid) == (2, 2)


def test_one_of_twenty_people_gets_the_last_seat_of_a_trial(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    for _ in range(3):
        assert sign_in(product.person(entra, two_hosts[0], ada.tid), two_hosts[0]).status == 200
    hopeful = [product.person(entra, two_hosts[0], ada.tid) for _ in range(20)]
    answers = crowd.at_once([partial(sign_in, one, two_hosts[n % 2], new_id()) for n, one in enumerate(hopeful)])

    assert Counter(answer.status for answer in answers) == {200: 1, 403: 19}
    assert {answer.code for answer in answers if answer.status == 403} == {"trial_user_limit_reached"}
    assert seats(engine, ada.tid) == (5, 5)


def test_ten_sign_ins_of_a_person_at_once_give_one_account_and_one_seat(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    people = [product.person(entra, two_hosts[0], ada.tid) for _ in range(3)]
    answers = [crowd.at_once([partial(sign_in, who, two_hosts[n % 2], new_id()) for n in range(10)]) for who in people]

    for of_one in answers:
        assert {answer.status for answer in of_one} == {200}
        assert len({answer.body["user"]["id"] for answer in of_one}) == 1
    assert seats(engine, ada.tid) == (4, 4)
    assert addresses(engine, ada.tid) == sorted(who.email for who in [ada, *people])


def test_people_with_one_address_can_all_sign_in_at_once(two_hosts, entra, internal_tids, crowd, engine):
    tid = internal_tids[-1]
    product.admin(entra, two_hosts[0], tid)
    sharing = [product.person(entra, two_hosts[0], tid, email="desk@contoso.example") for _ in range(20)]
    answers = crowd.at_once([partial(sign_in, one, two_hosts[n % 2]) for n, one in enumerate(sharing)])

    assert Counter(answer.status for answer in answers) == {200: 20}
    assert seats(engine, tid) == (21, 21)
    assert addresses(engine, tid).count("desk@contoso.example") == 20
    assert violations(engine) == []


@pytest.mark.parametrize("attempt", range(3))
def test_ten_registrations_of_one_directory_at_once_make_one_tenant(two_hosts, entra, crowd, engine, attempt):
    tid = new_id()
    people = [product.person(entra, two_hosts[0], tid) for _ in range(10)]
    answers = crowd.at_once([partial(register, one, two_hosts[n % 2], new_id()) for n, one in enumerate(people)])

    assert Counter(answer.status for answer in answers) == {201: 1, 409: 9}, attempt
    assert {answer.code for answer in answers if answer.status == 409} == {"tenant_already_registered"}
    assert seats(engine, tid) == (1, 1)


def test_a_sign_in_during_the_creation_of_an_invitation_claims_it(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    bob = product.person(entra, two_hosts[0], ada.tid)
    with engine.connect() as other, other.begin() as making:
        made = other.execute(users.insert().returning(users), account_by_hand(other, ada, bob.email)).one()
        work = Work(other, read_tenant(other, made.tenant_id), OPERATOR, made.created_at, clock.new_id)
        audit.record(work, Action.USER_ADDED, subject=made.id)
        seat = {"seats_used": tenants.c.seats_used + 1}
        other.execute(tenants.update().where(tenants.c.id == made.tenant_id).values(seat))

        def make() -> None:
            wait_for_lock_queue(engine)
            making.commit()

        answer, _ = crowd.at_once([partial(sign_in, bob, two_hosts[0]), make])

    assert (answer.status, answer.body["user"]["id"]) == (200, str(made.public_id))
    assert seats(engine, ada.tid) == (2, 2)


def account_by_hand(tx: sa.Connection, admin: Person, email: str) -> dict[str, Any]:
    """An open invitation of a colleague of the admin."""
    mine = users.c.entra_object_id == uuid.UUID(admin.oid)
    row = tx.execute(sa.select(users).where(mine)).one()._asdict()
    del row["id"], row["log_key"]
    made = {"public_id": uuid.UUID(new_id()), "entra_object_id": None, "email": email, "email_key": email}
    return row | made | {"auth_provider": "manual", "role": "user"}


def wait_for_lock_queue(engine: sa.Engine) -> None:
    """Waits for a session in a lock queue; on SQLite every writer waits from its first statement."""
    if engine.dialect.name == "sqlite":
        return
    waiting = sa.text(
        {
            "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
            "mssql": "SELECT count(*) FROM sys.dm_exec_requests WHERE wait_type LIKE 'LCK%'",
        }[engine.dialect.name]
    )
    with engine.connect() as look:
        while not look.execute(waiting).scalar_one():
            look.rollback()
