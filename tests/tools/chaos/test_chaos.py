"""A short run on each database has no violation, and the checks find each corruption made by hand."""

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
from tests.support.record_protection import unprotect_all
from tests.tools.chaos import corruptions, corruptions_billing
from tools.chaos import report
from tools.chaos.clients.history import Json, Operation, Outcome
from tools.chaos.run import ChaosOptions, ChaosResult, DrainedRun, run_until_drained


SEED: Final = 20
SECONDS: Final = (8.0, 30.0, 90.0)  # a slow machine needs longer for all kinds of rows
# Rows that the corruptions need
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
PENDING: Final = "lost: hours are still pending after all write-backs were requested again"


@dataclass
class ChaosRun:
    """The state after a short run, to be corrupted and checked; each corruption is rolled back."""

    drained: DrainedRun
    result: ChaosResult
    steps: list[str] = field(default_factory=list)

    @contextmanager
    def corruptible(self) -> Iterator[sa.Connection]:
        with self.drained.engine.connect() as tx, tx.begin() as transaction:
            unprotect_all(tx)
            yield tx
            transaction.rollback()

    def has_all_needed(self) -> bool:
        """Whether the database has all rows that the corruptions need."""
        with self.drained.engine.connect() as tx:
            all_present = all(tx.execute(each.limit(1)).first() is not None for each in _NEEDED)
            return all_present and self.drained.check(tx).checked["required bill lines"] > 0

    def find_kinds(self, tx: sa.Connection) -> set[str]:
        """The kinds of violations that the checks find."""
        return {each.kind for each in self.drained.check(tx).violations}

    def find_reasons(self, tx: sa.Connection) -> list[str]:
        """The violations that the checks find, with their details."""
        return [f"{each.kind}: {each.detail}" for each in self.drained.check(tx).violations]

    @contextmanager
    def with_changed_operations(self, change: Callable[[Operation], Operation]) -> Iterator[None]:
        """Changes the operations of all histories for the duration of the context."""
        histories = [each.history for each in self.drained.fleet.all_people]
        saved = [(history, list(history.operations)) for history in histories]
        try:
            for history in histories:
                history.operations[:] = map(change, history.operations)
            yield
        finally:
            for history, operations in saved:
                history.operations[:] = operations

    @contextmanager
    def with_changed_updates(self, change: Callable[[list[Json]], list[Json]]) -> Iterator[None]:
        """Changes the updates of all work items for the duration of the context."""
        items = self.drained.cloud.azure_devops.workspace.board("contoso")._items.values()
        saved = [(item, item.updates) for item in items]
        try:
            for item in items:
                item.updates = change(item.updates)
            yield
        finally:
            for item, updates in saved:
                item.updates = updates


def record_steps(steps: list[str]) -> Callable[[str, int, float], None]:
    return lambda doing, _done, _seconds: steps.append(doing)


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def chaos_run(request) -> Iterator[ChaosRun]:
    try:
        for seconds in SECONDS:
            steps: list[str] = []
            result = ChaosResult(ChaosOptions(request.param, SEED, seconds, workers=2, tenants=2, people=3, buyers=1))
            with run_until_drained(result, record_steps(steps)) as drained:
                candidate = ChaosRun(drained, result, steps)
                if seconds == SECONDS[-1] or candidate.has_all_needed():
                    yield candidate
                    return
    except postgres.PostgresUnavailable as reason:
        pytest.skip(str(reason))


def test_responses_equal_stored_data_after_faults(chaos_run):
    with chaos_run.corruptible() as tx:
        find_kinds = chaos_run.drained.check(tx)
    operations = [each for history in chaos_run.result.histories for each in history.operations]

    assert find_kinds.violations == []
    assert len(chaos_run.result.injections) >= 2
    assert len(operations) > 100
    assert sum(each.outcome == "acknowledged" for each in operations) > 50
    assert find_kinds.checked["purchases"] >= 1
    assert find_kinds.checked["required bill lines"] >= 1
    assert find_kinds.checked["changes of Completed Work"] >= 1


@pytest.mark.parametrize(
    ("corruption", "kind"),
    [
        (corruptions.delete_an_entry, "lost"),
        (corruptions.delete_an_entry_and_its_log, "lost"),
        (corruptions.duplicate_an_entry, "invented"),
        (corruptions.lengthen_an_entry, "changed"),
        (corruptions.move_a_start, "changed"),
        (corruptions.add_a_start, "invented"),
        (corruptions.delete_running_timers, "changed"),
        (corruptions.delete_stored_responses, "lost"),
        (corruptions.duplicate_a_change, "changed"),
        (corruptions.change_a_purchase, "changed"),
        (corruptions.raise_the_usage, "changed"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_a_corruption_is_found(chaos_run, corruption, kind):
    with chaos_run.corruptible() as tx:
        corruption(tx)

        assert kind in chaos_run.find_kinds(tx)


@pytest.mark.parametrize(
    ("corruption", "reason"),
    [
        (corruptions.move_entries_to_another_work_item, "is stored, but"),
        (corruptions.move_log_to_another_work_item, "is in the log, but"),
        (corruptions.halve_an_entry, "changed: a stop has another time than its arrival"),
        (corruptions.delete_bill_lines, "used it while it was paid, but is not on its bill"),
        (corruptions.halve_the_rates, "a user is billed"),
        (corruptions.delete_months, "lost: an acknowledged sign-in is not stored"),
        (corruptions.delete_sign_in_times, "lost: an acknowledged sign-in is not stored"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_consistent_corruptions_are_found_by_comparison_with_requests(chaos_run, corruption, reason):
    with chaos_run.corruptible() as tx:
        corruption(tx)

        assert any(reason in each for each in chaos_run.find_reasons(tx))


@pytest.mark.parametrize(
    ("corruption", "reason"),
    [
        (corruptions_billing.add_an_unknown_person, "is not a test user, and has 1 entries"),
        (corruptions_billing.add_a_directory, "is not part of the test"),
        (corruptions_billing.add_a_purchase, "has no purchase"),
        (corruptions_billing.move_purchases_to_another_directory, "it belongs to another directory"),
        (corruptions_billing.bill_an_unknown_person, "is on its bill, but is not a test user"),
        (corruptions_billing.bill_a_person_twice, "is on its bill of 202001 without use in that month"),
        (corruptions_billing.move_bills_to_the_past, "without use in that month"),
        (corruptions_billing.change_the_hour_of_usage, "at 01 00:00 counts as accepted"),
        (corruptions_billing.change_the_dimension_of_usage, " another of "),
        (corruptions_billing.change_the_plan_of_usage, " of another at "),
        (corruptions_billing.delete_a_note, "differs from its last log row"),
        (corruptions_billing.set_a_review_flag, "differs from its last log row"),
        (corruptions_billing.change_a_source, "differs from its last log row"),
        (corruptions_billing.change_a_zone, "differs from its last log row"),
        (corruptions_billing.delete_notes_of_a_person, "became None"),
        (corruptions_billing.change_existing_hours, "77.0000 elsewhere"),
        (corruptions_billing.raise_written_hours, UNWRITTEN),
        (corruptions_billing.add_negative_change, PENDING),
        (corruptions_billing.add_positive_change, PENDING),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_rows_without_a_request_and_values_that_no_client_sees_are_found(chaos_run, corruption, reason):
    with chaos_run.corruptible() as tx:
        corruption(tx)

        assert any(reason in each for each in chaos_run.find_reasons(tx))


def test_written_hours_must_be_in_the_history_of_the_work_item(chaos_run):
    with chaos_run.corruptible() as tx, chaos_run.with_changed_updates(lambda _updates: []):
        assert UNWRITTEN in chaos_run.find_reasons(tx)


def test_hours_need_not_be_taken_from_a_work_item_at_zero(chaos_run):
    def add_reset(updates: list[Json]) -> list[Json]:
        at = [each["fields"][COMPLETED]["newValue"] for each in updates if COMPLETED in each["fields"]]
        return [*updates, {"rev": 10_000, "fields": {COMPLETED: {"oldValue": (at or [0])[-1], "newValue": 0}}}]

    with chaos_run.corruptible() as tx, chaos_run.with_changed_updates(add_reset):
        corruptions_billing.add_negative_change(tx)

        assert PENDING not in chaos_run.find_reasons(tx)


def test_hours_written_to_another_work_item_are_found(chaos_run):
    with chaos_run.corruptible() as tx:
        item = corruptions_billing.find_written_item(tx)
        elsewhere = write_back_items.update().where(write_back_items.c.id == item.id)
        tx.execute(elsewhere.values(work_item_id=item.work_item_id + 1000))

        assert any("were written to" in each for each in chaos_run.find_reasons(tx))


def test_a_repeated_write_is_found(chaos_run):
    def repeat_last_write(updates: list[Json]) -> list[Json]:
        ours = [each for each in updates if "TimeTracker" in each["fields"].get(HISTORY, {}).get("newValue", "")]
        return [*updates, *ours[-1:]]

    with chaos_run.corruptible() as tx, chaos_run.with_changed_updates(repeat_last_write):
        assert any("landed 2 times" in each for each in chaos_run.find_reasons(tx))


@pytest.mark.parametrize(("extra", "is_expected"), [(0, True), (0.5, False)])
def test_completed_work_changes_by_the_hours_in_the_history(chaos_run, extra, is_expected):
    def shift_hours(updates: list[Json]) -> list[Json]:
        return [
            {**each, "fields": {**each["fields"], COMPLETED: {**hours, "newValue": hours["newValue"] + extra}}}
            if "TimeTracker" in each["fields"].get(HISTORY, {}).get("newValue", "")
            and (hours := each["fields"].get(COMPLETED))
            else each
            for each in updates
        ]

    with chaos_run.corruptible() as tx, chaos_run.with_changed_updates(shift_hours):
        assert any("but the history states" in each for each in chaos_run.find_reasons(tx)) is not is_expected


def to_refused_stop(operation: Operation) -> Operation:
    """Changes an acknowledged read into a refused stop."""
    if operation.writes or operation.outcome is not Outcome.ACKNOWLEDGED:
        return operation
    attempts = [replace(each, status=each.status and 409) for each in operation.attempts]
    return replace(
        operation, kind="stop", method="POST", body=None, attempts=attempts, answer={"code": "no_running_timer"}
    )


def with_other_work_item(operation: Operation) -> Operation:
    """Changes the requested work item."""
    body = operation.body and {**operation.body, "workItemId": 99}
    return replace(operation, body=body) if operation.kind in {"start", "switch"} else operation


def with_earlier_times(operation: Operation) -> Operation:
    """Moves the given times of a request."""

    def shift_times(body: Json) -> Json:
        return {
            name: shift_hours(value) if name in {"startedAt", "stoppedAt"} else value for name, value in body.items()
        }

    def shift_hours(instant: str) -> str:
        return (dt.datetime.fromisoformat(instant) - dt.timedelta(minutes=1)).isoformat()

    return replace(operation, body=shift_times(operation.body)) if operation.body else operation


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (to_refused_stop, "refused: 409 no_running_timer, which was never true"),
        (with_other_work_item, "was shown, but"),
        (with_earlier_times, "is not stored as given"),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_responses_that_differ_from_requests_are_found(chaos_run, change, reason):
    with chaos_run.corruptible() as tx, chaos_run.with_changed_operations(change):
        assert any(reason in each for each in chaos_run.find_reasons(tx))


def test_the_report_has_operations_faults_and_violations(chaos_run):
    with chaos_run.corruptible() as tx:
        corruptions.delete_an_entry(tx)
        chaos_run.result.violations = chaos_run.drained.check(tx).violations
    written = report.build_page([chaos_run.result], written=chaos_run.drained.fleet.people[0].late_from.date())

    assert f"seed {SEED}" in written
    assert "--seed 20" in written
    assert f"{len(chaos_run.result.violations)} violations" in written
    assert "LOST" in written
    assert "No disk could be mounted" not in report.build_headline(replace(chaos_run.result, lacks_disk=False))
    assert "No disk could be mounted" in report.build_headline(replace(chaos_run.result, lacks_disk=True))
    for fault in {each.kind for each in chaos_run.result.injections}:
        assert fault in written
