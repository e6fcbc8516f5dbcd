"""How many statements each call sends to the database: exact, so that a slow path cannot creep in."""

import pytest

from tests.support.tenant_bills import PAID_FROM, start_paid_plan
from tests.support.world import START, WORK_ITEM, new_id
from tests.timers.running import late
from tests.timers.work_item_days.work_item_days import set_day
from tests.timers.write_back.write_backs import change


@pytest.fixture
def ada(world, clock):
    """A person with a start and a stop on the project this month, with keys, like the extension."""
    ada = world.tenant()
    ada.start(1, key=new_id())
    clock.tick(minutes=1)
    ada.stop(key=new_id())
    return ada


def test_a_warm_start_sends_four_statements(ada, record_statements):
    with record_statements() as sent:
        started = ada.start(2, key=new_id())

    assert started.status == 201
    assert len(sent) == 4, sent  # caller, timer, log, key


def test_a_warm_stop_sends_eight_statements(ada, record_statements, clock):
    ada.start(2, key=new_id())
    clock.tick(minutes=1)
    with record_statements() as sent:
        stopped = ada.stop(key=new_id())

    assert stopped.status == 200
    assert len(sent) == 7, sent  # caller, timer, entry, day, log, overlaps, key


def test_a_stop_that_spans_many_days_sends_no_more(ada, record_statements, clock):
    ada.start(2, key=new_id())
    clock.tick(days=6)
    with record_statements() as sent:
        stopped = ada.stop(key=new_id())

    assert len(stopped.body["days"]) == 7
    assert len(sent) == 7, sent


def test_the_first_start_on_a_project_sends_seven(ada, record_statements):
    with record_statements() as sent:
        started = ada.start(2, key=new_id(), project="Brand new")

    assert started.status == 201
    assert len(sent) == 7, sent  # caller, no timer, running?, project, timer, log, key


def test_a_switch_sends_twelve(ada, record_statements, clock):
    ada.start(2, key=new_id())
    clock.tick(minutes=1)
    with record_statements() as sent:
        switched = ada.start(3, key=new_id(), switch=True)

    assert switched.body["stopped"]["workItemId"] == 2
    assert len(sent) == 12, sent  # a start that finds a timer, a stop, a project that is there, a start


def test_a_start_of_a_running_timer_sends_four(ada, record_statements):
    ada.start(2, key=new_id())
    with record_statements() as sent:
        again = ada.start(2, key=new_id())

    assert again.status == 200
    assert len(sent) == 4, sent  # caller, no timer, running, key


def test_a_repeated_start_sends_seven(ada, record_statements):
    key = new_id()
    ada.start(2, key=key)
    with record_statements() as sent:
        repeated = ada.start(2, key=key)

    assert repeated.headers["Idempotent-Replayed"] == "true"
    # as a start of the running timer, rolled back; then caller, stored response, hidden people
    assert len(sent) == 7, sent


def test_a_report_of_a_start_sends_four_more(ada, record_statements, clock):
    with record_statements() as sent:
        started = late.start(ada, clock(), timerId=new_id(), key=new_id())

    assert started.status == 201
    assert len(sent) == 8, sent  # caller, running?, known?, entries at that time, later starts, timer, log, key


def test_a_report_of_a_stop_sends_two_more(ada, record_statements, clock):
    late.start(ada, clock(), timerId=(timer := new_id()))
    with record_statements() as sent:
        stopped = late.stop(ada, clock(), timerId=timer, key=new_id())

    assert stopped.status == 200
    assert len(sent) == 9, sent  # caller, running, later starts, timer, entry, day, log, overlaps, key


def test_the_running_timer_takes_two(ada, record_statements):
    ada.start(2)
    with record_statements() as sent:
        running = ada.running()

    assert running.body["workItemId"] == 2
    assert len(sent) == 2, sent  # caller, timer


def test_a_note_of_a_running_timer_sends_five(ada, record_statements):
    ada.start(2)
    with record_statements() as sent:
        changed = ada.patch("timers/running", {"note": "in review"})

    assert changed.status == 200
    assert len(sent) == 5, sent  # caller, timer; timer, its last change, log


def test_an_earlier_start_sends_two_more(ada, record_statements, clock):
    clock.tick(hours=1)
    ada.start(2)
    with record_statements() as sent:
        changed = ada.patch("timers/running", {"startedAt": late.iso(clock() - late.MINUTE)})

    assert changed.status == 200
    assert len(sent) == 7, sent  # as above, with the entries at that time and the first one after it


def test_a_discard_sends_three(ada, record_statements):
    timer = ada.start(2).body["id"]
    with record_statements() as sent:
        discarded = ada.delete("timers/running", timerId=timer)

    assert discarded.status == 204
    assert len(sent) == 3, sent  # caller, timer, log


@pytest.mark.parametrize("group_by", ["day", "workItem", "project,user", "user,workItem,project,day"])
def test_a_report_sends_two_however_it_is_grouped(ada, record_statements, group_by):
    with record_statements() as sent:
        report = ada.report(groupBy=group_by)

    assert report.body["totalMs"] == 60_000
    assert len(sent) == 2, sent  # caller; days, rows and names


def test_a_filter_by_person_sends_one_more(ada, world, record_statements):
    ben = world.member(ada).get("me").body["id"]
    with record_statements() as sent:
        report = ada.get("reports/week", week="2026-W48", user=ben, project="Website", type="Bug")

    assert report.body["totalMs"] == 0
    assert len(sent) == 3, sent  # caller, the person, the timesheet


@pytest.mark.parametrize(("file_format", "statements"), [("csv", 3), ("xlsx", 6)])
def test_an_export_sends_as_many_however_long_it_is(ada, record_statements, file_format, statements):
    with record_statements() as sent:
        exported = ada.report(format=file_format)

    assert exported.status == 200
    assert len(sent) == statements, (
        sent
    )  # caller; for xlsx namesakes, number of pieces, and titles; the pieces; the record


def test_an_entry_by_hand_sends_seven(ada, record_statements):
    with record_statements() as sent:
        entered = ada.enter(key=new_id())

    assert entered.status == 201
    assert len(sent) == 7, sent  # caller, project, entry, day, log, overlaps, key


def test_an_entry_by_duration_sends_two_more(ada, record_statements):
    with record_statements() as sent:
        entered = ada.post("entries", {**WORK_ITEM, "date": "2026-11-20", "elapsedMs": 60_000}, key=new_id())

    assert entered.status == 201
    assert len(sent) == 9, sent  # as by hand; the times of that day, running timer


@pytest.mark.parametrize(("entries", "elapsed_ms", "statements"), [(1, 1, 12), (1, 0, 9), (3, 1, 22), (3, 0, 19)])
def test_less_time_of_a_day_sends_a_bounded_number_for_each_entry(
    ada, record_statements, entries, elapsed_ms, statements
):
    for hour in range(10, 10 + entries):
        ada.enter(f"2026-11-20T{hour}:00:00Z", f"2026-11-20T{hour}:30:00Z")
    with record_statements() as sent:
        less = set_day(ada, elapsed_ms, entries * 1_800_000, reason="fewer")

    assert less.body["elapsedMs"] == elapsed_ms
    # caller, organization, entries, days; six for a correction, five for a deletion; overlaps, how far its hours are
    assert len(sent) == statements, sent


@pytest.mark.parametrize(("entries", "reason", "statements"), [(0, None, 11), (1, None, 12), (3, "longer", 14)])
def test_more_time_of_a_day_sends_as_many_however_many_entries_it_has(
    ada, record_statements, entries, reason, statements
):
    for hour in range(10, 10 + entries):
        ada.enter(f"2026-11-20T{hour}:00:00Z", f"2026-11-20T{hour}:30:00Z")
    present = entries * 1_800_000
    with record_statements() as sent:
        more = set_day(ada, present + 60_000, present, **({"reason": reason} if reason else {}))

    assert more.body["elapsedMs"] == present + 60_000
    # caller, organization, entries, days; times of that day, running timer; four for an entry, six for a correction;
    # overlaps, how far its hours are
    assert len(sent) == statements, sent


def test_a_stop_with_the_write_back_on_sends_two_more(ada, record_statements, clock):
    change(ada, writeBack=True)
    ada.start(2, key=new_id())
    clock.tick(minutes=1)
    with record_statements() as sent:
        stopped = ada.stop(key=new_id())

    assert stopped.body["writeBack"] == "pending"
    assert len(sent) == 9, sent  # as above; a change row, and the write-back status


def test_a_correction_sends_eleven(ada, record_statements):
    entered = ada.enter()
    with record_statements() as sent:
        corrected = ada.correct(entered, stoppedAt="2026-11-20T11:00:00Z")

    assert corrected.status == 200
    # caller, entry, days; entry, its number, days away, days; whether it counts; log, overlaps, how far its hours are
    assert len(sent) == 11, sent


def test_a_page_of_entries_sends_five_however_many_there_are(ada, record_statements):
    for day in range(10, 20):
        ada.enter(f"2026-11-{day}T09:00:00Z", f"2026-11-{day}T10:00:00Z")
    with record_statements() as sent:
        entries = ada.entries()

    assert len(entries) == 11
    assert len(sent) == 5, sent  # caller, entries, days, overlaps, write-back status


@pytest.mark.parametrize(
    ("path", "statements"),
    [
        ("billing/records", 2),  # caller, records
        ("billing/records/2026-10", 3),  # caller, records, lines
        ("billing/records/2026-10/statement", 4),  # the same; the record of it
        ("billing/preview", 9),  # caller, standings, timers, sign-ins, time, late time, rates, last event, people
        ("billing/subscription", 4),  # caller, subscription, rate, ledger
    ],
)
def test_bills_take_as_many_however_many_there_are(ada, record_statements, engine, path, statements):
    bills = start_paid_plan(engine, ada, people=7)
    bills.add_price("4.50", PAID_FROM)
    for month in range(202601, 202611):
        bills.close(month, *range(7))
        bills.add_event("Renew", START)
    with record_statements() as sent:
        answer = ada.get(path)

    assert answer.status == 200
    assert len(sent) == statements, sent


@pytest.mark.parametrize("known", [False, True])
def test_work_items_are_kept_at_once_however_many_there_are(ada, record_statements, azure_devops, known):
    body = {"organization": "contoso", "ids": [42, 43, 44, 51, 57, 58, 59, 61, 62, 63, 64, 66, 71, 73, 74, 75]}
    headers = {"X-AzureDevOps-Token": azure_devops.token()}

    def refresh():
        return ada.http.send("POST", "work-items/refresh", body, token=ada.token, headers=headers)

    if known:
        refresh()
    with record_statements() as sent:
        refreshed = refresh()

    assert len(refreshed.body["items"]) == 16
    # caller, organization, cached items, new or changed items, readings, new readings; caller
    assert len(sent) == (6 if known else 7), sent
