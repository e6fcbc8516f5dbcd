"""The runbook of docs/deployment.md: production continues after a backup, then the restored copy becomes production.

Nothing is sent to the meter twice, no hour is in Completed Work twice, what people asked for since is kept, and a copy
that is only tried out stops nobody.
"""

import datetime as dt
import functools
import uuid
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa

from billing.closing.jobs import close_all_ended
from billing.metering.jobs import send_all
from privacy import jobs as privacy_jobs
from shared import clock as real
from shared.app import App, use
from shared.db.engine import make_engine
from shared.db.schema import audit_log, installation, notices, tenants, users
from shared.restore import flow
from tests.billing.conftest import metered_settings
from tests.support import marketplace as support
from tests.support.azurite import connection_string, free_port
from tests.support.commands import Ops
from tests.support.database_copies import database_copier
from tests.support.paying_tenants import PayingTenant
from tests.timers.write_back.write_backs import BUG, change, retry, send
from timers.forgotten.jobs import stop_all_forgotten
from webhooks.events.jobs import reconcile_all


HOUR = dt.timedelta(hours=1)
ACTION = {"type": "page.open", "page": "/board"}


@dataclass(frozen=True)
class Database:
    """One database of the installation, and an app on it."""

    app: App
    engine: sa.Engine

    @property
    def url(self) -> str:
        """The URL for settings, without the engine's own dialect."""
        driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[self.engine.dialect.name]
        return self.engine.url.set(drivername=driver).render_as_string(hide_password=False)

    def jobs(self) -> None:
        """The scheduled jobs that act outside or delete data."""
        with use(self.app):
            stop_all_forgotten(self.app)
            close_all_ended(self.app)
            send_all(self.app)
            reconcile_all(self.app)
            privacy_jobs.remove_expired(None)
            privacy_jobs.carry_out_erasures(None)

    def rows(self, table: sa.Table, *of: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
        with self.engine.connect() as tx:
            return [dict(row) for row in tx.execute(sa.select(table).where(*of)).mappings()]

    @property
    def is_held(self) -> bool:
        return flow.read_installation(self.app).is_held


@dataclass(frozen=True)
class Story:
    """The databases on the day of the restore: production, and the copy of its backup."""

    production: Database
    copy: Database
    payer: PayingTenant
    ada: Any
    grace: Any
    grace_id: uuid.UUID
    ben_id: uuid.UUID
    lost_tenant: uuid.UUID


@pytest.fixture(scope="module")
def empty(another_database):
    engine = make_engine(another_database("restoring"))
    yield engine
    engine.dispose()


@pytest.fixture
def copies(tmp_path):
    with database_copier(tmp_path) as copy:
        yield copy


@pytest.fixture
def on(app, settings, marketplace, azurite, clock):
    """An app on an engine, with a meter and a store outside; an hour ago, or when the month began, if that is later."""
    clock.at = max(real.now() - HOUR, _month_of(real.now()))
    made: list[App] = []

    def on(engine: sa.Engine) -> Database:
        given = metered_settings(settings, marketplace.api_url)
        watched = given.model_copy(update={"action_log_table_endpoint": azurite.connection_string})
        made.append(replace(app, settings=watched, engine=engine))
        return Database(made[-1], engine)

    yield on
    for each in made:
        each.close()


def _month_of(now):
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def story(request, copies, on, clock) -> Story:
    needed = ("empty", "world", "marketplace", "azure_devops")
    empty, world, marketplace, azure_devops = map(request.getfixturevalue, needed)
    engine = copies(empty)
    with engine.begin() as tx:  # each test is an installation of its own
        tx.execute(installation.update().values(public_id=real.new_id()))
    production = on(engine)
    began = _month_of(clock()) - dt.timedelta(days=2)  # so that one month has ended on any day
    payer = PayingTenant.create(engine, people=3, since=began)
    payer.subscribe(began, marketplace=uuid.UUID(marketplace.buy(active=True)))
    for person in payer.people:
        payer.sign_in(person, began + HOUR)
    with use(production.app):
        ada = world.tenant()
        grace, ben = world.member(ada), world.member(ada)
        change(ada, writeBack=True)
        ada.start(BUG)
        ids = [uuid.UUID(each.get("me").body["id"]) for each in (grace, ben)]
    stop_all_forgotten(production.app)
    copy = on(copies(engine))  # the backup
    clock.tick(minutes=30)
    with use(production.app):
        assert send(ada, "POST", "timers/stop", azure_devops.token()).body["writeBack"] == "done"
        assert grace.post("privacy/erasure", {"confirm": grace.email}).status in {201, 202}
        assert ben.patch("privacy", {"restricted": True}).status == 200
        lost = world.tenant()
        assert lost.http.send("POST", "actions", ACTION, token=lost.token).status < 300
    production.jobs()
    with production.engine.begin() as tx:  # the three days are over
        tx.execute(sa.text("UPDATE privacy_requests SET scheduled_for = requested_at"))
    production.jobs()
    clock.at = real.now()
    lost_row = production.rows(tenants, tenants.c.entra_tenant_id == uuid.UUID(lost.tid))[0]
    [grace_id, ben_id] = ids
    return Story(production, copy, payer, ada, grace, grace_id, ben_id, lost_row["public_id"])


@pytest.fixture
def restore(story, entra, marketplace, azurite):
    """The commands on the copy."""
    return functools.partial(
        Ops(story.copy.url),
        "restore",
        ENTRA_AUTHORITY=entra.authority,
        MARKETPLACE_API_URL=marketplace.api_url,
        MARKETPLACE_TENANT_ID=support.TENANT_ID,
        MARKETPLACE_CLIENT_ID=support.CLIENT_ID,
        MARKETPLACE_CLIENT_SECRET=support.CLIENT_SECRET,
        MARKETPLACE_METERING_DIMENSION="active_user",
        ACTION_LOG_TABLE_ENDPOINT=azurite.connection_string,
    )


def on_meter(marketplace):
    return [each["quantity"] for each in marketplace.stats()["usage"]]


def test_a_copy_becomes_production_and_nothing_happens_twice(story, restore, marketplace, azure_devops):
    copy = story.copy
    assert on_meter(marketplace) == [3.0]
    copy.jobs()  # before anybody has begun: the mark alone holds them
    assert (copy.is_held, on_meter(marketplace)) == (True, [3.0])
    with use(copy.app):
        assert story.ada.get("health").body["restoreWatch"] == "held"
        stopped = send(story.ada, "POST", "timers/stop", azure_devops.token())
        assert (stopped.status, stopped.body["writeBack"]) == (200, "pending")
        assert story.grace.get("me").status == 200  # is back, until the restore is accepted
    hours = stopped.body["elapsedMs"] / 3_600_000

    begun, accepted = restore("begin", "--yes"), restore("accept", "--yes", "--other-is-off")
    assert (begun.code, accepted.code, accepted.out.count("belong to no month")) == (0, 0, 0), accepted.err
    assert not copy.is_held
    copy.jobs()
    copy.jobs()

    assert on_meter(marketplace) == [3.0]
    assert [(row.quantity, row.state) for row in PayingTenant.usage(replace(story.payer, engine=copy.engine))] in (
        [],
        [(3, "accepted")],
    )
    with use(copy.app):
        written = retry(story.ada, stopped.body["id"], azure_devops.token())
        assert written.body["writeBack"] == "done"
        assert azure_devops.completed(BUG) == pytest.approx(3.5 + hours, abs=0.0002)
        assert story.grace.get("me").status == 403
    [ben] = copy.rows(users, users.c.public_id == story.ben_id)
    assert ben["restricted_at"] is not None
    assert copy.rows(users, users.c.public_id == story.grace_id) == []
    of_tenant = audit_log.c.tenant_id == ben["tenant_id"]
    [on_record] = copy.rows(audit_log, audit_log.c.action == "database.restored", of_tenant)
    [notice] = copy.rows(notices, notices.c.kind == "database_restored", notices.c.tenant_id == ben["tenant_id"])
    assert set(on_record["after_change"]) == set(notice["details"]) == {"from", "to"}
    checked = Ops(copy.url)("check")
    assert checked.code == 0, checked.out


def test_the_former_database_is_held_once_the_copy_is_accepted(story, restore, marketplace):
    restore("begin", "--yes")
    assert restore("accept", "--yes", "--other-is-off").code == 0
    story.production.jobs()

    assert (story.production.is_held, story.copy.is_held) == (True, False)
    assert on_meter(marketplace) == [3.0]


def test_a_customer_after_the_restore_sees_no_data_of_a_lost_one(story, restore, world):
    """Both have the same row number: the customer of the lost period and the one who signs up later."""
    restore("begin", "--yes")
    assert restore("accept", "--yes", "--other-is-off").code == 0
    with use(story.copy.app):
        admin = world.tenant()
        seen = admin.get("actions")
        admin.http.send("POST", "actions", ACTION, token=admin.token)
        own = admin.get("actions")

    of_lost = story.production.rows(tenants, tenants.c.public_id == story.lost_tenant)
    of_new = story.copy.rows(tenants, tenants.c.entra_tenant_id == uuid.UUID(admin.tid))
    assert [row["id"] for row in of_lost] == [row["id"] for row in of_new]
    assert (seen.status, seen.body["items"], len(own.body["items"])) == (200, [], 1)


def test_a_drill_does_not_stop_production(story, restore):
    story.copy.jobs()
    story.production.jobs()
    begun, refused = restore("begin", "--yes"), restore("accept", "--yes")
    story.production.jobs()

    assert (begun.code, refused.code) == (0, 1)
    assert "another database of this installation was used at" in refused.message
    assert (story.production.is_held, story.copy.is_held) == (False, True)


def test_accept_without_begin_is_rejected_and_changes_nothing(story, restore):
    nothing_held = restore("accept", "--yes", "--other-is-off")
    story.copy.jobs()
    before = flow.read_installation(story.copy.app)
    held_by_the_mark = restore("accept", "--yes", "--other-is-off")

    assert (nothing_held.code, held_by_the_mark.code) == (1, 1)
    assert "the database is not held" in nothing_held.message
    assert "run ops restore begin first" in held_by_the_mark.message
    assert flow.read_installation(story.copy.app) == before


def test_a_second_accept_is_rejected_and_changes_nothing(story, restore):
    restore("begin", "--yes")
    first = restore("accept", "--yes", "--other-is-off")
    after = flow.read_installation(story.copy.app)
    second = restore("accept", "--yes", "--other-is-off")

    assert (first.code, second.code) == (0, 1)
    assert "the database is not held" in second.message
    assert flow.read_installation(story.copy.app) == after
    assert len(story.copy.rows(notices, notices.c.kind == "database_restored")) == len(story.copy.rows(tenants))


@pytest.mark.parametrize("endpoint", ["usage_list", "list"])
def test_accept_without_the_marketplace_fails_and_keeps_the_hold(story, restore, marketplace, endpoint):
    restore("begin", "--yes")
    before = [story.copy.rows(table) for table in (audit_log, notices, users)]
    marketplace.execute("faults", **{endpoint: {"status": 503, "headers": {"Retry-After": "0"}}})
    refused = restore("accept", "--yes", "--other-is-off")
    marketplace.emulator.faults.clear()

    assert refused.code == 4
    assert "the Marketplace is unavailable" in refused.message
    assert "the database stays held" in refused.message
    assert story.copy.is_held
    assert [story.copy.rows(table) for table in (audit_log, notices, users)] == before
    assert restore("accept", "--yes", "--other-is-off").code == 0


def test_accept_without_the_outside_store_needs_an_option(story, restore):
    restore("begin", "--yes")
    unset = restore("accept", "--yes", ACTION_LOG_TABLE_ENDPOINT="")
    away = restore("accept", "--yes", ACTION_LOG_TABLE_ENDPOINT=connection_string(free_port()))
    without = restore("accept", "--yes", "--without-store", ACTION_LOG_TABLE_ENDPOINT="")

    assert (unset.code, away.code, without.code) == (2, 4, 0)
    assert "--without-store" in unset.message
    assert "cannot be reached" in away.message
    story.copy.jobs()
    assert not story.copy.is_held  # the first job writes the new epoch to the store


def test_status_shows_both_marks_and_pending_work(story, restore):
    story.copy.jobs()
    held, document = restore("status"), restore("status", "--json").json
    waiting = {row["what"]: row["count"] for row in document["waiting"]}

    assert held.code == 1
    assert (document["heldReason"], document["outside"]) == ("behind", "ahead of the database")
    assert document["outsideMark"] > document["mark"]
    assert waiting["months to close"] == 1
    assert "months to close" in held.out


def test_a_dry_run_shows_each_step_and_changes_nothing(story, restore):
    restore("begin", "--yes")
    done = restore("accept", "--dry-run", "--other-is-off")

    assert done.code == 0
    assert "3 users reported before are adopted" in done.out
    assert "1 erasures and 1 changes of rights" in done.out
    assert story.copy.is_held


def test_commands_that_act_outside_are_rejected_while_the_database_is_held(story, restore):
    restore("begin", "--yes")
    ops = Ops(story.copy.url)
    refused = [ops("billing", "close", "--yes"), ops("privacy", "run"), ops("privacy", "retention")]

    assert [each.code for each in refused] == [1] * 3
    assert all("the database is held since" in each.err for each in refused)
    assert ops("billing", "close", "--dry-run").code == 0
