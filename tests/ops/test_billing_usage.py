import datetime as dt
import functools

import pytest

from shared import clock as real
from shared.db.schema import audit_log, billing_records, subscriptions, usage_events
from tests.support import marketplace as support
from tests.support.billed_tenants import add_billed_tenant, remove_bills


@pytest.fixture
def now(clock):
    """The emulator uses the clock of the command line."""
    clock.at = real.now()
    return clock.at


@pytest.fixture
def hour(now):
    return now.replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def tenant(engine, marketplace, now):
    with engine.begin() as tx:
        tx.execute(usage_events.delete())
    assert now
    yield add_billed_tenant(engine, marketplace.buy(active=True))
    remove_bills(engine)


@pytest.fixture
def billing(ops, entra, marketplace):
    return functools.partial(
        ops,
        "billing",
        ENTRA_AUTHORITY=entra.authority,
        MARKETPLACE_API_URL=marketplace.api_url,
        MARKETPLACE_TENANT_ID=support.TENANT_ID,
        MARKETPLACE_CLIENT_ID=support.CLIENT_ID,
        MARKETPLACE_CLIENT_SECRET=support.CLIENT_SECRET,
        MARKETPLACE_METERING_DIMENSION="active_user",
    )


def newest_free_hour(*used):
    """By the clock of this machine, which commands use: an hour may end while a test runs."""
    free = real.now().replace(minute=0, second=0, microsecond=0)
    while free in used:
        free -= dt.timedelta(hours=1)
    return free


def audit_rows(engine, tenant):
    query = audit_log.select().where(audit_log.c.tenant_id == tenant.tenant_id, audit_log.c.action == "usage.reslotted")
    with engine.connect() as connection:
        return connection.execute(query).all()


def test_pending_usage_is_sent(billing, tenant, hour):
    tenant.add_usage(3, slot=hour)

    done = billing("send-usage")

    assert (done.code, done.out) == (0, "")
    assert done.err == "All usage is accepted.\n1 accepted, 0 to be sent again, 0 held, 0 in alarm.\n"
    assert tenant.event()["state"] == "accepted"


def test_a_dry_run_lists_and_sends_nothing(billing, tenant, hour, marketplace):
    event = tenant.add_usage(3, slot=hour)

    table, document = billing("send-usage", "--dry-run"), billing("send-usage", "--dry-run", "--json").json

    [row] = document["notAccepted"]
    assert (row["event"], row["tenant"], row["month"], row["users"]) == (event, tenant.slug, "2026-10", 3)
    assert (row["state"], row["result"], row["tries"]) == ("pending", None, 0)
    assert table.out.splitlines()[-1].split()[:4] == [str(event), tenant.slug, "2026-10", "3"]
    assert "nothing was sent" in table.err
    assert marketplace.stats()["usage"] == []


def test_usage_of_one_tenant_is_sent_and_shown_alone(billing, tenant, hour, engine, marketplace):
    other = add_billed_tenant(engine, marketplace.buy(active=True))
    tenant.add_usage(3, slot=hour)
    other.add_usage(2, slot=hour)

    sent = billing("send-usage", "--tenant", tenant.slug, "--json")

    assert (sent.code, sent.json["notAccepted"]) == (0, [])
    assert (tenant.event()["state"], other.event()["state"]) == ("accepted", "pending")


def test_usage_in_alarm_is_listed_with_exit_code_1(billing, tenant, hour):
    tenant.add_usage(3, slot=hour - dt.timedelta(hours=30))

    done = billing("send-usage", "--json")

    assert done.code == 1
    assert done.json["sent"] == {"accepted": 0, "waiting": 0, "held": 0, "alarms": 1, "failed": 0}
    assert [(each["state"], each["result"]) for each in done.json["notAccepted"]] == [("alarm", "Expired")]


def test_expired_usage_is_rescheduled_and_audited(billing, tenant, hour, engine, marketplace):
    event = tenant.add_usage(3, slot=hour - dt.timedelta(hours=30))
    billing("send-usage")
    first = newest_free_hour()

    done = billing("send-usage", "--reschedule", str(event), "--yes")

    [usage], [row] = marketplace.stats()["usage"], audit_rows(engine, tenant)
    assert done.code == 0, done.err
    assert (usage["quantity"], tenant.event()["state"]) == (3.0, "accepted")
    slot = tenant.event()["slot"]
    assert slot in {first, newest_free_hour()}
    assert (row.actor_kind, row.subject_user_id) == ("operator", None)
    assert row.before_change["slot"][:13] == f"{hour - dt.timedelta(hours=30):%Y-%m-%dT%H}"
    assert row.after_change["slot"][:13] == f"{slot:%Y-%m-%dT%H}"


def test_a_used_hour_is_skipped(billing, tenant, hour):
    event = tenant.add_usage(3, slot=hour - dt.timedelta(hours=30))
    tenant.add_usage(2, slot=hour, month=202609)
    billing("send-usage")
    first = newest_free_hour(hour)

    done = billing("send-usage", "--reschedule", str(event), "--yes")

    assert done.code == 0, done.err
    assert tenant.events()[0]["slot"] in {first, newest_free_hour(hour)}


def test_a_dry_run_of_a_reschedule_changes_nothing(billing, tenant, hour, engine):
    event = tenant.add_usage(3, slot=hour - dt.timedelta(hours=30))
    billing("send-usage")
    before = tenant.event()

    done = billing("send-usage", "--reschedule", str(event), "--dry-run")

    assert done.code == 1
    assert tenant.event() == before
    assert audit_rows(engine, tenant) == []


def test_pending_and_accepted_usage_keeps_its_hour(billing, tenant, hour, engine):
    event = tenant.add_usage(3, slot=hour)
    waiting = billing("send-usage", "--reschedule", str(event), "--yes")
    billing("send-usage")
    arrived = billing("send-usage", "--reschedule", str(event), "--yes")

    assert (waiting.code, waiting.message) == (
        1,
        f"ops: event {event} is pending; only an event in alarm can be rescheduled",
    )
    assert "is accepted" in arrived.message
    assert audit_rows(engine, tenant) == []


def test_usage_that_microsoft_has_is_not_reported_again(billing, tenant, hour, marketplace, engine):
    """A wrong alarm must not cause a second charge."""
    event = tenant.add_usage(3, slot=hour)
    billing("send-usage")
    tenant.change(usage_events, state="alarm", last_result="Expired")

    done = billing("send-usage", "--reschedule", str(event), "--yes")

    assert done.code == 1
    assert "the meter has 3.0 since the day" in done.message
    assert len(marketplace.stats()["usage"]) == 1
    assert audit_rows(engine, tenant) == []


def test_another_quantity_in_the_hour_prevents_a_reschedule(billing, tenant, hour):
    event = tenant.add_usage(
        3, slot=hour - dt.timedelta(hours=30), state="alarm", last_result="Duplicate", settled_at=hour
    )

    assert "would charge more" in billing("send-usage", "--reschedule", str(event), "--yes").message


def test_usage_of_a_void_record_cannot_be_rescheduled(billing, tenant, hour):
    slot = hour - dt.timedelta(hours=30)
    event = tenant.add_usage(3, slot=slot, state="alarm", last_result="Expired", settled_at=slot)
    tenant.change(billing_records, state="void", voided_at=hour)

    assert f"there is no pending event {event}" in billing("send-usage", "--reschedule", str(event), "--yes").message


def test_after_a_cancellation_only_hours_before_it_are_left(billing, tenant, hour, engine):
    event = tenant.add_usage(
        3, slot=hour - dt.timedelta(hours=40), state="alarm", last_result="Expired", settled_at=hour
    )
    tenant.change(subscriptions, status="unsubscribed", ended_at=hour - dt.timedelta(hours=26))

    assert "in no hour any more" in billing("send-usage", "--reschedule", str(event), "--yes").message
    assert audit_rows(engine, tenant) == []


def test_failed_usage_reports_have_exit_code_1(billing, tenant, hour, marketplace):
    tenant.add_usage(3, slot=hour)
    marketplace.execute("faults", usage_batch={"status": 403})

    done = billing("send-usage")

    assert done.code == 1
    assert "1 batches or tenants failed" in done.err
    assert tenant.event()["state"] == "pending"


def test_reconcile_lists_differences(billing, tenant, hour):
    agreed = billing("reconcile")
    tenant.add_usage(5, slot=hour - dt.timedelta(days=3), state="accepted")

    table, document = billing("reconcile"), billing("reconcile", "--json")

    [found] = document.json
    assert (agreed.code, agreed.err) == (0, "No differences.\n")
    assert (table.code, document.code) == (1, 1)
    assert (found["difference"], found["tenant"], found["ours"]) == ("missing", str(tenant.tenant), "5.00")
    assert "missing" in table.out.splitlines()[-1]


def test_reconcile_of_a_tenant_lists_no_other_tenants_differences(billing, tenant, engine, marketplace, hour):
    tenant.add_usage(3, slot=hour - dt.timedelta(days=5), state="accepted")
    fine = add_billed_tenant(engine, marketplace.buy(active=True))
    its, anothers = (billing("reconcile", "--tenant", each.slug, "--json") for each in (tenant, fine))

    assert (its.code, [each["tenant"] for each in its.json]) == (1, [str(tenant.tenant)])
    assert (anothers.code, anothers.json) == (0, [])


def test_reconcile_without_the_marketplace_has_exit_code_4(billing, marketplace):
    marketplace.execute("faults", usage_list={"status": 403})

    done = billing("reconcile")

    assert (done.code, done.message) == (4, "ops: the Marketplace is unavailable: http_403")


@pytest.mark.parametrize("unset", ["MARKETPLACE_METERING_DIMENSION", "MARKETPLACE_CLIENT_ID"])
def test_without_a_dimension_or_the_marketplace_there_is_nothing_to_send(billing, unset):
    off = (
        {unset: ""}
        if "METERING" in unset
        else {"MARKETPLACE_TENANT_ID": "", unset: "", "MARKETPLACE_CLIENT_SECRET": ""}
    )
    done = billing("send-usage", **off)

    assert (done.code, done.out) == (2, "")
    assert "MARKETPLACE_" in done.message


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--reschedule", "0"), 2), (("--reschedule", "7", "--tenant", "x"), 2), (("--tenant", "nobody"), 3)],
)
def test_wrong_usage_and_unknown_tenants_have_their_exit_codes(billing, tenant, arguments, code):
    assert tenant
    assert billing("send-usage", *arguments).code == code
