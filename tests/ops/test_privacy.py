"""Operators exercise privacy rights on behalf of people: by the real clock, and audited."""

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
from tests.reports.test_summary_report import know
from tests.support.commands import ROOT
from tests.support.exports import validate
from tests.support.record_protection import failing_updates
from tests.support.scan import find_columns
from tests.support.time_rows import CREATED_AT, TimeTenant, WorkSpan
from tests.timers.work_items.test_work_items import refresh


@pytest.fixture
def ben(world, admin):
    return world.member(admin)


def ask(ops, person, *more):
    done = ops("privacy", "erase", person.tid, "--user", person.email, "--yes", "--json", *more)
    assert done.code == 0, done.err
    return done.json


def actions(engine, slug):
    query = sa.select(audit_log.c.action, audit_log.c.actor_kind).join(tenants, tenants.c.id == audit_log.c.tenant_id)
    with engine.connect() as tx:
        rows = tx.execute(query.where(tenants.c.slug == slug).order_by(audit_log.c.id)).all()
    return [row.action for row in rows if row.actor_kind == "operator"]


def test_a_request_is_registered_verified_and_carried_out(ops, ben, slug, engine):
    asked = ask(ops, ben)
    waiting = ops("privacy", "run", "--json")
    verified = ops("privacy", "verify", asked["id"], "--yes", "--json")
    dry = ops("privacy", "run", "--dry-run")
    done = ops("privacy", "run", "--json")
    listed = [row for row in ops("privacy", "requests", "--all", "--json").json if row["id"] == asked["id"]]

    assert (asked["state"], asked["channel"]) == ("requested", "operator")
    assert waiting.json == {"done": 0}
    assert verified.json["state"] == "scheduled"
    assert "nothing was changed" in dry.err
    assert done.json == {"done": 1}
    assert [row["state"] for row in listed] == ["done"]
    assert find_columns(engine, ben.email, ben.oid) == set()
    assert actions(engine, slug) == ["erasure.requested", "erasure.verified"]


def test_a_legal_hold_delays_a_request_with_its_reason_until_its_release(ops, ben):
    asked = ask(ops, ben, "--verified")
    held = ops("privacy", "hold", asked["id"], "--reason", "legalClaim", "--yes", "--json")
    waiting = ops("privacy", "run", "--json")
    erasure = ben.get("privacy").body["erasure"]
    released = ops("privacy", "release", asked["id"], "--yes", "--json")
    done = ops("privacy", "run", "--json")

    assert (held.json["state"], held.json["holdReason"]) == ("onHold", "legalClaim")
    assert waiting.json == {"done": 0}
    assert (erasure["state"], erasure["holdDetail"][:22]) == ("onHold", "The data is needed to ")
    assert released.json["state"] == "scheduled"
    assert done.json == {"done": 1}


def test_nothing_of_a_tenant_under_a_legal_hold_is_erased(ops, ben, slug, engine):
    before = ask(ops, ben, "--verified")
    ops("privacy", "hold", slug, "--reason", "authorityOrder", "--yes")
    waiting = ops("privacy", "run", "--json")
    chloe = ben
    ops("privacy", "withdraw", before["id"], "--yes")
    after = ask(ops, chloe, "--verified")
    lifted = ops("privacy", "release", slug, "--yes")
    done = ops("privacy", "run", "--json")

    assert waiting.json == {"done": 0}
    assert (after["state"], after["holdReason"]) == ("onHold", "organisationHeld")
    assert lifted.code == 0
    assert done.json == {"done": 1}
    assert {"legal_hold.set", "legal_hold.lifted"} <= set(actions(engine, slug))


def test_an_operator_can_only_place_legal_holds(ops, slug):
    refused = ops("privacy", "hold", slug, "--reason", "unbilledTime", "--yes")

    assert refused.code == 2
    assert "legalClaim" in refused.message


def test_nothing_is_erased_without_a_terminal_or_yes(ops, ben, slug, engine):
    refused = ops("privacy", "erase", ben.tid, "--user", ben.email)

    assert refused.code == 2
    assert "--yes" in refused.message
    assert actions(engine, slug) == []


@pytest.mark.parametrize(
    "command",
    [("erase",), ("erase", "--user", "{}"), ("export", "--out", "all.zip"), ("nominee", "{}")],
)
def test_irreversible_commands_need_the_tenants_id(ops, ben, slug, engine, command):
    """An old ticket may name a tenant by a former slug."""
    name, *more = (part.format(ben.email) for part in command)
    refused = ops("privacy", name, slug, *more, *(() if name == "export" else ("--yes",)))

    assert refused.code == 2
    assert "it takes the id or the directory id of the tenant" in refused.message
    assert actions(engine, slug) == []


def test_a_slug_that_looks_like_another_tenants_id_does_not_replace_it(ops, world, engine):
    ada, mallory = world.tenant(), world.tenant()
    with engine.begin() as tx:
        wanted = tenants.c.entra_tenant_id == uuid.UUID(mallory.tid)
        tx.execute(tenants.update().where(wanted).values(slug=ada.tid))
    shown = ops("tenants", "show", ada.tid, "--json").json

    assert shown["directoryId"] == ada.tid


def test_reading_a_nominee_is_audited(ops, ben, slug, engine):
    nobody = ops("privacy", "nominee", ben.tid, ben.email, "--yes")
    ben.http.send("PUT", "privacy/nominee", {"name": "Cy", "contact": "cy@example.com"}, token=ben.token)
    named = ops("privacy", "nominee", ben.tid, ben.email, "--yes", "--json")

    assert (nobody.code, nobody.message) == (3, "ops: this person has no nominee")
    assert (named.json["name"], named.json["contact"]) == ("Cy", "cy@example.com")
    assert actions(engine, slug) == ["nominee.read", "nominee.read"]


def test_rows_damaged_by_an_earlier_version_are_listed(ops, ben, slug, engine):
    entry = ben.enter().body["id"]
    with engine.begin() as tx:
        logged = sa.select(timer_log.c.id, timer_log.c.tenant_id).where(timer_log.c.timer_id == uuid.UUID(entry))
        row = tx.execute(logged).one()
        listed = {"tenant_id": row.tenant_id, "table_name": "timer_log", "row_id": row.id, "found_at": CREATED_AT}
        tx.execute(damaged_documents.insert(), listed)
    shown = ops("privacy", "list-damaged", "--json")

    assert [each for each in shown.json if each["tenant"] == slug] == [
        {"tenant": slug, "log": "timer_log", "row": f"{entry} entered 1"}
    ]


@pytest.fixture
def known(ben, admin, engine):
    """A work item with a colleague's time and a title that was read a month ago."""
    ben.enter(workItemId=7)
    know(engine, admin, 7, title="Ask nobody")
    return engine


def test_an_operators_export_of_a_tenant_has_all_titles_and_is_audited(ops, ben, slug, known, tmp_path):
    ops("privacy", "export", ben.tid, "--format", "json", "--out", str(tmp_path / "all.json"))
    ops("privacy", "export", ben.tid, "--user", ben.email, "--format", "json", "--out", str(tmp_path / "ben.json"))
    found = {
        name: validate(json.loads((tmp_path / f"{name}.json").read_text()))["sections"]["workItems"]["rows"]
        for name in ("all", "ben")
    }
    query = sa.select(audit_log.c.after_change).join(tenants, tenants.c.id == audit_log.c.tenant_id)
    query = query.order_by(audit_log.c.id)
    with known.connect() as tx:
        on_record = tx.scalars(query.where(tenants.c.slug == slug, audit_log.c.action == "data.exported")).all()

    assert [(row["workItemId"], row.get("title")) for row in found["all"]] == [(7, "Ask nobody")]
    assert [(row["workItemId"], row.get("title")) for row in found["ben"]] == [(7, None)]
    assert on_record == [
        {"scope": "tenant", "format": "json", "titles": "all"},
        {"scope": "person", "format": "json"},
    ]


def test_an_export_is_written_to_a_file_and_audited(ops, ben, slug, engine, tmp_path):
    done = ops("privacy", "export", ben.tid, "--user", ben.email, "--out", str(tmp_path / "ben.zip"))
    twice = ops("privacy", "export", ben.tid, "--user", ben.email, "--out", str(tmp_path / "ben.zip"))
    whole = ops("privacy", "export", ben.tid, "--format", "json", "--out", str(tmp_path / "all.json"))

    assert (done.code, twice.code, whole.code) == (0, 2, 0)
    assert "account.csv" in zipfile.ZipFile(tmp_path / "ben.zip").namelist()
    assert len(validate(json.loads((tmp_path / "all.json").read_text()))["sections"]["account"]["rows"]) == 2
    assert actions(engine, slug) == ["data.exported", "data.exported"]


def test_retention_is_shown_with_counts_and_a_dry_run_deletes_nothing(ops, admin, engine):
    admin.start(7, key="young")
    dry = ops("privacy", "retention", "--dry-run", "--json")
    shown = ops("privacy", "retention", "--dry-run")

    assert [row["period"] for row in dry.json if row["class"].startswith("bills")] == [
        "seven years after the close of the month"
    ]
    assert "nothing was deleted" in shown.err
    assert "idempotency_keys.idempotency_key" in find_columns(engine, "young")


def test_a_failed_class_does_not_stop_the_others_and_is_reported(ops, admin, world, engine, azure_devops):
    world.clock.at = clock.now() - dt.timedelta(days=60)
    first, second = world.renew_token(admin), world.tenant()
    refresh(first, [42], azure_devops.token())
    for person in (first, second):
        person.start(7, key="over")
    slug = first.get("tenant").body["slug"]
    with failing_updates(engine, work_items, "id > 0"):
        done = ops("privacy", "retention")
        shown = ops("privacy", "retention", "--json")
    again = ops("privacy", "retention")

    assert (done.code, shown.code, again.code) == (1, 1, 0)
    assert f"{slug}: titles: stuck" in done.err.replace("\n", " ")
    assert "idempotency_keys.idempotency_key" not in find_columns(engine, "over")
    assert isinstance(shown.json, list)


def test_an_erased_person_is_erased_again_after_a_restore(ops, ben, engine, tmp_path):
    ben_id = ben.get("me").body["id"]
    ask(ops, ben, "--verified")
    ops("privacy", "run")
    listed = ops("privacy", "list-erased", "--json")
    (tmp_path / "erased.json").write_text(listed.out)
    with engine.begin() as tx:  # as after a restore
        row = tx.execute(sa.select(users).where(users.c.erased_at.is_not(None)).order_by(users.c.id.desc())).first()
        back = {"public_id": uuid.UUID(ben_id), "email": ben.email, "erased_at": None}
        tx.execute(users.update().where(users.c.id == row.id).values(**back, entra_object_id=uuid.UUID(ben.oid)))
    again = ops("privacy", "erase-again", str(tmp_path / "erased.json"), "--yes")
    twice = ops("privacy", "erase-again", str(tmp_path / "erased.json"), "--yes")

    assert ben.email not in listed.out
    assert again.code == 0, again.err
    assert "1 erased again" in again.err
    assert "0 erased again" in twice.err
    assert find_columns(engine, ben.email) == set()


@pytest.mark.parametrize("arguments", [("verify", "x"), ("withdraw", "x"), ("hold", "x", "--reason", "legalClaim")])
def test_an_unknown_request_has_exit_code_3(ops, arguments):
    done = ops("privacy", *arguments, "--yes")

    assert done.code == 3
    assert "see: ops " in done.message


@pytest.fixture(scope="module")
def two_people(another_database):
    """A separate database with two people, with 2,000 and 20,000 entries."""
    url = another_database("many")
    engine = make_engine(url)
    people = []
    for entries in (2_000, 20_000):
        with engine.begin() as tx:
            time_tenant = TimeTenant(tx, people=1, projects_=1, items=2, zone="UTC")
            time_tenant.add_time(WorkSpan(0, 0, 0, CREATED_AT, 60_000) for _ in range(entries))
            tenant = tx.scalar(sa.select(tenants.c.public_id).where(tenants.c.id == time_tenant.tenant_id))
        people.append(str(tenant))
    if engine.dialect.name == "postgresql":
        with engine.begin() as tx:
            tx.exec_driver_sql("ANALYZE")
    engine.dispose()
    return (url, *people)


# The process reports its own peak: the parent's figure includes the memory before the fork.
AND_THE_PEAK = """
import sys
from ops.__main__ import main
code = main(sys.argv[1:])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
sys.exit(code)
"""


def test_an_export_is_written_in_parts_and_never_in_memory_as_a_whole(two_people, tmp_path):
    """SQLite caches up to 16 MB of its file. Rows take 30 MB; the buffers of PostgreSQL's driver, 9 MB."""
    url, *people = two_people
    file_format = "json" if url.startswith("sqlite") else "zip"
    peaks, sizes = [], []
    for tenant in people:
        out = tmp_path / tenant
        command = ("privacy", "export", tenant, "--user", "p0@contoso.example", "--out", str(out))
        run = subprocess.run(
            [sys.executable, "-c", AND_THE_PEAK, *command, "--format", file_format],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            stdout=subprocess.PIPE,
            check=True,
        )
        peaks.append(int(run.stdout))
        sizes.append(out.stat().st_size)

    assert sizes[1] > 5 * sizes[0]
    assert peaks[1] - peaks[0] < (4 if url.startswith("postgresql") else 16) * 1024, peaks  # KiB
