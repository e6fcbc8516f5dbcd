"""Operators carry rights out for people who cannot: with the database's clock, and on record."""

import datetime as dt
import json
import os
import subprocess
import sys
import uuid
import zipfile

import pytest
import sqlalchemy as sa

from shared import clock
from shared.db.engine import make_engine
from shared.db.schema import audit_log, damaged_documents, tenants, timer_log, users, work_items
from tests.ops.conftest import ROOT
from tests.reports.test_summary_report import know
from tests.support.exports import checked
from tests.support.scan import places
from tests.support.tamper import unchangeable
from tests.support.tracked import BEGAN, Ground, Worked
from tests.timers.test_work_items import refresh


@pytest.fixture
def ben(world, admin):
    return world.member(admin)


def privacy(reads, *arguments):
    return reads("privacy", *arguments)


def ask(reads, person, *more):
    done = privacy(reads, "erase", person.tid, "--user", person.email, "--yes", "--json", *more)
    assert done.code == 0, done.err
    return done.json


def actions(engine, slug):
    query = sa.select(audit_log.c.action, audit_log.c.actor_kind).join(tenants, tenants.c.id == audit_log.c.tenant_id)
    with engine.connect() as tx:
        rows = tx.execute(query.where(tenants.c.slug == slug).order_by(audit_log.c.id)).all()
    return [row.action for row in rows if row.actor_kind == "operator"]


def test_a_request_is_put_down_verified_and_carried_out(reads, ben, slug, engine):
    asked = ask(reads, ben)
    waiting = privacy(reads, "run", "--json")
    verified = privacy(reads, "verify", asked["id"], "--yes", "--json")
    dry = privacy(reads, "run", "--dry-run")
    done = privacy(reads, "run", "--json")
    listed = [row for row in privacy(reads, "requests", "--all", "--json").json if row["id"] == asked["id"]]

    assert (asked["state"], asked["channel"]) == ("requested", "operator")
    assert waiting.json == {"done": 0}
    assert verified.json["state"] == "scheduled"
    assert "nothing was changed" in dry.err
    assert done.json == {"done": 1}
    assert [row["state"] for row in listed] == ["done"]
    assert places(engine, ben.email, ben.oid) == set()
    assert actions(engine, slug) == ["erasure.requested", "erasure.verified"]


def test_a_hold_has_it_wait_with_its_reason_and_a_release_goes_on(reads, ben):
    asked = ask(reads, ben, "--verified")
    held = privacy(reads, "hold", asked["id"], "--reason", "legalClaim", "--yes", "--json")
    waiting = privacy(reads, "run", "--json")
    told = ben.get("privacy").body["erasure"]
    released = privacy(reads, "release", asked["id"], "--yes", "--json")
    done = privacy(reads, "run", "--json")

    assert (held.json["state"], held.json["holdReason"]) == ("onHold", "legalClaim")
    assert waiting.json == {"done": 0}
    assert (told["state"], told["holdDetail"][:22]) == ("onHold", "The data is needed to ")
    assert released.json["state"] == "scheduled"
    assert done.json == {"done": 1}


def test_a_tenant_under_a_legal_hold_loses_nothing(reads, ben, slug, engine):
    before = ask(reads, ben, "--verified")
    privacy(reads, "hold", slug, "--reason", "authorityOrder", "--yes")
    waiting = privacy(reads, "run", "--json")
    chloe = ben
    privacy(reads, "withdraw", before["id"], "--yes")
    after = ask(reads, chloe, "--verified")
    lifted = privacy(reads, "release", slug, "--yes")
    done = privacy(reads, "run", "--json")

    assert waiting.json == {"done": 0}
    assert (after["state"], after["holdReason"]) == ("onHold", "organisationHeld")
    assert lifted.code == 0
    assert done.json == {"done": 1}
    assert {"legal_hold.set", "legal_hold.lifted"} <= set(actions(engine, slug))


def test_a_hold_that_is_not_an_operators_to_set_is_refused(reads, slug):
    refused = privacy(reads, "hold", slug, "--reason", "unbilledTime", "--yes")

    assert refused.code == 2
    assert "legalClaim" in refused.told


def test_without_a_yes_and_a_terminal_nothing_is_done(ops, ben, slug, engine):
    refused = ops("privacy", "erase", ben.tid, "--user", ben.email)

    assert refused.code == 2
    assert "--yes" in refused.told
    assert actions(engine, slug) == []


@pytest.mark.parametrize(
    "command",
    [("erase",), ("erase", "--user", "{}"), ("export", "--out", "all.zip"), ("nominee", "{}")],
)
def test_what_cannot_be_undone_wants_the_tenants_id(reads, ben, slug, engine, command):
    """An old ticket names a tenant by the slug that it had then."""
    name, *more = (part.format(ben.email) for part in command)
    refused = privacy(reads, name, slug, *more, *(() if name == "export" else ("--yes",)))

    assert refused.code == 2
    assert "name the tenant by its id" in refused.told
    assert actions(engine, slug) == []


def test_a_slug_that_reads_as_the_id_of_another_tenant_does_not_take_its_place(reads, world, engine):
    ada, mallory = world.tenant(), world.tenant()
    with engine.begin() as tx:
        wanted = tenants.c.entra_tenant_id == uuid.UUID(mallory.tid)
        tx.execute(tenants.update().where(wanted).values(slug=ada.tid))
    shown = reads("tenants", "show", ada.tid, "--json").json

    assert shown["directoryId"] == ada.tid


def test_a_nominee_is_read_on_record(reads, ben, slug, engine):
    nobody = privacy(reads, "nominee", ben.tid, ben.email, "--yes")
    ben.http.send("PUT", "privacy/nominee", {"name": "Cy", "contact": "cy@example.com"}, token=ben.token)
    named = privacy(reads, "nominee", ben.tid, ben.email, "--yes", "--json")

    assert (nobody.code, nobody.told) == (1, "ops: this person has named nobody")
    assert (named.json["name"], named.json["contact"]) == ("Cy", "cy@example.com")
    assert actions(engine, slug) == ["nominee.read", "nominee.read"]


def test_what_an_erasure_of_an_earlier_version_damaged_is_listed(reads, ben, slug, engine):
    entry = ben.enter().body["id"]
    with engine.begin() as tx:
        logged = sa.select(timer_log.c.id, timer_log.c.tenant_id).where(timer_log.c.timer_id == uuid.UUID(entry))
        row = tx.execute(logged).one()
        listed = {"tenant_id": row.tenant_id, "table_name": "timer_log", "row_id": row.id, "found_at": BEGAN}
        tx.execute(damaged_documents.insert(), listed)
    shown = privacy(reads, "damaged", "--json")

    assert [each for each in shown.json if each["tenant"] == slug] == [
        {"tenant": slug, "log": "timer_log", "row": f"{entry} entered 1"}
    ]


@pytest.fixture
def known(ben, admin, engine):
    """A work item that a colleague has time on, and whose title was read a month ago."""
    ben.enter(workItemId=7)
    know(engine, admin, 7, title="Ask nobody")
    return engine


def test_an_operators_export_of_a_tenant_has_titles_that_nobody_can_read_any_more_and_says_so_on_record(
    reads, ben, slug, known, tmp_path
):
    privacy(reads, "export", ben.tid, "--format", "json", "--out", str(tmp_path / "all.json"))
    privacy(reads, "export", ben.tid, "--user", ben.email, "--format", "json", "--out", str(tmp_path / "ben.json"))
    found = {
        name: checked(json.loads((tmp_path / f"{name}.json").read_text()))["sections"]["workItems"]["rows"]
        for name in ("all", "ben")
    }
    query = sa.select(audit_log.c.after_change).join(tenants, tenants.c.id == audit_log.c.tenant_id)
    with known.connect() as tx:
        on_record = tx.scalars(query.where(tenants.c.slug == slug, audit_log.c.action == "data.exported")).all()

    assert [(row["workItemId"], row.get("title")) for row in found["all"]] == [(7, "Ask nobody")]
    assert [(row["workItemId"], row.get("title")) for row in found["ben"]] == [(7, None)]
    assert on_record == [
        {"scope": "tenant", "format": "json", "titles": "all"},
        {"scope": "person", "format": "json"},
    ]


def test_an_export_goes_to_a_file_and_on_record(reads, ben, slug, engine, tmp_path):
    done = privacy(reads, "export", ben.tid, "--user", ben.email, "--out", str(tmp_path / "ben.zip"))
    twice = privacy(reads, "export", ben.tid, "--user", ben.email, "--out", str(tmp_path / "ben.zip"))
    whole = privacy(reads, "export", ben.tid, "--format", "json", "--out", str(tmp_path / "all.json"))

    assert (done.code, twice.code, whole.code) == (0, 2, 0)
    assert "account.csv" in zipfile.ZipFile(tmp_path / "ben.zip").namelist()
    assert len(checked(json.loads((tmp_path / "all.json").read_text()))["sections"]["account"]["rows"]) == 2
    assert actions(engine, slug) == ["data.exported", "data.exported"]


def test_retention_is_shown_with_what_is_over_and_a_dry_run_removes_nothing(reads, admin, engine):
    admin.start(7, key="young")
    dry = privacy(reads, "retention", "--dry-run", "--json")
    shown = privacy(reads, "retention", "--dry-run")

    assert [row["period"] for row in dry.json if row["class"].startswith("bills")] == [
        "seven years after the month was closed"
    ]
    assert "nothing was removed" in shown.err
    assert "idempotency_keys.idempotency_key" in places(engine, "young")


def test_a_class_that_fails_keeps_nothing_else_from_its_turn_and_the_command_says_why(
    reads, admin, world, engine, azure_devops
):
    world.clock.at = clock.now() - dt.timedelta(days=60)
    first, second = world.again(admin), world.tenant()
    refresh(first, [42], azure_devops.token())
    for person in (first, second):
        person.start(7, key="over")
    slug = first.get("tenant").body["slug"]
    with unchangeable(engine, work_items, "id > 0"):
        done = privacy(reads, "retention")
        shown = privacy(reads, "retention", "--json")
    again = privacy(reads, "retention")

    assert (done.code, shown.code, again.code) == (1, 1, 0)
    assert f"{slug}: titles: stuck" in done.err.replace("\n", " ")
    assert "idempotency_keys.idempotency_key" not in places(engine, "over")
    assert isinstance(shown.json, list)


def test_whoever_is_erased_is_erased_again_after_a_restore(reads, ben, engine, tmp_path):
    ben_id = ben.get("me").body["id"]
    ask(reads, ben, "--verified")
    privacy(reads, "run")
    listed = privacy(reads, "erased", "--json")
    (tmp_path / "erased.json").write_text(listed.out)
    with engine.begin() as tx:  # what a restore brings back
        row = tx.execute(sa.select(users).where(users.c.erased_at.is_not(None)).order_by(users.c.id.desc())).first()
        back = {"public_id": uuid.UUID(ben_id), "email": ben.email, "erased_at": None}
        tx.execute(users.update().where(users.c.id == row.id).values(**back, entra_object_id=uuid.UUID(ben.oid)))
    again = privacy(reads, "reapply", str(tmp_path / "erased.json"), "--yes")
    twice = privacy(reads, "reapply", str(tmp_path / "erased.json"), "--yes")

    assert ben.email not in listed.out
    assert again.code == 0, again.err
    assert "1 were back and are erased" in again.err
    assert "0 were back" in twice.err
    assert places(engine, ben.email) == set()


@pytest.mark.parametrize("arguments", [("verify", "x"), ("withdraw", "x"), ("hold", "x", "--reason", "legalClaim")])
def test_what_is_not_there_is_told(reads, arguments):
    done = privacy(reads, *arguments, "--yes")

    assert done.code == 2
    assert "see: python -m ops" in done.told


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file_format", ["zip", "json"])
def test_a_hundred_thousand_entries_are_exported_in_flat_memory(many_entries, file_format, tmp_path):
    url, few, many = many_entries
    peaks, sizes = [], []
    for number, (tenant, address) in enumerate((few, many)):
        out = tmp_path / str(number)
        command = [sys.executable, "-m", "ops", "privacy", "export", str(tenant), "--user", address]
        process = subprocess.Popen(
            [*command, "--out", str(out), "--format", file_format],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
        sizes.append(out.stat().st_size)

    assert sizes[1] > 20 * sizes[0]
    assert peaks[1] < peaks[0] * 1.15, peaks  # KiB


@pytest.fixture(scope="module")
def many_entries(another_database):
    """A database of its own, with somebody who has 100 entries and somebody who has 100,000."""
    url = another_database("many")
    engine = make_engine(url)
    people = []
    for batches in (1, 1000):
        ground = None
        for number in range(batches):
            with engine.begin() as tx:
                if ground is None:
                    ground = Ground(tx, people=1, projects_=1, items=2, zone="UTC")
                    address = f"p0-{batches}@contoso.example"
                    tx.execute(users.update().where(users.c.tenant_id == ground.tenant_id).values(email=address))
                    tenant = tx.scalar(sa.select(tenants.c.public_id).where(tenants.c.id == ground.tenant_id))
                ground.tx = tx
                ground.track(Worked(0, 0, 0, BEGAN, 60_000) for _ in range(100))
            if number == 0 and engine.dialect.name == "postgresql":
                with engine.begin() as tx:
                    tx.exec_driver_sql("ANALYZE")
        people.append((tenant, address))
    engine.dispose()
    return (url, *people)
