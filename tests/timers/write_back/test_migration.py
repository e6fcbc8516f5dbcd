"""The rows of the previous version become changes, targets and written hours; nothing is sent twice."""

import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from devcloud import postgres
from shared import clock
from shared.db.engine import make_engine
from shared.db.schema import write_back_attempts
from shared.db.schema import write_back_changes as CHANGES  # noqa: N812 - as the other tables here
from shared.db.schema import write_back_items as ITEMS  # noqa: N812 - as the other tables here
from shared.db.types import Hours, UtcDateTime
from timers.write_back.invariants import WRITE_BACK


ROOT = Path(__file__).resolve().parents[3]
BEFORE, AFTER = "c81f5e2a9d47", "c3b0f4d2a917"
HOUR = 3_600_000
THEN = [column for column in ITEMS.c if column.name != "checked_epoch"]  # added by a later migration
_ID = sa.Uuid()


def table(name, *columns, **typed):
    return sa.table(name, *map(sa.column, columns), *(sa.column(each, kind) for each, kind in typed.items()))


INSTANTS = {"created_at": UtcDateTime(), "updated_at": UtcDateTime()}
TENANTS = table(
    "tenants",
    *("slug", "name", "organization", "plan_kind", "status", "time_zone", "seats_used", "version"),
    public_id=_ID,
    entra_tenant_id=_ID,
    **INSTANTS,
)
USERS = table(
    "users",
    *("tenant_id", "email", "display_name", "role", "auth_provider", "is_active", "version"),
    public_id=_ID,
    **INSTANTS,
)
ORGANIZATIONS = table(
    "organizations", "tenant_id", "name", "name_key", "is_active", public_id=_ID, created_at=UtcDateTime()
)
PROJECTS = table("projects", "tenant_id", "organization_id", "organization", "name", "name_key", public_id=_ID)
ENTRIES = table(
    "time_entries",
    *("tenant_id", "user_id", "project_id", "work_item_id", "elapsed_ms", "time_zone", "source", "needs_review"),
    "version",
    public_id=_ID,
    started_at=UtcDateTime(),
    stopped_at=UtcDateTime(),
    **INSTANTS,
)
LOG = table(
    "timer_log",
    *("tenant_id", "user_id", "event", "entry_version", "project_id", "work_item_id", "elapsed_ms"),
    timer_id=_ID,
    happened_at=UtcDateTime(),
    received_at=UtcDateTime(),
)
OLD_ROWS = table(
    "write_backs",
    "id",
    *("tenant_id", "user_id", "project_id", "work_item_id", "delta_ms", "state", "pinned_revision"),
    public_id=_ID,
    entry_id=_ID,
    hours_before=Hours(),
    hours_after=Hours(),
    **INSTANTS,
)


def alembic(url, *arguments):
    command = [sys.executable, "-m", "alembic", *arguments]
    environment = {"DATABASE_URL": url, "PATH": ""}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


class Filled:
    """A tenant with two organizations of one project each, and rows of every outcome."""

    def __init__(self, tx) -> None:
        self.tx, self.now = tx, clock.now()
        self.stamps = {"created_at": self.now, "updated_at": self.now}
        plan = {"plan_kind": "trial", "status": "active", "time_zone": "UTC", "seats_used": 1, "version": 1}
        names = {"slug": "contoso", "name": "Contoso", "organization": "contoso"}
        self.public_id = clock.new_id()
        self.add(TENANTS, **names, **plan, public_id=self.public_id, entra_tenant_id=clock.new_id(), **self.stamps)
        account = {"role": "super_admin", "auth_provider": "microsoft", "is_active": True, "version": 1}
        who = {"email": "a@contoso.example", "display_name": "A", "public_id": clock.new_id()}
        self.add(USERS, tenant_id=1, **who, **account, **self.stamps)
        for number, name in enumerate(("contoso", "fabrikam"), 1):
            key = {"name": name, "name_key": name, "is_active": True, "public_id": clock.new_id()}
            self.add(ORGANIZATIONS, tenant_id=1, **key, created_at=self.now)
            project = {
                "organization": name,
                "name": "Website",
                "name_key": f"{name}/website",
                "public_id": clock.new_id(),
            }
            self.add(PROJECTS, tenant_id=1, organization_id=number, **project)
        self.fill()

    def fill(self):
        whole = self.entry(10, 2)
        self.add_row(whole, 10, 1, pin=(2, "3.5", "4.5"))
        self.add_row(whole, 10, 1, pin=(3, "9", "10"))
        self.shortened, self.gone, self.moved = self.entry(20, 0.5), self.entry(20, 2, exists=False), self.entry(21, 1)
        for entry, hours in ((self.shortened, 2), (self.gone, 2), (self.moved, 1)):
            self.add_row(entry, 20, hours, pin=(2, "0", str(hours)))
        opened = self.entry(30, 3)
        self.add_row(opened, 30, 1, pin=(2, "3.5", "4.5"))
        self.open = self.add_row(opened, 30, 1, "pending", pin=(3, "4.5", "5.5"))
        self.add_row(opened, 30, 1, "failed")
        gone = self.entry(50, 2, exists=False)
        self.add_row(gone, 50, 2, pin=(2, "0", "2"))
        self.cut_open = self.add_row(gone, 50, -2, "pending", pin=(4, "0.5", "0"))
        cut, thirds = self.entry(40, 0.5), self.entry(41, 1)
        self.add_row(cut, 40, 2, pin=(2, "0.75", "2.75"))
        self.add_row(cut, 40, -1.5, pin=(4, "0.5", "0"))
        for number in range(3):
            self.add_row(thirds, 41, 1 / 3, pin=(2 + number, "0", "0.3333"))
        self.add_row(self.entry(10, 4, project=2), 10, 4, pin=(2, "0", "4"), project=2)

    def add(self, into, **values):
        self.tx.execute(into.insert(), values)

    def entry(self, item, hours, *, project=1, exists=True):
        """An entry with its log; with `exists` false it is deleted."""
        public, elapsed = clock.new_id(), int(hours * HOUR)
        where = {"tenant_id": 1, "user_id": 1, "project_id": project, "work_item_id": item, "elapsed_ms": elapsed}
        when = {"happened_at": self.now, "received_at": self.now}
        self.add(LOG, **where, event="entered", entry_version=1, timer_id=public, **when)
        if exists:
            fixed = {"time_zone": "UTC", "source": "manual", "needs_review": False, "version": 1}
            span = {"started_at": self.now, "stopped_at": self.now}
            self.add(ENTRIES, **where, **fixed, **span, public_id=public, **self.stamps)
        return public

    def add_row(self, entry, item, hours, state="done", pin=None, *, project=1):
        """`pin` has the revision and the hours before and after."""
        revision, was, now = pin or (None, None, None)
        public = clock.new_id()
        self.add(
            OLD_ROWS,
            tenant_id=1,
            user_id=1,
            project_id=project,
            work_item_id=item,
            entry_id=entry,
            delta_ms=int(hours * HOUR),
            state=state,
            pinned_revision=revision,
            public_id=public,
            hours_before=None if was is None else Decimal(was),
            hours_after=None if now is None else Decimal(now),
            **self.stamps,
        )
        return public


class Migrated:
    """The migrated rows."""

    def __init__(self, engine, url, rows) -> None:
        self.engine, self.url, self.rows = engine, url, rows
        with engine.connect() as tx:
            self.items = {(row.organization_id, row.work_item_id): row for row in tx.execute(sa.select(*THEN))}
            self.changes = tx.execute(sa.select(CHANGES).order_by(CHANGES.c.id)).all()
            self.attempts = tx.execute(sa.select(write_back_attempts)).all()

    def pending(self, *items):
        open_ = [each for each in self.changes if each.batch is None and each.work_item_id in items]
        return {(each.entry_id, each.work_item_id): each.delta_ms for each in open_}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def migrated(request, tmp_path_factory):
    """A database of the previous version, migrated."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('before')}/before.db"
    else:
        url = postgres.make_database(request.getfixturevalue("postgres_server"), f"before_{clock.new_id().hex}")
    assert alembic(url, "upgrade", BEFORE).returncode == 0
    engine = make_engine(url, pool_size=1)
    with engine.begin() as tx:
        rows = Filled(tx)
    upgraded = alembic(url, "upgrade", AFTER)
    assert upgraded.returncode == 0, upgraded.stderr
    yield Migrated(engine, url, rows)
    engine.dispose()


def test_written_hours_are_settled(migrated):
    item = migrated.items[1, 10]

    assert (item.target_ms, item.written, item.migrated, item.short) == (2 * HOUR, 2, 2, 0)
    assert (item.state, item.settled_batch, item.last_batch) == ("done", 1, 1)
    assert item.public_id == uuid.uuid5(migrated.rows.public_id, "1/10")
    assert {each.batch for each in migrated.changes if each.work_item_id == 10} == {1}


def test_changes_while_the_write_back_was_off_are_pending(migrated):
    """The entry is shorter than the sum of its rows, deleted, or on another work item."""
    rows = migrated.rows

    assert migrated.pending(20, 21) == {
        (rows.shortened, 20): -1.5 * HOUR,
        (rows.gone, 20): -2 * HOUR,
        (rows.moved, 20): -1 * HOUR,
        (rows.moved, 21): HOUR,
    }
    shortened, moved = migrated.items[1, 20], migrated.items[1, 21]
    assert (shortened.target_ms, shortened.written, shortened.state) == (5 * HOUR, 5, "pending")
    assert (moved.target_ms, moved.written, moved.state) == (0, 0, "pending")


def test_an_open_attempt_keeps_its_mark(migrated):
    item = migrated.items[1, 30]
    [attempt] = [each for each in migrated.attempts if each.item_id == item.id]

    assert (attempt.number, attempt.batch, attempt.short_after) == (1, 0, 0)
    assert (attempt.legacy_mark, attempt.state, attempt.revision) == (migrated.rows.open, "open", 3)
    assert (attempt.hours_before, attempt.hours_after) == (Decimal("4.5"), Decimal("5.5"))
    assert (item.target_ms, item.written, item.last_attempt, item.state) == (HOUR, 1, 1, "pending")
    assert [each.batch for each in migrated.changes if each.work_item_id == 30] == [1, None, None]


def test_hours_cut_at_zero_are_short_and_thirds_are_not(migrated):
    """A write that was cut at 0 counted as a complete one."""
    cut, thirds = migrated.items[1, 40], migrated.items[1, 41]

    assert (cut.short, cut.state, cut.short_batch) == (1, "short", 1)
    assert (thirds.written, thirds.short, thirds.state) == (Decimal("0.9999"), 0, "done")


def test_short_hours_of_an_open_attempt_are_migrated_with_it(migrated):
    """Two hours subtracted from half an hour: the short hour and a half must not be subtracted from later hours."""
    [attempt] = [each for each in migrated.attempts if each.legacy_mark == migrated.rows.cut_open]

    assert (attempt.hours_before, attempt.hours_after, attempt.short_after) == (Decimal("0.5"), 0, Decimal("1.5"))


def test_equal_numbers_of_two_organizations_are_two_items(migrated):
    assert (migrated.items[1, 10].written, migrated.items[2, 10].written) == (2, 4)


def test_migrated_rows_satisfy_the_invariants(migrated):
    with migrated.engine.connect() as tx:
        violations = {name: tx.execute(query).all() for name, query in WRITE_BACK.items()}

    assert {name: rows for name, rows in violations.items() if rows} == {}


def test_the_migration_can_be_undone_once_no_attempt_is_open(migrated):
    refused = alembic(migrated.url, "downgrade", BEFORE)
    with migrated.engine.begin() as tx:
        tx.execute(write_back_attempts.update().values(state="lost"))
    done = alembic(migrated.url, "downgrade", BEFORE)
    with migrated.engine.connect() as tx:
        old = OLD_ROWS.c
        columns = (old.work_item_id, old.delta_ms, old.state, old.user_id, old.project_id)
        old_rows = tx.execute(sa.select(*columns).where(old.work_item_id == 30).order_by(old.id)).all()

    assert refused.returncode == 1
    assert "unknown outcome" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert old_rows == [(30, HOUR, "done", 1, 1), (30, HOUR, "pending", 1, 1), (30, HOUR, "pending", 1, 1)]
