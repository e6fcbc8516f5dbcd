import json
import logging
import uuid

import pytest
import sqlalchemy as sa

from function_app import INVARIANTS
from shared.db.schema import tenants, time_entries, users
from shared.health.invariants import Violation, check
from shared.health.jobs import InvariantsViolated, check_all


@pytest.fixture
def log_lines(caplog):
    """Our log lines of this test, by event."""
    caplog.set_level(logging.INFO, "timetracker")

    def lines(event: str) -> list[dict[str, object]]:
        every = [json.loads(record.message) for record in caplog.records if record.name == "timetracker"]
        return [line for line in every if line["event"] == event]

    return lines


@pytest.fixture
def corrupt(engine):
    """Changes rows directly, and restores them after the test."""
    undo = []

    def put(table, where, **values):
        with engine.begin() as tx:
            before = tx.execute(sa.select(table).where(where)).mappings().one()
            undo.append((table, where, {name: before[name] for name in values}))
            tx.execute(table.update().where(where).values(**values))
        return before["id"]

    yield put
    with engine.begin() as tx:
        for table, where, values in undo:
            tx.execute(table.update().where(where).values(**values))


def of(person):
    return tenants.c.entra_tenant_id == uuid.UUID(person.tid)


def test_valid_data_raises_no_alarm(world, app, log_lines):
    world.tenant().start(7)
    check_all(app, INVARIANTS)

    assert log_lines("invariant_violated") == []
    assert [(line["function"], line["count"], line["failed"]) for line in log_lines("job_done")] == [
        ("check_invariants", 0, 0)
    ]


def test_a_violation_is_logged_with_its_rows_and_fails_the_run(world, app, log_lines, corrupt):
    broken = corrupt(tenants, of(world.tenant()), seats_used=4)
    with pytest.raises(
        InvariantsViolated, match=rf"^1 of {len(INVARIANTS)} invariants violated, 0 could not be checked$"
    ):
        check_all(app, INVARIANTS)
    [line] = log_lines("invariant_violated")

    assert (line["level"], line["invariant"]) == ("error", "seats_used_counts_enabled_accounts")
    assert (line["count"], line["ids"]) == (1, [broken])
    assert "droppedFields" not in line


def test_each_violated_invariant_is_logged(world, app, log_lines, corrupt):
    ada = world.tenant()
    ada.start(7)
    entry = ada.stop().body["id"]
    corrupt(tenants, of(ada), seats_used=4)
    corrupt(time_entries, time_entries.c.public_id == uuid.UUID(entry), elapsed_ms=77)
    with pytest.raises(InvariantsViolated, match=r"^3 of"):
        check_all(app, INVARIANTS)

    assert {line["invariant"] for line in log_lines("invariant_violated")} == {
        "seats_used_counts_enabled_accounts",
        "days_sum_to_elapsed",
        "entry_is_as_last_logged",
    }


def test_an_invariant_that_cannot_be_checked_is_logged_and_the_others_are_checked(world, app, log_lines, corrupt):
    no_such_table = sa.select(sa.Table("no_such_table", sa.MetaData(), sa.Column("id", sa.Integer)).c.id)
    first = next(iter(INVARIANTS))
    corrupt(tenants, of(world.tenant()), seats_used=4)
    with pytest.raises(InvariantsViolated, match=r"^1 of \d+ invariants violated, 1 could not be checked$"):
        check_all(app, {**INVARIANTS, first: no_such_table})
    [line] = log_lines("invariant_not_checked")

    assert (line["invariant"], line["errorType"]) == (
        first,
        "OperationalError" if app.engine.dialect.name == "sqlite" else "ProgrammingError",
    )
    assert [line["invariant"] for line in log_lines("invariant_violated")] == ["seats_used_counts_enabled_accounts"]


def test_the_database_counts_violations_and_returns_the_first_ten(world, engine):
    ada = world.tenant()
    ada.post("users", {"users": [{"email": f"{number}@contoso.example"} for number in range(4)]})
    name = "every_account_is_on_record"
    with engine.connect() as connection, connection.begin() as undone:
        theirs = {"tenant_id": connection.scalar(sa.select(tenants.c.id).where(of(ada)))}
        template = dict(
            connection.execute(sa.select(users).where(users.c.tenant_id == theirs["tenant_id"])).mappings().first()
        )
        del template["id"], template["log_key"]
        made = [
            connection.execute(
                users.insert().returning(users.c.id),
                {**template, "public_id": uuid.UUID(int=number), "entra_object_id": None, "email_key": None},
            ).scalar_one()
            for number in range(23)
        ]
        found = check(connection, name, INVARIANTS[name])
        undone.rollback()

    assert found == Violation(name, 23, tuple(made[:10]))
