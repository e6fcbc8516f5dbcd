"""Pending usage is accepted by the meter, once."""

import datetime as dt
import json
import logging
import uuid
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sa_event

from billing.metering import flow, reconcile_store, reschedule_service, store
from billing.metering.flow import CLAIM, send_at_once, send_due
from billing.metering.jobs import send_all
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import billing_records, metadata, subscriptions, usage_events
from shared.deadline import Deadline
from shared.jobs import JobFailed, job_work
from tests.support.connection_loss import drop_connections, on_postgresql
from tests.support.marketplace import wait_until
from tests.support.world import START


DAY = dt.timedelta(days=1)
CLAIMING, SETTLEMENT = "UPDATE usage_events SET plan_id", "UPDATE usage_events SET state"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def log_lines(caplog):
    """Returns the product's log lines of an event."""
    caplog.set_level(logging.INFO, "timetracker")

    def lines_of(event: str) -> list[dict[str, object]]:
        lines = [json.loads(record.message) for record in caplog.records if record.name == "timetracker"]
        return [line for line in lines if line["event"] == event]

    return lines_of


def test_pending_usage_is_sent_and_recorded_as_accepted(metering, log_lines):
    tenant = metering.tenant()
    tenant.add_usage(3)

    accepted = send_all(metering.app)

    event = tenant.event()
    [usage] = metering.marketplace.stats()["usage"]
    assert accepted == 1
    assert (event["state"], event["last_result"], event["attempts"]) == ("accepted", "Accepted", 1)
    assert (str(event["usage_event_id"]), usage["quantity"]) == (usage["id"], 3.0)
    assert (event["settled_at"], event["claimed_until"]) == (START, None)
    assert usage["slot"] == "2026-11-23T09:00:00Z"
    assert [(line["function"], line["count"], line["failed"]) for line in log_lines("job_done")] == [
        ("send_usage", 1, 0)
    ]


def test_accepted_usage_is_not_sent_again(metering, clock):
    metering.tenant().add_usage()
    send_all(metering.app)
    clock.tick(hours=1)

    again = send_all(metering.app)

    assert (again, metering.hits()) == (0, 1)


@pytest.mark.parametrize(("events", "batches"), [(0, 0), (1, 1), (25, 1), (26, 2), (60, 3)])
def test_a_batch_has_at_most_25_events(metering, events, batches):
    tenant = metering.tenant()
    for number in range(events):
        slot = START - dt.timedelta(hours=number % 20)
        if number % 20 == 0:
            tenant = metering.tenant()
        tenant.add_usage(slot=slot, month=202401 + number % 12 + 100 * (number % 20 // 12))

    assert send_all(metering.app) == events
    assert metering.hits() == batches


def test_results_are_matched_by_their_event_and_not_by_position(metering):
    metering.marketplace.execute("shapes", shuffled_batches=True)
    tenants = [metering.tenant() for _ in range(12)]
    for number, tenant in enumerate(tenants, start=1):
        tenant.add_usage(number)
    tenants[4].change(usage_events, dimension="coffee")
    with_alarm = tenants.pop(4)

    send_all(metering.app)

    usage = {each["resource_id"]: each for each in metering.marketplace.stats()["usage"]}
    assert with_alarm.event()["last_result"] == "InvalidDimension"
    for tenant in tenants:
        mine = usage[str(tenant.marketplace_id)]
        event = tenant.event()
        assert (str(event["usage_event_id"]), event["quantity"]) == (mine["id"], mine["quantity"])


def test_a_lost_response_leads_to_a_duplicate_and_no_second_charge(metering, clock):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.inject_fault("usage_batch.answer", status=503)

    with pytest.raises(JobFailed, match="1 batches"):
        send_all(metering.app)
    lost = tenant.event()
    metering.clear_faults()
    clock.tick(hours=1)
    send_all(metering.app)

    event = tenant.event()
    assert (lost["state"], lost["last_result"], lost["claimed_until"]) == ("pending", "http_503", None)
    assert (event["state"], event["last_result"], event["slot"]) == ("accepted", "Duplicate", lost["slot"])
    assert metering.on_meter(tenant) == [3.0]
    assert str(event["usage_event_id"]) == metering.marketplace.stats()["usage"][0]["id"]


@pytest.mark.parametrize(
    "fault", [{"status": 503, "times": 2}, {"status": 429, "times": 1}, {"delay": 0.1, "times": 1}]
)
def test_a_passing_fault_is_retried_within_a_run(metering, fault):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.inject_fault(**fault)

    assert send_all(metering.app) == 1
    assert metering.on_meter(tenant) == [3.0]


@pytest.mark.parametrize("hours", [1, 6, 23])
def test_an_outage_of_less_than_a_day_delays_and_loses_nothing(metering, clock, hours):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.inject_fault(status=503)
    for _ in range(hours):
        with pytest.raises(JobFailed):
            send_all(metering.app)
        clock.tick(hours=1)
    metering.clear_faults()

    assert send_all(metering.app) == 1
    assert metering.on_meter(tenant) == [3.0]
    assert tenant.event()["slot"] == START


def test_an_outage_of_more_than_a_day_raises_an_alarm_and_keeps_the_event(metering, clock, log_lines):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.inject_fault(status=503)
    with pytest.raises(JobFailed):
        send_all(metering.app)
    clock.tick(hours=25)
    metering.clear_faults()
    send_all(metering.app)
    clock.tick(hours=1)

    again = send_all(metering.app)

    event = tenant.event()
    assert (again, metering.on_meter(tenant)) == (0, [])
    assert (event["state"], event["last_result"], event["quantity"]) == ("alarm", "Expired", 3)
    [expired] = log_lines("usage_expired")
    assert (expired["tenant"], expired["code"], expired["level"]) == (str(tenant.tenant), "Expired", "error")
    assert [(line["tenant"], line["count"]) for line in log_lines("usage_late")] == [(str(tenant.tenant), 1)] * 2


def test_after_a_lost_response_and_a_day_of_outage_the_accepted_event_is_found(metering, clock, log_lines):
    """Otherwise an operator would send accepted usage again."""
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.inject_fault("usage_batch.answer", status=503)
    with pytest.raises(JobFailed):
        send_all(metering.app)
    clock.tick(hours=25)
    metering.clear_faults()

    assert send_all(metering.app) == 1
    event = tenant.event()
    assert (event["state"], event["last_result"], event["settled_at"]) == ("accepted", "Listed", clock())
    assert metering.on_meter(tenant) == [3.0]
    assert log_lines("usage_expired") == log_lines("usage_late") == []


def test_the_search_for_late_usage_reads_only_events_not_accepted(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/plan.db")
    metadata.create_all(engine)
    text = str(store._LATE.compile(engine))
    with engine.connect() as tx:
        plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?")).all()
    engine.dispose()

    assert any("usage_events USING INDEX ix_usage_events_not_accepted (slot<?)" in row[-1] for row in plan)


def test_of_two_equal_events_of_a_day_one_is_found_when_the_meter_has_one(metering, clock):
    """The meter lists days, not events; the charged and the missing quantity are the same for either."""
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.inject_fault("usage_batch.answer", status=503)
    send_due(metering.app)
    tenant.add_usage(3, month=202609, slot=START - dt.timedelta(hours=1))
    metering.inject_fault(status=503)
    send_due(metering.app)
    clock.tick(hours=25)
    metering.clear_faults()
    send_due(metering.app)

    assert sorted((event["state"], event["attempts"]) for event in tenant.events()) == [("accepted", 3), ("alarm", 2)]
    assert metering.on_meter(tenant) == [3.0]


def test_an_event_is_not_settled_by_the_list_while_another_of_its_day_is_being_sent(metering, clock):
    tenant = metering.tenant()
    tenant.add_usage(3, attempts=1)
    clock.tick(hours=25)
    tenant.add_usage(3, month=202609, slot=START - dt.timedelta(hours=1), attempts=1, claimed_until=clock() + CLAIM / 2)
    send_due(metering.app)

    assert [(event["state"], event["last_result"]) for event in tenant.events()] == [
        ("pending", "Expired"),
        ("pending", None),
    ]


@pytest.mark.parametrize("listed", [1, 4])
def test_a_day_with_a_quantity_of_none_of_our_events_is_a_conflict(metering, clock, log_lines, listed):
    tenant = metering.tenant()
    tenant.add_usage(3, attempts=1)
    other = {"resourceId": str(tenant.marketplace_id), "dimension": "active_user", "planId": "paid"}
    reported = {**other, "quantity": listed, "effectiveStartTime": "2026-11-23T05:00:00"}
    metering.marketplace.send("POST", "usageEvent", reported)
    clock.tick(hours=25)
    send_due(metering.app)

    assert (tenant.event()["state"], tenant.event()["last_result"]) == ("alarm", "Expired")
    assert [line["code"] for line in log_lines("usage_conflict")] == ["Expired"]


def test_an_event_without_a_response_is_kept_while_the_meter_is_unavailable(metering, clock, log_lines):
    tenant = metering.tenant()
    tenant.add_usage(3)
    other = metering.tenant()
    other.add_usage(2)
    metering.inject_fault("usage_batch.answer", status=503)
    with pytest.raises(JobFailed):
        send_all(metering.app)
    clock.tick(hours=25)
    metering.clear_faults()
    metering.inject_fault("usage_list", status=503)
    with pytest.raises(JobFailed, match="send_usage: 2 batches"):
        send_all(metering.app)
    unsure = tenant.event()
    metering.clear_faults()

    assert send_all(metering.app) == 2
    assert (unsure["state"], unsure["last_result"]) == ("pending", "Expired")
    assert metering.on_meter(tenant) == [3.0]
    assert [line["reason"] for line in log_lines("usage_not_listed")] == ["http_503"] * 2


def test_an_hour_with_another_quantity_is_an_alarm_and_stays_unchanged(metering, clock, log_lines):
    tenant = metering.tenant()
    tenant.add_usage(3)
    foreign = {"resourceId": str(tenant.marketplace_id), "quantity": 7, "dimension": "active_user", "planId": "paid"}
    reported = metering.marketplace.send("POST", "usageEvent", {**foreign, "effectiveStartTime": "2026-11-23T09:00:00"})
    send_all(metering.app)
    clock.tick(hours=1)
    send_all(metering.app)

    event = tenant.event()
    [line] = log_lines("usage_conflict")
    assert (event["state"], event["last_result"]) == ("alarm", "Duplicate")
    assert str(event["usage_event_id"]) == reported.json()["usageEventId"]
    assert (line["tenant"], line["code"]) == (str(tenant.tenant), "Duplicate")
    assert (metering.on_meter(tenant), metering.hits()) == ([7.0], 1)


def test_error_stays_pending_and_is_sent_again_for_the_same_hour(metering, clock):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.marketplace.execute("shapes", usage_status="Error")
    send_all(metering.app)
    failed = tenant.event()
    metering.marketplace.execute("shapes", usage_status=None)
    clock.tick(hours=1)

    assert send_all(metering.app) == 1
    assert (failed["state"], failed["last_result"], failed["settled_at"]) == ("pending", "Error", None)
    assert (tenant.event()["slot"], tenant.event()["attempts"]) == (START, 2)


@pytest.mark.parametrize(
    ("table", "changed", "word"),
    [
        (usage_events, {"marketplace_id": uuid.UUID(UNKNOWN)}, "ResourceNotFound"),
        (usage_events, {"dimension": "coffee"}, "InvalidDimension"),
        (subscriptions, {"plan_id": "gold"}, "BadArgument"),  # not the one that Microsoft has
    ],
)
def test_a_permanent_refusal_is_an_alarm_with_the_meters_status(  # noqa: PLR0917 - fixtures
    metering, clock, log_lines, table, changed, word
):
    tenant, other = metering.tenant(), metering.tenant()
    tenant.add_usage(3)
    other.add_usage(2)
    tenant.change(table, **changed)
    accepted = send_all(metering.app)
    clock.tick(hours=1)
    send_all(metering.app)

    event = tenant.event()
    [line] = log_lines("usage_refused")
    assert (accepted, other.event()["state"]) == (1, "accepted")
    assert (event["state"], event["last_result"], event["attempts"]) == ("alarm", word, 1)
    assert (line["tenant"], line["code"]) == (str(tenant.tenant), word)


def test_a_resource_not_authorized_for_us_is_an_alarm(metering, log_lines):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.marketplace.execute("shapes", usage_status="ResourceNotAuthorized")

    send_all(metering.app)

    assert (tenant.event()["state"], tenant.event()["last_result"]) == ("alarm", "ResourceNotAuthorized")
    assert [line["code"] for line in log_lines("usage_refused")] == ["ResourceNotAuthorized"]


@pytest.mark.parametrize(("hours", "state", "arrived"), [(5, "accepted", [3.0]), (25, "alarm", [])])
def test_usage_of_a_suspended_subscription_is_held_until_reinstatement_or_for_a_day(
    metering, clock, hours, state, arrived
):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.marketplace.execute("suspend", subscription=str(tenant.marketplace_id))
    send_all(metering.app)
    held = tenant.event()
    for _ in range(hours):
        clock.tick(hours=1)
        send_all(metering.app)
    metering.marketplace.execute("reinstate", subscription=str(tenant.marketplace_id))
    wait_until(lambda: metering.marketplace.status(str(tenant.marketplace_id)) == "Subscribed")
    send_all(metering.app)

    assert (held["state"], held["last_result"]) == ("held", "ResourceNotActive")
    assert (tenant.event()["state"], metering.on_meter(tenant)) == (state, arrived)


def test_usage_of_an_ended_subscription_is_an_alarm_and_can_be_rescheduled_before_the_end(metering, clock, log_lines):
    """If it were held for a reinstatement, which cannot come, the alarm would be too late."""
    tenant = metering.tenant()
    clock.tick(minutes=30)
    ended = clock()
    metering.marketplace.execute("unsubscribe", subscription=str(tenant.marketplace_id))
    tenant.change(subscriptions, status="unsubscribed", ended_at=ended)
    clock.tick(hours=2)
    row = tenant.add_usage(3, slot=clock().replace(minute=0))
    send_all(metering.app)
    refused = tenant.event()
    with metering.app.transaction(tenant=ALL_TENANTS) as tx:
        entry = reconcile_store.find(tx, row)
        assert entry is not None
        hour = reschedule_service.new_hour(tx, entry, now=clock())
        reschedule_service.reschedule(job_work(metering.app, tx, entry.event.tenant_id, clock()), entry, hour)
    send_all(metering.app)

    assert (refused["state"], refused["last_result"]) == ("alarm", "ResourceNotActive")
    assert [line["code"] for line in log_lines("usage_refused")] == ["ResourceNotActive"]
    assert (tenant.event()["state"], metering.on_meter(tenant)) == ("accepted", [3.0])


def test_usage_before_a_cancellation_is_accepted_after_it(metering, clock):
    tenant = metering.tenant()
    clock.tick(minutes=30)
    metering.marketplace.execute("unsubscribe", subscription=str(tenant.marketplace_id))
    tenant.add_usage(3)

    send_at_once(metering.app, tenant.tenant_id)

    assert metering.on_meter(tenant) == [3.0]


@pytest.mark.parametrize("status", [400, 403])
def test_a_batch_refused_as_a_whole_loses_and_settles_nothing(metering, clock, log_lines, status):
    tenants = [metering.tenant() for _ in range(3)]
    for tenant in tenants:
        tenant.add_usage(3)
    metering.inject_fault(status=status, body="{}")
    with pytest.raises(JobFailed, match="send_usage: 1 batches"):
        send_all(metering.app)
    events = [tenant.event() for tenant in tenants]
    metering.clear_faults()
    clock.tick(hours=1)

    assert send_all(metering.app) == 3
    assert {(event["state"], event["claimed_until"], event["last_result"]) for event in events} == {
        ("pending", None, f"http_{status}")
    }
    assert [(line["reason"], line["count"]) for line in log_lines("usage_batch_failed")] == [(f"http_{status}", 3)]


def add_usage_100(metering):
    for _ in range(5):
        tenant = metering.tenant()
        for number in range(20):
            tenant.add_usage(month=202401 + number % 12 + 100 * (number // 12), slot=START - dt.timedelta(hours=number))


def test_a_403_ends_the_run_at_once_and_an_outage_after_three_batches(metering, clock):
    add_usage_100(metering)
    metering.inject_fault(status=403)
    refused = send_due(metering.app)
    asked = metering.hits()
    metering.inject_fault(status=503)
    clock.tick(hours=1)
    unanswered = send_due(metering.app)

    assert (refused.failed, refused.waiting, asked) == (1, 25, 1)
    assert (unanswered.failed, unanswered.waiting) == (3, 75)
    assert metering.hits() - asked == 3 * 4


def test_batches_refused_one_by_one_do_not_end_a_run(metering):
    add_usage_100(metering)
    metering.inject_fault(status=400)

    sent = send_due(metering.app)

    assert (sent.failed, sent.waiting) == (4, 100)


@pytest.mark.parametrize("body", ["", "null", "{}", '{"result": 7}', "{", '{"result": [7, {"status": "Accepted"}]}'])
def test_an_invalid_response_changes_nothing(metering, clock, body):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.inject_fault(status=200, body=body)
    send_due(metering.app)
    unsure = tenant.event()
    metering.clear_faults()
    clock.tick(hours=1)

    assert send_due(metering.app).accepted == 1
    assert (unsure["state"], unsure["claimed_until"]) == ("pending", None)


def test_the_claim_of_another_process_is_respected_until_it_expires(metering, clock):
    tenant = metering.tenant()
    tenant.add_usage(3, claimed_until=START + CLAIM)
    early = send_all(metering.app)
    clock.tick(seconds=CLAIM.total_seconds())

    assert (early, send_all(metering.app)) == (0, 1)


def test_usage_of_a_future_hour_waits(metering, clock):
    tenant = metering.tenant()
    tenant.add_usage(3, slot=START + dt.timedelta(hours=1))
    early = send_all(metering.app)
    clock.tick(hours=1)

    assert (early, send_all(metering.app)) == (0, 1)


def test_usage_of_a_void_record_is_not_late_once_in_alarm(metering, clock, log_lines):
    """A replacement counts tried events as reported, and events in alarm as not reported."""
    tried, given_up = metering.tenant(), metering.tenant()
    tried.add_usage(3, attempts=1)
    given_up.add_usage(3, state="alarm", settled_at=START)
    for tenant in (tried, given_up):
        tenant.change(billing_records, state="void", voided_at=START)
    clock.tick(hours=24)
    metering.inject_fault(status=503)

    with pytest.raises(JobFailed):
        send_all(metering.app)

    assert [line["tenant"] for line in log_lines("usage_late")] == [str(tried.tenant)]


def test_nothing_is_sent_without_metering(metering, app):
    tenant = metering.tenant()
    tenant.add_usage(3)
    unnamed = metering.app.settings.model_copy(update={"marketplace_metering_dimension": ""})

    off, no_dimension = send_all(app), send_all(replace(metering.app, settings=unnamed))

    assert (off, no_dimension, metering.hits(), tenant.event()["attempts"]) == (0, 0, 0, 0)


def test_a_final_bill_is_sent_at_once_and_alone(metering):
    leaving, staying = metering.tenant(), metering.tenant()
    leaving.add_usage(3)
    staying.add_usage(2)

    send_at_once(metering.app, leaving.tenant_id)

    assert (leaving.event()["state"], staying.event()["state"]) == ("accepted", "pending")


def test_a_close_waits_three_seconds_at_most_for_the_meter(metering, monkeypatch):
    granted: list[float] = []

    class RecordedDeadline(Deadline):
        @classmethod
        def after(cls, seconds: float) -> "RecordedDeadline":
            granted.append(seconds)
            return super().after(seconds)

    monkeypatch.setattr(flow, "Deadline", RecordedDeadline)
    tenant = metering.tenant()
    tenant.add_usage(3)

    send_at_once(metering.app, tenant.tenant_id)

    assert granted == [3.0]


@pytest.mark.parametrize("fault", [{"hang": True}, {"status": 403}, {"status": 503}])
def test_a_fault_of_the_meter_does_not_fail_the_close(metering, monkeypatch, fault):
    monkeypatch.setattr(flow, "AT_ONCE_SECONDS", 0.5)
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.inject_fault(**fault)

    send_at_once(metering.app, tenant.tenant_id)

    assert tenant.event()["state"] == "pending"


@contextmanager
def fail_statements(beginning, engine, tenant_id):
    """The database fails statements with this beginning for a tenant's events."""

    def refuse(_connection, _cursor, statement, parameters, *_):
        values = parameters.values() if isinstance(parameters, dict) else parameters
        if statement.startswith(beginning) and tenant_id in values:
            raise OSError("the database is gone")

    sa_event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa_event.remove(engine, "before_cursor_execute", refuse)


def test_one_tenants_failure_does_not_affect_the_others(metering, clock, log_lines):
    broken, sound = metering.tenant(), metering.tenant()
    broken.add_usage(3)
    sound.add_usage(2)
    with (
        pytest.raises(JobFailed, match="send_usage: 1 batches"),
        fail_statements(SETTLEMENT, metering.app.engine, broken.tenant_id),
    ):
        send_all(metering.app)
    claimed = broken.event()
    clock.tick(hours=1)

    assert send_all(metering.app) == 1
    assert sound.event()["state"] == "accepted"
    assert claimed["claimed_until"] == START + CLAIM
    assert broken.event()["last_result"] == "Duplicate"
    [line] = log_lines("job_failed_for_tenant")
    assert (line["function"], line["tenant"], line["errorType"]) == ("send_usage", str(broken.tenant), "OSError")


def test_a_failure_of_ours_does_not_fail_the_close(metering, log_lines):
    tenant = metering.tenant()
    tenant.add_usage(3)
    with fail_statements(CLAIMING, metering.app.engine, tenant.tenant_id):
        send_at_once(metering.app, tenant.tenant_id)

    [line] = log_lines("usage_not_sent_at_once")
    assert (tenant.event()["state"], line["errorType"]) == ("pending", "OSError")


def test_events_at_both_ends_of_a_day_are_among_the_events_of_the_day(metering, engine):
    tenant = metering.tenant()
    midnight = START.replace(hour=0)
    hours = [midnight - dt.timedelta(hours=1), midnight, midnight + dt.timedelta(hours=23), midnight + DAY]
    for number, slot in enumerate(hours):
        tenant.add_usage(number + 1, month=202601 + number, slot=slot)
    tenant.add_usage(9, month=202612)
    with engine.connect() as tx:
        due = store.due(tx, now=START + 2 * DAY, after=(0, 0), limit=9)
        day = midnight.date()
        beside = store.other_events(tx, next(each for each in due if each.usage.quantity == 9), day, day)

    assert sorted(each.usage.quantity for each in beside) == [2, 3]


@on_postgresql
@pytest.mark.parametrize("number", [1, 2], ids=["at the claim", "at the settlement"])
def test_a_connection_lost_in_a_run_charges_once_and_settles_in_the_same_run(metering, engine, number):
    tenant = metering.tenant()
    tenant.add_usage(3)
    with drop_connections(metering.app.engine, engine, CLAIMING if number == 1 else SETTLEMENT) as statements:
        accepted = send_all(metering.app)

    assert (accepted, len(statements), metering.hits()) == (1, 1, 1)
    assert (tenant.event()["state"], metering.on_meter(tenant)) == ("accepted", [3.0])


def report_usage(metering, tenant, quantity, hour=START - DAY):
    """Reports usage before the restore of this database."""
    event = {"resourceId": str(tenant.marketplace_id), "quantity": quantity, "dimension": "active_user"}
    event |= {"planId": "paid", "effectiveStartTime": hour.isoformat()}
    assert metering.marketplace.send("POST", "usageEvent", event).status_code == 200


@pytest.fixture
def late(metering, clock):
    """A tenant with usage of a month that ended yesterday."""
    clock.set("2026-11-01T22:30:00+00:00")
    tenant = metering.tenant()
    clock.set("2026-12-01T22:30:00+00:00")
    tenant.add_usage(3, slot=clock().replace(minute=0), month=202611, late=True)
    return tenant


def test_usage_for_another_hour_than_the_last_is_looked_up_once_and_sent(metering, late, clock):
    early = metering.tenant()
    early.add_usage(2, slot=clock().replace(minute=0))
    send_all(metering.app)

    assert metering.hits("usage_list") == 1
    assert [metering.on_meter(each) for each in (late, early)] == [[3], [2]]
    assert late.event()["last_result"] == "Accepted"


def test_usage_for_the_last_hour_is_not_looked_up(metering):
    metering.tenant().add_usage(3)
    send_all(metering.app)

    assert metering.hits("usage_list") == 0


def test_usage_listed_for_the_last_hour_is_not_reported_for_another(metering, late, log_lines):
    report_usage(metering, late, 3, late.event()["slot"].replace(day=1, hour=0) - dt.timedelta(hours=1))
    send_all(metering.app)

    assert (late.event()["state"], late.event()["last_result"]) == ("accepted", "Listed")
    assert metering.on_meter(late) == [3]
    assert log_lines("usage_conflict") == []


def test_usage_is_an_alarm_and_not_sent_if_its_period_has_another_quantity(metering, late, log_lines):
    report_usage(metering, late, 2, late.event()["slot"].replace(day=1, hour=0) - dt.timedelta(hours=1))
    send_all(metering.app)
    [line] = log_lines("usage_conflict")

    assert (late.event()["state"], line["tenant"]) == ("alarm", str(late.tenant))
    assert metering.on_meter(late) == [2]


def test_usage_waits_for_an_unavailable_meter_and_is_an_alarm_after_twelve_hours(metering, late, clock, log_lines):
    early = metering.tenant()
    early.add_usage(2, slot=clock().replace(minute=0))
    metering.inject_fault("usage_list", status=503, times=100)
    with pytest.raises(JobFailed):
        send_all(metering.app)
    at_once = log_lines("usage_not_asked")
    clock.tick(hours=12)
    with pytest.raises(JobFailed):
        send_all(metering.app)
    [line] = log_lines("usage_not_asked")
    waiting = late.event()
    metering.clear_faults()
    send_all(metering.app)

    assert (at_once, early.event()["state"]) == ([], "accepted")
    assert (line["tenant"], line["count"]) == (str(late.tenant), 1)
    assert (waiting["state"], waiting["last_result"]) == ("pending", "NotAsked")
    assert metering.on_meter(late) == [3]


def test_usage_is_reported_with_the_subscriptions_present_plan(metering):
    tenant = metering.tenant()
    tenant.add_usage(3)
    metering.marketplace.execute("pace", ack_seconds=0)
    metering.marketplace.execute("change", subscription=str(tenant.marketplace_id), plan="gold")
    tenant.change(subscriptions, plan_id="gold")
    send_all(metering.app)

    assert (tenant.event()["state"], tenant.event()["plan_id"]) == ("accepted", "gold")
