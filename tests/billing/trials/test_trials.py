import datetime as dt
import uuid

import pytest
import sqlalchemy as sa

from billing.trials.jobs import end_all_trials
from billing.trials.service import expire_trial
from shared.db.row_level_security import ALL_TENANTS, set_tenant
from shared.db.schema import audit_log, metadata, tenants
from shared.jobs import job_work
from shared.tenancy.model import Plan, TenantStatus
from shared.tenancy.rules import status_at, tracking_refusal
from shared.tenancy.store import read_tenant
from tests.support.world import START
from tests.timers.running import late


MS = dt.timedelta(milliseconds=1)
END = START + dt.timedelta(days=30)
ENDED = "2026-12-23T09:00:00.000Z"
PAID = ("paid", "--rate", "4.50", "--currency", "EUR")


def row(engine, person):
    with engine.connect() as connection:
        set_tenant(connection, ALL_TENANTS)
        theirs = sa.select(tenants).where(tenants.c.entra_tenant_id == uuid.UUID(person.tid))
        return connection.execute(theirs).one()


def put(engine, person, **values):
    with engine.begin() as tx:
        theirs = tenants.c.entra_tenant_id == uuid.UUID(person.tid)
        tx.execute(tenants.update().where(theirs).values(**values))


def events(engine, person):
    """The ends of the person's trial that are on record."""
    of_tenant = sa.select(audit_log).where(audit_log.c.tenant_id == row(engine, person).id)
    with engine.connect() as connection:
        set_tenant(connection, ALL_TENANTS)
        return connection.execute(of_tenant.where(audit_log.c.action == "trial.expired")).all()


def counts(engine, person):
    """How many rows the tenant has in each table."""
    tenant_id = row(engine, person).id
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(
                sa.select(sa.func.count()).select_from(table).where(table.c.tenant_id == tenant_id)
            )
            for table in metadata.sorted_tables
            if "tenant_id" in table.c and table.name not in {"audit_log", "user_months"}
        }


@pytest.mark.parametrize(("after", "status"), [(-MS, "active"), (0 * MS, "expired"), (MS, "expired")])
def test_the_job_ends_a_trial_at_its_instant_and_not_before(world, app, clock, after, status):
    ada = world.tenant()
    clock.at = END + after
    end_all_trials(app)

    assert row(app.engine, ada).status == status
    assert len(events(app.engine, ada)) == (status == "expired")


def test_of_two_concurrent_jobs_one_ends_a_trial(world, app, engine):
    ada = world.tenant()
    tenant_id = row(engine, ada).id
    counts = []
    for _ in range(2):
        with app.transaction(tenant=tenant_id) as tx:
            counts.append(expire_trial(job_work(app, tx, tenant_id, END)))

    assert counts == [1, 0]
    assert len(events(engine, ada)) == 1


def test_the_audit_log_has_the_instant_of_the_end_even_if_the_job_is_late(world, app, clock, engine):
    ada = world.tenant()
    clock.tick(days=33)
    end_all_trials(app)
    [event] = events(engine, ada)

    assert (event.actor_kind, event.actor_id, event.at) == ("service", None, clock())
    assert event.before_change == {"status": "active"}
    assert event.after_change == {"status": "expired", "trialEndsAt": ENDED}


def test_users_see_the_end_at_its_instant_before_and_after_the_job(world, app, clock):
    ada = world.tenant()
    clock.at = END
    views = []
    for _ in range(2):
        signed_in, settings, refused = ada.post("sign-in"), ada.get("tenant"), ada.start(7)
        views.append(
            [
                signed_in.body["tenant"]["status"],
                signed_in.body["entitlements"]["reason"],
                settings.body["status"],
                settings.headers["ETag"],
                (refused.status, refused.code),
            ]
        )
        end_all_trials(app)

    assert views[0] == views[1] == ["expired", "trial_expired", "expired", '"1"', (402, "trial_expired")]


def test_48_runs_of_the_job_end_a_trial_once(world, app, clock, engine):
    ada = world.tenant()
    clock.at = END - dt.timedelta(hours=24)
    for _ in range(48):
        end_all_trials(app)
        clock.tick(hours=1)
    before = row(engine, ada)
    clock.tick(days=-2)
    end_all_trials(app)

    assert len(events(engine, ada)) == 1
    assert row(engine, ada) == before


def test_a_late_start_within_the_trial_counts_after_the_job(world, app, clock, engine):
    ada = world.tenant()
    clock.at = END + dt.timedelta(hours=1)
    end_all_trials(app)
    taken, refused = late.start(ada, END - MS), late.start(ada, END)

    assert row(engine, ada).status == "expired"
    assert taken.status == 201
    assert (refused.status, refused.code) == (402, "trial_expired")
    assert ada.stop().status == 200


def test_the_end_removes_nothing_and_a_purchase_on_day_31_restores_tracking(world, app, clock, engine, ops):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=1)
    ada.stop()
    before, report = counts(engine, ada), ada.report().body
    clock.tick(days=31)
    end_all_trials(app)
    ended, read = counts(engine, ada), ada.report().body
    assert (
        ops("tenants", "set-plan", row(engine, ada).slug, "paid", "--rate", "4.50", "--currency", "EUR", "--yes").code
        == 0
    )
    started = ada.start(8)

    assert ended == before
    assert read == report
    assert started.status == 201
    assert ada.report().body == report


@pytest.mark.parametrize("job_first", [True, False])
def test_an_end_and_a_purchase_in_any_order_leave_a_paying_tenant(world, app, clock, ops, job_first):
    ada = world.tenant()
    clock.at = END + MS
    if job_first:
        end_all_trials(app)
    assert (
        ops(
            "tenants", "set-plan", row(app.engine, ada).slug, "paid", "--rate", "4.50", "--currency", "EUR", "--yes"
        ).code
        == 0
    )
    end_all_trials(app)
    after = row(app.engine, ada)

    assert (after.plan_kind, after.status, after.version) == ("paid", "active", 2)
    assert ada.post("sign-in").body["entitlements"] == {"canTrack": True}


def test_the_job_does_not_change_the_tenants_version(world, app, clock, engine):
    ada = world.tenant()
    seen = ada.get("tenant").headers["ETag"]
    clock.at = END
    end_all_trials(app)
    changed = ada.http.send("PATCH", "tenant", {"writeBack": True}, token=ada.token, headers={"If-Match": seen})

    assert changed.status == 200
    assert row(engine, ada).status == "expired"


def test_an_extended_trial_is_active_and_ends_again(world, app, clock, engine, ops):
    ada = world.tenant()
    clock.at = END
    end_all_trials(app)
    assert ops("tenants", "extend-trial", row(engine, ada).slug, "--days", "7", "--yes").code == 0
    extended = row(engine, ada)
    put(engine, ada, trial_ends_at=END + dt.timedelta(days=7))  # the command reads the clock of this machine
    clock.tick(days=7)
    end_all_trials(app)

    assert (extended.status, extended.plan_kind) == ("active", "trial")
    assert row(engine, ada).status == "expired"
    assert [event.after_change["trialEndsAt"] for event in events(engine, ada)] == [ENDED, "2026-12-30T09:00:00.000Z"]


@pytest.mark.parametrize("status", ["suspended", "cancelled"])
def test_a_suspended_or_cancelled_tenant_stays_so(world, app, clock, engine, status):
    ada = world.tenant()
    put(engine, ada, status=status)
    clock.at = END
    end_all_trials(app)

    assert row(engine, ada).status == status
    assert events(engine, ada) == []


@pytest.mark.parametrize("stored", list(TenantStatus))
@pytest.mark.parametrize("plan", list(Plan))
def test_only_active_trials_end_by_the_clock(world, engine, plan, stored):
    ada = world.tenant()
    put(engine, ada, plan_kind=plan.value, status=stored.value)
    with engine.connect() as connection:
        tenant = read_tenant(connection, row(engine, ada).id)
    put(engine, ada, plan_kind="trial", status="active")
    statuses = [status_at(tenant, at) for at in (END - MS, END)]
    by_the_clock = plan is Plan.TRIAL and stored in {TenantStatus.ACTIVE, TenantStatus.EXPIRED}

    assert statuses == ([TenantStatus.ACTIVE, TenantStatus.EXPIRED] if by_the_clock else [stored, stored])
    assert (tracking_refusal(tenant, END) is None) == (statuses[1] is TenantStatus.ACTIVE)
