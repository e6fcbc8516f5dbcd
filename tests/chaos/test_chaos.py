"""A short run on each database breaks no promise; and whoever breaks one by hand is found out by the same checks."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from devcloud import postgres
from devcloud.chaos import report
from devcloud.chaos.history import Json, Operation, Outcome
from devcloud.chaos.run import Options, Rested, Result, rested
from shared.clock import new_id
from shared.db.schema import (
    billing_lines,
    billing_records,
    idempotency_keys,
    running_timers,
    subscriptions,
    time_entries,
    time_entry_days,
    timer_log,
    usage_events,
    user_months,
    users,
    write_backs,
)


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

    def reasons(self, tx: sa.Connection) -> list[str]:
        """What they say of each."""
        return [f"{each.what}: {each.detail}" for each in self.left.check(tx).violations]

    @contextmanager
    def told(self, change: Callable[[Operation], Operation]) -> Iterator[None]:
        """Each operation in its history as it is changed; afterwards they are as they were."""
        histories = [each.history for each in self.left.fleet.everybody]
        kept = [(history, list(history.operations)) for history in histories]
        try:
            for history in histories:
                history.operations[:] = map(change, history.operations)
            yield
        finally:
            for history, operations in kept:
                history.operations[:] = operations


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
    assert found.checked["lines that their bills must have"] >= 1
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


def book_to_the_next_work_item(tx: sa.Connection) -> None:
    """In the entries and their days alike."""
    for table in (time_entries, time_entry_days):
        tx.execute(table.update().values(work_item_id=table.c.work_item_id + 1))


def log_the_next_work_item(tx: sa.Connection) -> None:
    tx.execute(timer_log.update().values(work_item_id=timer_log.c.work_item_id + 1))


def halve_an_entry(tx: sa.Connection) -> None:
    """It ends in the middle of its time, by its log."""
    where = (timer_log.c.event == "stopped", ~timer_log.c.reported_late, timer_log.c.elapsed_ms > 1)
    row = tx.execute(timer_log.select().where(*where, timer_log.c.entry_version == 1).limit(1)).one()
    half = row.elapsed_ms // 2
    middle = row.happened_at - dt.timedelta(milliseconds=row.elapsed_ms - half)
    after = {**row.after_change, "elapsedMs": half, "stoppedAt": middle.isoformat(timespec="milliseconds")}
    values = {"elapsed_ms": half, "happened_at": middle, "after_change": after}
    tx.execute(timer_log.update().where(timer_log.c.id == row.id).values(values))


def leave_the_lines_out(tx: sa.Connection) -> None:
    """Bills that are in order but for those whom they leave out."""
    tx.execute(billing_lines.delete())
    tx.execute(billing_records.update().values(active_users=0, total=Decimal(0)))


def halve_the_rates(tx: sa.Connection) -> None:
    for row in tx.execute(billing_records.select()).all():
        halves = {"rate_per_user": row.rate_per_user / 2, "total": row.total / 2}
        tx.execute(billing_records.update().where(billing_records.c.id == row.id).values(halves))


def forget_the_months(tx: sa.Connection) -> None:
    tx.execute(user_months.delete())


def forget_when_they_signed_in(tx: sa.Connection) -> None:
    tx.execute(users.update().values(last_sign_in_at=None))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (book_to_the_next_work_item, "is kept, and"),
        (log_the_next_work_item, "is in the log, and"),
        (halve_an_entry, "changed: a stop was put at another instant than it came"),
        (leave_the_lines_out, "used it while it was paid for, and is not on its bill"),
        (halve_the_rates, "a user is billed"),
        (forget_the_months, "lost: a sign-in that was acknowledged is not kept"),
        (forget_when_they_signed_in, "lost: a sign-in that was acknowledged is not kept"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_the_product_may_agree_on_with_itself_is_still_held_against_what_people_asked_for(
    laboratory, harm, reason
):
    with laboratory.broken() as tx:
        harm(tx)

        assert any(reason in each for each in laboratory.reasons(tx))


def refused(asked: Operation) -> Operation:
    """Whoever looked at something was refused a stop instead, which left no more behind."""
    if asked.writes or asked.outcome is not Outcome.ACKNOWLEDGED:
        return asked
    attempts = [replace(each, status=each.status and 409) for each in asked.attempts]
    return replace(asked, kind="stop", method="POST", body=None, attempts=attempts, answer={"code": "no_running_timer"})


def on_another_work_item(asked: Operation) -> Operation:
    """They asked for another one than they were told, and than is kept."""
    body = asked.body and {**asked.body, "workItemId": 99}
    return replace(asked, body=body) if asked.kind in {"start", "switch"} else asked


def said_a_minute_earlier(asked: Operation) -> Operation:
    """They said another instant than they were told, and than is kept."""

    def earlier(body: Json) -> Json:
        return {name: moved(value) if name in {"startedAt", "stoppedAt"} else value for name, value in body.items()}

    def moved(instant: str) -> str:
        return (dt.datetime.fromisoformat(instant) - dt.timedelta(minutes=1)).isoformat()

    return replace(asked, body=earlier(asked.body)) if asked.body else asked


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (refused, "refused: 409 no_running_timer, which was at no time so"),
        (on_another_work_item, "was told, and"),
        (said_a_minute_earlier, "is not kept as it was said"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_people_were_told_is_held_against_what_they_asked_for(laboratory, change, reason):
    with laboratory.broken() as tx, laboratory.told(change):
        assert any(reason in each for each in laboratory.reasons(tx))


def test_the_report_tells_what_was_tried_done_and_broken(laboratory):
    with laboratory.broken() as tx:
        lose_an_entry(tx)
        laboratory.result.violations = laboratory.left.check(tx).violations
    written = report.page([laboratory.result], written=laboratory.left.fleet.people[0].late_from.date())

    assert f"seed {SEED}" in written
    assert "--seed 20" in written
    assert f"{len(laboratory.result.violations)} violations" in written
    assert "LOST" in written
    assert "No disk could be mounted" not in report.headline(replace(laboratory.result, lacks_disk=False))
    assert "No disk could be mounted" in report.headline(replace(laboratory.result, lacks_disk=True))
    for trouble in {each.kind for each in laboratory.result.injections}:
        assert trouble in written
