"""A short run on each database breaks no promise; and whoever breaks one by hand is found out by the same checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from devcloud import postgres
from devcloud.chaos import report
from devcloud.chaos.run import Options, Rested, Result, rested
from shared.clock import new_id
from shared.db.schema import (
    idempotency_keys,
    running_timers,
    subscriptions,
    time_entries,
    time_entry_days,
    timer_log,
    usage_events,
    write_backs,
)


pytestmark = pytest.mark.xdist_group("chaos")  # one run on each database, however many processes test
SEED, SECONDS = 20, 8.0


@dataclass
class Laboratory:
    """What a short run has left, to be broken by hand and looked at; nothing of that is kept."""

    left: Rested
    result: Result
    shown: list[str] = field(default_factory=list)

    @contextmanager
    def broken(self) -> Iterator[sa.Connection]:
        with self.left.engine.connect() as tx, tx.begin() as transaction:
            yield tx
            transaction.rollback()

    def found(self, tx: sa.Connection) -> set[str]:
        """The kinds of violation that the checks see."""
        return {each.what for each in self.left.check(tx).violations}


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def laboratory(request) -> Iterator[Laboratory]:
    shown: list[str] = []
    result = Result(Options(request.param, SEED, SECONDS, workers=2, tenants=2, people=3, buyers=1))
    try:
        with rested(result, lambda doing, _done, _seconds: shown.append(doing)) as left:
            yield Laboratory(left, result, shown)
    except postgres.NoPostgres as reason:
        pytest.skip(str(reason))


def test_what_people_were_told_is_what_is_kept_whatever_broke_meanwhile(laboratory):
    with laboratory.broken() as tx:
        found = laboratory.left.check(tx)
    operations = [each for history in laboratory.result.histories for each in history.operations]

    assert found.violations == []
    assert len(laboratory.result.injections) >= 2
    assert len(operations) > 100
    assert sum(each.outcome == "acknowledged" for each in operations) > 50
    assert found.checked["purchases"] >= 1
    assert found.checked["debts to Completed Work"] >= 1


def an_entry(tx: sa.Connection) -> Any:  # noqa: ANN401 - a row
    """One that a timer became, and that nobody has corrected."""
    wanted = (time_entries.c.source == "timer", time_entries.c.version == 1, time_entries.c.elapsed_ms > 0)
    return tx.execute(time_entries.select().where(*wanted).limit(1)).one()


def forget_entry(tx: sa.Connection, entry: Any) -> None:  # noqa: ANN401 - a row
    tx.execute(time_entry_days.delete().where(time_entry_days.c.entry_id == entry.id))
    tx.execute(time_entries.delete().where(time_entries.c.id == entry.id))


def lose_an_entry(tx: sa.Connection) -> None:
    forget_entry(tx, an_entry(tx))


def lose_an_entry_and_its_log(tx: sa.Connection) -> None:
    entry = an_entry(tx)
    forget_entry(tx, entry)
    tx.execute(timer_log.delete().where(timer_log.c.timer_id == entry.public_id))


def copied(tx: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool], **changes: object) -> Any:  # noqa: ANN401 - a number
    """A second row like one that is there; its number."""
    row = tx.execute(table.select().where(where).limit(1)).one()
    values = {name: value for name, value in row._mapping.items() if name != "id"}
    return tx.execute(table.insert().returning(table.c.id), {**values, **changes}).scalar_one()


def add_an_entry_like(tx: sa.Connection) -> None:
    """A copy of an entry, with its days and its log: sound by itself, and counted twice."""
    entry, public_id = an_entry(tx), new_id()
    number = copied(tx, time_entries, time_entries.c.id == entry.id, public_id=public_id)
    days = tx.execute(time_entry_days.select().where(time_entry_days.c.entry_id == entry.id)).all()
    tx.execute(time_entry_days.insert(), [{**day._mapping, "entry_id": number} for day in days])
    for event in ("started", "stopped"):
        where = sa.and_(timer_log.c.timer_id == entry.public_id, timer_log.c.event == event)
        copied(tx, timer_log, where, timer_id=public_id)


def stretch_an_entry(tx: sa.Connection) -> None:
    """In the entry, its day and its log alike."""
    entry = an_entry(tx)
    longer = entry.elapsed_ms + 60_000
    tx.execute(time_entries.update().where(time_entries.c.id == entry.id).values(elapsed_ms=longer))
    tx.execute(time_entry_days.update().where(time_entry_days.c.entry_id == entry.id).values(elapsed_ms=longer))
    where = (timer_log.c.timer_id == entry.public_id, timer_log.c.event == "stopped")
    row = tx.execute(timer_log.select().where(*where)).one()
    after = {**row.after_change, "elapsedMs": longer}
    tx.execute(timer_log.update().where(*where).values(elapsed_ms=longer, after_change=after))


def move_a_start(tx: sa.Connection) -> None:
    entry = an_entry(tx)
    where = (timer_log.c.timer_id == entry.public_id, timer_log.c.event == "started")
    earlier = entry.started_at.replace(microsecond=0)
    tx.execute(timer_log.update().where(*where).values(happened_at=earlier))


def start_what_nobody_asked_for(tx: sa.Connection) -> None:
    """A start on record that no answer and no lost request explains."""
    entry = an_entry(tx)
    copied(
        tx,
        timer_log,
        sa.and_(timer_log.c.timer_id == entry.public_id, timer_log.c.event == "started"),
        timer_id=new_id(),
    )


def forget_a_running_timer(tx: sa.Connection) -> None:
    tx.execute(running_timers.delete())


def forget_the_answers(tx: sa.Connection) -> None:
    tx.execute(idempotency_keys.delete().where(idempotency_keys.c.status == 200))


def double_a_debt(tx: sa.Connection) -> None:
    kept = write_backs.c.entry_id.in_(sa.select(time_entries.c.public_id))  # of a deleted entry nothing is left to owe
    first = sa.select(sa.func.min(write_backs.c.id)).where(write_backs.c.state == "done", kept).scalar_subquery()
    copied(tx, write_backs, write_backs.c.id == first, public_id=new_id())


def change_a_purchase(tx: sa.Connection) -> None:
    tx.execute(subscriptions.update().where(subscriptions.c.status == "unsubscribed").values(quantity=77))


def bill_more(tx: sa.Connection) -> None:
    tx.execute(usage_events.update().values(quantity=usage_events.c.quantity + 1))


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (lose_an_entry, "lost"),
        (lose_an_entry_and_its_log, "lost"),
        (add_an_entry_like, "invented"),
        (stretch_an_entry, "changed"),
        (move_a_start, "changed"),
        (start_what_nobody_asked_for, "invented"),
        (forget_a_running_timer, "changed"),
        (forget_the_answers, "lost"),
        (double_a_debt, "changed"),
        (change_a_purchase, "changed"),
        (bill_more, "changed"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_a_broken_promise_is_found(laboratory, harm, kind):
    with laboratory.broken() as tx:
        harm(tx)

        assert kind in laboratory.found(tx)


def test_the_report_tells_what_was_tried_done_and_broken(laboratory):
    with laboratory.broken() as tx:
        lose_an_entry(tx)
        laboratory.result.violations = laboratory.left.check(tx).violations
    written = report.page([laboratory.result], written=laboratory.left.fleet.people[0].late_from.date())

    assert f"seed {SEED}" in written
    assert "--seed 20" in written
    assert f"{len(laboratory.result.violations)} violations" in written
    assert "LOST" in written
    for trouble in {each.kind for each in laboratory.result.injections}:
        assert trouble in written
