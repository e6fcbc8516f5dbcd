import csv
import io
import json
import zipfile

import pytest

from privacy.catalog.columns import CATALOG
from privacy.export.writer import open_export
from tests.support.exports import export, validate
from tests.support.scan import find_columns
from tests.timers.write_back.write_backs import change


TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n")


def me(person):
    return person.get("me").body["id"]


def sections(answer):
    return {name: section["rows"] for name, section in answer.body["sections"].items()}


def parts(answer):
    with zipfile.ZipFile(io.BytesIO(answer.raw)) as archive:
        return {
            name: list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"), newline="")))
            for name in archive.namelist()
            if name.endswith(".csv")
        }


@pytest.fixture
def ben(world, clock):
    """An admin, and a member with one row of every kind."""
    ada = world.tenant()
    ben = world.member(ada)
    ben.start(7, note="=HYPERLINK(1)", key="k")
    clock.tick(minutes=30)
    ben.stop()
    ben.correct(ben.enter(note="+1 hour"), note="@two", reason="-3")
    ben.post("actions", {"type": "page.open", "page": "/reports/month"})
    ben.start(8)
    return ada, ben


def test_a_persons_export_has_all_their_data(ben, engine):
    ada, ben = ben
    answer = export(ben)
    found = sections(answer)
    held = {where.partition(".")[0] for where in find_columns(engine, ben.email, ben.oid)}

    assert answer.status == 200
    assert (answer.body["schema"], answer.body["version"]) == ("urn:timetracker:export", 4)
    assert {CATALOG[table].section for table in held} <= {name for name, rows in found.items() if rows}
    [account] = found["account"]
    assert (account["email"], account["displayName"], account["entraObjectId"]) == (ben.email, ben.name, ben.oid)
    assert [entry["note"] for entry in found["timeEntries"]] == ["=HYPERLINK(1)", "@two"]
    assert [row["event"] for row in found["timerLog"]] == ["started", "stopped", "entered", "corrected", "started"]
    assert [row["page"] for row in found["actions"]] == ["/reports/month"]
    assert [row["workItemId"] for row in found["runningTimer"]] == [8]
    assert found["organisation"] == [
        {"id": ada.get("tenant").body["id"], "name": "Contoso", "organization": "contoso"}
        | {"slug": ada.get("tenant").body["slug"]}
    ]
    assert ada.email.encode() not in answer.raw


def test_the_listed_fields_are_the_fields_of_the_rows(ben):
    _, ben = ben
    for section in export(ben).body["sections"].values():
        assert all(set(row) <= set(section["fields"]) for row in section["rows"])


def test_a_zip_has_the_same_data_and_no_formulas(ben):
    _, ben = ben
    whole, found = sections(export(ben)), parts(export(ben, format="zip"))
    cells = [cell for rows in found.values() for row in rows for cell in row.values()]

    assert {name.removesuffix(".csv"): len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in whole.items()
    } | {"audit": len(whole["audit"]) + 1}  # the first export
    assert [row["note"] for row in found["timeEntries.csv"]] == ["'=HYPERLINK(1)", "'@two"]
    assert not [cell for cell in cells if cell.startswith(TRIGGERS)]


def test_only_a_super_admin_can_export_a_member_or_the_organization(ben, world):
    ada, ben = ben
    chloe = world.member(ada)
    of_member, of_all = export(ada, user=me(ben)), export(ada, scope="tenant")

    assert sections(of_member)["account"][0]["email"] == ben.email
    assert {row["email"] for row in sections(of_all)["account"]} == {ada.email, ben.email, chloe.email}
    assert {"projects", "subscriptions", "billingRecords"} <= set(of_all.body["sections"])
    assert export(chloe, user=me(ben)).status == 404
    assert (export(chloe, scope="tenant").status, export(chloe, scope="tenant").code) == (403, "role_required")
    assert export(ada, user=me(world.tenant())).status == 404


def test_an_export_is_in_the_audit_log(ben):
    ada, ben = ben
    export(ada, user=me(ben), format="zip")
    [row] = [row for row in ada.get("audit").body["items"] if row["action"] == "data.exported"]

    assert (row["actorId"], row["subjectUserId"]) == (me(ada), me(ben))
    assert row["after"] == {"scope": "person", "format": "zip"}


def test_an_export_has_no_data_of_other_organizations(ben, world):
    ada, _ = ben
    stranger = world.tenant(name="Stranger Ltd")
    stranger.start(471, note="strange marker")
    stranger.stop()
    answer = export(ada, scope="tenant")

    assert b"strange marker" not in answer.raw
    assert b"Stranger" not in answer.raw


def test_a_client_that_accepts_gzip_gets_gzip(ben):
    _, ben = ben
    plain = ben.http.send("GET", "privacy/export", token=ben.token, headers={"Accept-Encoding": "identity"})
    packed = ben.http.send("GET", "privacy/export", token=ben.token, headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert validate(packed.body)["sections"]["account"] == validate(plain.body)["sections"]["account"]


def test_json_keeps_all_characters():
    rows = [{"note": text, "none": None} for text in ('"', "\\", "\u2028", "Änne 李明", "=1", "\N{GRINNING FACE}")]
    out = io.BytesIO()
    with open_export(out, {"scope": "person"}, as_zip=False) as written:
        written.add("notes", "notes", ["note"], rows)
        written.add("empty", "nothing", [], [])
    found = json.loads(out.getvalue())["sections"]

    assert found["notes"]["rows"] == [{"note": row["note"]} for row in rows]
    assert found["empty"]["rows"] == []


def test_write_back_changes_belong_to_the_person_also_for_deleted_entries(world):
    ada = world.tenant()
    change(ada, writeBack=True)
    ben, eve = world.member(ada), world.member(ada)
    kept, gone, other = ben.enter(), ben.enter(), eve.enter()
    ben.remove(gone)
    mine, everybodys = sections(export(ben)), sections(export(ada, scope="tenant"))
    ids = {each.body["id"] for each in (kept, gone, other)}

    assert {row["entryId"] for row in mine["writeBackChanges"]} == ids - {other.body["id"]}
    assert sorted(row["deltaMs"] for row in mine["writeBackChanges"]) == [-3_600_000, 3_600_000, 3_600_000]
    assert {row["organization"] for row in mine["writeBackChanges"]} == {"contoso"}
    assert {row["entryId"] for row in everybodys["writeBackChanges"]} == ids
