"""The time on one work item: totals without an end, the timers that run on it, and its entries."""

import pytest
import sqlalchemy as sa

from shared.db.schema import metadata
from tests.support.world import WORK_ITEM
from timers.entries import list_store
from timers.work_items import time_store


HOUR = 3_600_000


def time_on(person, number=42, organization="contoso"):
    return person.get(f"work-items/{organization}/{number}/time")


@pytest.fixture
def ada(world):
    return world.tenant()


@pytest.fixture
def ben(world, ada):
    return world.member(ada)


def test_an_admin_sees_everyones_total_and_others_see_their_own(ada, ben):
    ada.enter("2019-05-02T09:00:00Z", "2019-05-02T10:00:00Z")
    ben.enter("2026-11-20T09:00:00Z", "2026-11-20T11:30:00Z")
    ben.enter("2026-11-20T12:00:00Z", "2026-11-20T12:30:00Z", workItemId=57)
    of_ada, of_ben = time_on(ada), time_on(ben)

    assert of_ada.body == {
        "organization": "contoso",
        "workItemId": 42,
        "own": {"elapsedMs": HOUR, "entries": 1, "lastStoppedAt": "2019-05-02T10:00:00.000Z"},
        "everyone": {"elapsedMs": 3.5 * HOUR, "entries": 2, "lastStoppedAt": "2026-11-20T11:30:00.000Z"},
        "runningTimers": [],
    }
    assert of_ben.body == {
        "organization": "contoso",
        "workItemId": 42,
        "own": {"elapsedMs": 2.5 * HOUR, "entries": 1, "lastStoppedAt": "2026-11-20T11:30:00.000Z"},
        "runningTimers": [],
    }


def test_a_work_item_without_time_has_zeros(ada):
    answer = time_on(ada, 4711)

    assert answer.body["own"] == answer.body["everyone"] == {"elapsedMs": 0, "entries": 0}


def test_the_running_timers_are_those_that_the_caller_may_see(clock, ada, ben):
    ben.start(42, note="why")
    clock.tick(minutes=5)
    ada.start(42)
    of_ada, of_ben, of_another = time_on(ada).body, time_on(ben).body, time_on(ada, 57).body

    assert [(each["user"]["displayName"], each["elapsedMs"]) for each in of_ada["runningTimers"]] == [
        (ben.name, 300_000),
        (ada.name, 0),
    ]
    assert [each["note"] for each in of_ben["runningTimers"]] == ["why"]
    assert of_ada["own"]["entries"] == of_ada["everyone"]["entries"] == 0
    assert of_another["runningTimers"] == []


def test_an_equal_number_in_another_organization_is_another_work_item(ada):
    ada.post("organizations", {"name": "labs"})
    ada.enter()
    ada.enter("2026-11-20T12:00:00Z", "2026-11-20T14:00:00Z", organization="labs")
    ada.start(organization="labs")
    contoso, labs = time_on(ada).body, time_on(ada, organization="LABS").body

    assert [each["everyone"]["elapsedMs"] for each in (contoso, labs)] == [HOUR, 2 * HOUR]
    assert [len(each["runningTimers"]) for each in (contoso, labs)] == [0, 1]
    assert labs["organization"] == "labs"


def test_the_time_of_a_person_who_stopped_the_processing_is_shown_to_themselves_only(ada, ben):
    ada.enter()
    ben.enter()
    ben.start()
    ben.patch("privacy", {"objected": True})  # which stops the timer
    of_ada, of_ben = time_on(ada).body, time_on(ben).body

    assert (of_ada["everyone"]["entries"], of_ada["runningTimers"]) == (1, [])
    assert of_ben["own"]["entries"] == 2


def test_another_tenants_organization_is_not_found(world, ada):
    bob = world.tenant()
    bob.enter()
    bob.post("organizations", {"name": "secret"})
    answers = [time_on(ada, organization="secret"), time_on(ada, "x"), time_on(ada, 0), time_on(ada, 2**31)]

    assert [(each.status, each.code) for each in answers] == [(404, "not_found")] * 4
    assert time_on(ada).body["everyone"]["entries"] == 0


def test_the_entries_of_a_work_item_are_listed_across_its_organizations_namesakes(ada, ben):
    ada.post("organizations", {"name": "labs"})
    ada.enter(organization="labs")
    entered = [person.enter().body["id"] for person in (ada, ben)]
    of_item = {"organization": "contoso", "workItemId": "42"}

    assert {each["id"]: each["user"]["displayName"] for each in ada.entries(**of_item)} == dict(
        zip(entered, (ada.name, ben.name), strict=True)
    )
    assert [each["id"] for each in ben.entries(**of_item)] == entered[1:]


def test_the_totals_take_as_many_statements_however_many_entries_there_are(record_statements, ada):
    for day in range(10, 16):
        ada.enter(f"2026-11-{day}T09:00:00Z", f"2026-11-{day}T10:00:00Z")
    ada.start()
    with record_statements() as sent:
        answer = time_on(ada)

    assert answer.body["own"]["entries"] == 6
    assert len(sent) == 4, sent  # caller, organization, totals, running timers


@pytest.mark.parametrize(
    "statement", [time_store._TOTALS, list_store.statement(("work_items", "organization", "after"))]
)
def test_totals_and_list_of_a_work_item_read_its_index_without_sorting(tmp_path, statement):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/plan.db")
    metadata.create_all(engine)
    values = {name: [42] if name == "work_items" else 1 for name in statement.compile().params}
    text = str(statement.params(values).compile(engine, compile_kwargs={"render_postcompile": True}))
    with engine.connect() as tx:
        steps = [row[-1] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?"))]
    engine.dispose()

    assert "SEARCH time_entries USING INDEX ix_time_entries_item (tenant_id=? AND work_item_id=?" in "\n".join(steps)
    assert not any("SCAN time_entries" in step or "TEMP B-TREE" in step for step in steps), steps


def test_an_entry_moves_from_the_total_of_one_work_item_to_anothers(ada):
    entered = ada.enter(**{**WORK_ITEM, "workItemId": 42})
    ada.correct(entered, workItemId=57)

    assert [time_on(ada, number).body["own"]["entries"] for number in (42, 57)] == [0, 1]
