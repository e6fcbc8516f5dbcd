"""A short run on each database breaks no promise; and whoever breaks one by hand is found out by the same checks."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

import pytest
import sqlalchemy as sa

from devcloud import postgres
from devcloud.emulators.azure_devops.fields import COMPLETED, HISTORY
from shared.db.schema import billing_lines, subscriptions, time_entries, usage_events, write_back_items
from tests.support.tamper import unprotect_all
from tests.tools.chaos import harms, harms_books
from tools.chaos import report
from tools.chaos.clients.history import Json, Operation, Outcome
from tools.chaos.run import Options, Rested, Result, rested


SEED: Final = 20
SECONDS: Final = (8.0, 30.0, 90.0)  # a slow machine may need longer until there is something of everything
# What is harmed below; without it a harm would do nothing, and its test would fail for that
_NEEDED: Final = (
    sa.select(time_entries).where(
        time_entries.c.source == "timer", time_entries.c.version == 1, time_entries.c.elapsed_ms > 1
    ),
    sa.select(write_back_items).where(write_back_items.c.written > Decimal(0)),
    sa.select(subscriptions).where(subscriptions.c.status == "unsubscribed"),
    sa.select(billing_lines),
    sa.select(usage_events),
)
UNWRITTEN: Final = "lost: hours that count as written are not in Completed Work"
OWED: Final = "lost: hours are still owed after everything was asked for again"


@dataclass
class Laboratory:
    """What a short run has left, to be broken by hand and looked at; nothing of that is kept."""

    left: Rested
    result: Result
    shown: list[str] = field(default_factory=list)

    @contextmanager
    def broken(self) -> Iterator[sa.Connection]:
        with self.left.engine.connect() as tx, tx.begin() as transaction:
            unprotect_all(tx)
            yield tx
            transaction.rollback()

    def has_everything(self) -> bool:
        """Whether there is something of all that is harmed."""
        with self.left.engine.connect() as tx:
            there = all(tx.execute(each.limit(1)).first() is not None for each in _NEEDED)
            return there and self.left.check(tx).checked["lines that their bills must have"] > 0

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

    @contextmanager
    def retold(self, change: Callable[[list[Json]], list[Json]]) -> Iterator[None]:
        """The history of each work item as it is changed; afterwards they are as they were."""
        items = self.left.cloud.azure_devops.workspace.board("contoso")._items.values()
        kept = [(item, item.updates) for item in items]
        try:
            for item in items:
                item.updates = change(item.updates)
            yield
        finally:
            for item, updates in kept:
                item.updates = updates


def noting(shown: list[str]) -> Callable[[str, int, float], None]:
    return lambda doing, _done, _seconds: shown.append(doing)


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def laboratory(request) -> Iterator[Laboratory]:
    try:
        for seconds in SECONDS:
            shown: list[str] = []
            result = Result(Options(request.param, SEED, seconds, workers=2, tenants=2, people=3, buyers=1))
            with rested(result, noting(shown)) as left:
                ready = Laboratory(left, result, shown)
                if seconds == SECONDS[-1] or ready.has_everything():
                    yield ready
                    return
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
    assert found.checked["changes of Completed Work"] >= 1


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (harms.lose_an_entry, "lost"),
        (harms.lose_an_entry_and_its_log, "lost"),
        (harms.add_an_entry_like, "invented"),
        (harms.stretch_an_entry, "changed"),
        (harms.move_a_start, "changed"),
        (harms.start_what_nobody_asked_for, "invented"),
        (harms.forget_a_running_timer, "changed"),
        (harms.forget_the_answers, "lost"),
        (harms.double_a_change, "changed"),
        (harms.change_a_purchase, "changed"),
        (harms.bill_more, "changed"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_a_broken_promise_is_found(laboratory, harm, kind):
    with laboratory.broken() as tx:
        harm(tx)

        assert kind in laboratory.found(tx)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (harms.book_to_the_next_work_item, "is kept, and"),
        (harms.log_the_next_work_item, "is in the log, and"),
        (harms.halve_an_entry, "changed: a stop was put at another instant than it came"),
        (harms.leave_the_lines_out, "used it while it was paid for, and is not on its bill"),
        (harms.halve_the_rates, "a user is billed"),
        (harms.forget_the_months, "lost: a sign-in that was acknowledged is not kept"),
        (harms.forget_when_they_signed_in, "lost: a sign-in that was acknowledged is not kept"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_the_product_may_agree_on_with_itself_is_still_held_against_what_people_asked_for(
    laboratory, harm, reason
):
    with laboratory.broken() as tx:
        harm(tx)

        assert any(reason in each for each in laboratory.reasons(tx))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (harms_books.add_a_stranger, "is none of the fleet, and has 1 entries"),
        (harms_books.add_a_directory, "is none of the fleet's"),
        (harms_books.add_a_purchase, "was bought by nobody"),
        (harms_books.give_the_purchases_to_others, "another directory has it"),
        (harms_books.bill_a_stranger, "is on its bill, and is none of the fleet"),
        (harms_books.bill_somebody_twice, "is on its bill of 202001, and did not use it then"),
        (harms_books.bill_for_what_was_long_ago, "and did not use it then"),
        (harms_books.use_another_hour, "at 01 00:00 counts as accepted"),
        (harms_books.use_another_dimension, " another of "),
        (harms_books.use_another_plan, " of another at "),
        (harms_books.lose_a_note, "is not as last logged"),
        (harms_books.ask_for_a_look, "is not as last logged"),
        (harms_books.change_a_source, "is not as last logged"),
        (harms_books.change_a_zone, "is not as last logged"),
        (harms_books.lose_somebodys_notes, "has become None"),
        (harms_books.change_the_hours_before, "77.0000 h elsewhere"),
        (harms_books.say_that_more_was_written, UNWRITTEN),
        (harms_books.take_what_is_not_there, OWED),
        (harms_books.owe_what_is_not_there, OWED),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_nobody_asked_for_and_what_nobody_sees_is_found(laboratory, harm, reason):
    with laboratory.broken() as tx:
        harm(tx)

        assert any(reason in each for each in laboratory.reasons(tx))


def test_that_hours_were_written_is_not_believed_by_the_ledgers_own_word(laboratory):
    with laboratory.broken() as tx, laboratory.retold(lambda _updates: []):
        assert UNWRITTEN in laboratory.reasons(tx)


def test_nothing_is_taken_from_a_work_item_that_has_nothing(laboratory):
    """Somebody has set it to 0 since."""

    def emptied(updates: list[Json]) -> list[Json]:
        at = [each["fields"][COMPLETED]["newValue"] for each in updates if COMPLETED in each["fields"]]
        return [*updates, {"rev": 10_000, "fields": {COMPLETED: {"oldValue": (at or [0])[-1], "newValue": 0}}}]

    with laboratory.broken() as tx, laboratory.retold(emptied):
        harms_books.take_what_is_not_there(tx)

        assert OWED not in laboratory.reasons(tx)


def test_hours_that_were_written_to_another_work_item_are_found(laboratory):
    with laboratory.broken() as tx:
        item = harms_books.a_written_item(tx)
        elsewhere = write_back_items.update().where(write_back_items.c.id == item.id)
        tx.execute(elsewhere.values(work_item_id=item.work_item_id + 1000))

        assert any("were written to" in each for each in laboratory.reasons(tx))


def test_a_write_that_landed_twice_is_found(laboratory):
    def doubled(updates: list[Json]) -> list[Json]:
        ours = [each for each in updates if "TimeTracker" in each["fields"].get(HISTORY, {}).get("newValue", "")]
        return [*updates, *ours[-1:]]

    with laboratory.broken() as tx, laboratory.retold(doubled):
        assert any("landed 2 times" in each for each in laboratory.reasons(tx))


@pytest.mark.parametrize(("beside", "is_right"), [(0, True), (0.5, False)])
def test_completed_work_moves_by_the_hours_that_the_history_says(laboratory, beside, is_right):
    def moved(updates: list[Json]) -> list[Json]:
        return [
            {**each, "fields": {**each["fields"], COMPLETED: {**hours, "newValue": hours["newValue"] + beside}}}
            if "TimeTracker" in each["fields"].get(HISTORY, {}).get("newValue", "")
            and (hours := each["fields"].get(COMPLETED))
            else each
            for each in updates
        ]

    with laboratory.broken() as tx, laboratory.retold(moved):
        assert any("by what says" in each for each in laboratory.reasons(tx)) is not is_right


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
        harms.lose_an_entry(tx)
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
