"""An erasure changes the person's data and mentions by identifiers that the person cannot choose."""

import re
import uuid

import pytest
import sqlalchemy as sa

from privacy.erasure import flow as erasure_flow
from shared.db.schema import organizations, tenants, users, work_items
from tests.support.connection_loss import on_postgresql
from tests.support.world import new_id
from tests.tenants.people.test_people import add


def erase(app, clock, person):
    person.post("privacy/erasure", {"confirm": person.email})
    clock.tick(days=3)
    assert erasure_flow.execute_due(app).changed == 1


def rename(person, name):
    renamed = person.patch("me", {"displayName": name})
    assert renamed.status in {200, 400}, renamed.raw
    return renamed.status == 200


@pytest.fixture
def ada(world):
    """A super admin with her own time and every kind of log row."""
    ada = world.tenant()
    ada.start(7, note="fix the bug in the timer")
    world.clock.tick(minutes=30)
    ada.stop()
    entry = ada.enter(note="manual check of 2026")
    ada.correct(entry, note="the id was wrong", reason="the user said so")
    return ada


def visible_rows(person):
    """The timer log, entries and audit rows that an admin sees."""
    return person.log(), person.entries(), person.get("audit", pageSize="200").body["items"]


def others(rows, erased):
    """Rows without those of the erased person, because their ids change."""
    return [row for row in rows if erased not in {row.get("userId"), row.get("actorId"), row.get("subjectUserId")}]


@pytest.mark.parametrize("name", ["2026", "manual", "the", "id", "user", "true", "note", "UTC", "contoso"])
def test_an_erasure_of_any_name_does_not_change_data_of_others(app, world, clock, ada, name):
    mal = world.member(ada)
    mals_id = mal.get("me").body["id"]
    rename(mal, name)
    log, entries, audit = visible_rows(ada)
    erase(app, clock, mal)
    shown = world.renew_token(ada).get("timer-log", pageSize="200")
    new_log, new_entries, new_audit = visible_rows(world.renew_token(ada))

    assert shown.status == 200
    assert new_log == log
    assert new_entries == entries
    assert [row for row in new_audit if row in audit] == others(audit, mals_id)


def test_a_colleagues_name_chosen_by_the_person_is_not_replaced(app, world, clock, ada):
    ben = world.member(ada, name="Ben Bitdiddle")
    mal = world.member(ada)
    rename(mal, "Ben Bitdiddle")
    add_note = ada.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z", note="with Ben Bitdiddle").body["id"]
    erase(app, clock, mal)
    ada = world.renew_token(ada)

    assert [each["note"] for each in ada.entries() if each["id"] == add_note] == ["with Ben Bitdiddle"]
    assert ben.name in {each["displayName"] for each in ada.get("users").body["items"]}


def add_note(person, note, day=19):
    """Adds an entry with a note; returns a function that reads the note again."""
    entry = person.enter(f"2026-11-{day}T09:00:00Z", f"2026-11-{day}T10:00:00Z", note=note).body["id"]

    def read(again):
        return again.get(f"entries/{entry}").body["note"]

    return read


@pytest.mark.parametrize(
    ("name", "note", "left"),
    [
        ("Grace Hopper", "with Grace  HOPPER, again", "with {}, again"),
        ("Grace Hopper", "with Grace alone, and Hopper", "with Grace alone, and Hopper"),
        ("Grace Hopper", "Grace Hoppers desk", "Grace Hoppers desk"),
        ("Grace", "with Grace on the phone", "with Grace on the phone"),
        ("id 2026", "see id 2026 again", "see id 2026 again"),  # a number does not count as a word
        ("Grace 2 Hopper", "with Grace 2 Hopper", "with {}"),
        ("José Pérez", "mit JOSÉ PÉREZ", "mit {}"),
        ("李 小龍", "和李 小龍。", "和李 小龍。"),  # not a separate word without a blank before it
        ("李 小龍", "和 李 小龍。", "和 {}。"),
        ("Иван Петров", "для ИВАН ПЕТРОВ", "для {}"),
        ("a.* b", "a.* b and axx b", "{} and axx b"),
        ("Li Wu", "Li Wu " * 66 + "Li W", "… " * 66 + "Li W"),  # too long for the column with pseudonyms
    ],
)
def test_only_a_whole_directory_name_of_two_words_is_replaced(app, world, clock, ada, name, note, left):  # noqa: PLR0917
    grace = world.member(ada, name=name)
    read = add_note(ada, note)
    erase(app, clock, grace)

    assert _without_pseudonyms(read(world.renew_token(ada))) == left


def _without_pseudonyms(text):
    return re.sub("erased-[0-9a-f]{12}", "{}", text)


def test_a_name_shared_with_a_colleague_is_not_replaced(app, world, clock, ada):
    twins = [world.member(ada, name="John Smith") for _ in range(2)]
    longer = world.member(ada, name="Mary Ann Jones")
    shorter = world.member(ada, name="Ann Jones")
    reads = [add_note(ada, each, day) for day, each in enumerate(("John Smith", longer.name), 11)]
    for each in (twins[0], shorter):
        erase(app, clock, world.renew_token(each))

    assert [read(world.renew_token(ada)) for read in reads] == ["John Smith", "Mary Ann Jones"]


def test_a_guests_name_is_not_replaced(app, world, clock, ada):
    guest = world.member(ada, name="Guest Of Honour", acct=1)
    read = add_note(ada, guest.name)
    erase(app, clock, guest)

    assert read(world.renew_token(ada)) == "Guest Of Honour"


def test_without_a_known_directory_name_no_name_is_replaced(app, world, clock, ada, engine):
    old, new = world.member(ada, name="John Smith"), world.member(ada, name="John Smith")
    with engine.begin() as tx:
        own = users.c.entra_object_id == uuid.UUID(old.oid)
        tx.execute(users.update().where(own).values(directory_name=None))
    read = add_note(ada, "with John Smith")
    erase(app, clock, new)

    assert read(world.renew_token(ada)) == "with John Smith"


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ("Ben Okafor Ada Lovelace", "with {} today"),
        ("ben  OKAFOR", "with Ben Okafor today"),  # can be the name in the directory
    ],
)
def test_a_self_chosen_name_of_a_guest_blocks_only_an_equal_name(  # noqa: PLR0917
    app, world, clock, ada, chosen, left
):
    ben, guest = world.member(ada, name="Ben Okafor"), world.member(ada, acct=1)
    assert rename(guest, chosen)
    read = add_note(ada, "with Ben Okafor today")
    erase(app, clock, ben)

    assert _without_pseudonyms(read(world.renew_token(ada))) == left


CHOSEN = "sales@bigcustomer.example"


def note_and_address_of_invitation(world, ada):
    """A colleague's note and the organization's address, both with the address of an invitation."""
    ada.patch("tenant", {"adminEmail": CHOSEN}, version=ada.get("tenant").body["version"])
    return add_note(world.member(ada, name="Chloe Park"), f"Call with {CHOSEN} about order 7")


def test_the_address_of_an_unused_invitation_is_not_replaced(app, world, clock, ada):
    read = note_and_address_of_invitation(world, ada)
    [invited] = add(ada, CHOSEN).body["results"]
    asked = ada.post("privacy/erasure", {"user": invited["user"]["id"], "confirm": CHOSEN})
    listed = ada.get(f"privacy/erasure/{asked.body['id']}/mentions")
    clock.tick(days=3)
    assert erasure_flow.execute_due(app).changed == 1
    ada = world.renew_token(ada)

    assert (asked.status, listed.body["items"]) == (201, [])
    assert read(ada) == f"Call with {CHOSEN} about order 7"
    assert ada.get("tenant").body["adminEmail"] == CHOSEN
    assert CHOSEN not in {each["email"] for each in ada.get("users").body["items"]}


def test_a_merged_invitation_adds_no_address_to_its_person(app, world, clock, ada):
    read = note_and_address_of_invitation(world, ada)
    [invited] = add(ada, CHOSEN).body["results"]
    ben = world.member(ada)
    own = add_note(ada, f"ask {ben.email}")
    merged = ada.post(f"users/{invited['user']['id']}/merge", {"into": ben.get("me").body["id"]})
    erase(app, clock, ben)
    ada = world.renew_token(ada)

    assert merged.status == 200
    assert read(ada) == f"Call with {CHOSEN} about order 7"
    assert ada.get("tenant").body["adminEmail"] == CHOSEN
    assert _without_pseudonyms(own(ada)) == "ask {}"


def test_after_a_sign_in_by_invitation_the_directorys_address_is_replaced(app, world, clock, ada):
    add(ada, "dana@contoso.example")
    dana = world.member(ada, email="Dana@contoso.example")
    ada.patch("tenant", {"adminEmail": dana.email}, version=ada.get("tenant").body["version"])
    read = add_note(ada, "ask dana@contoso.example")
    erase(app, clock, dana)
    ada = world.renew_token(ada)

    assert _without_pseudonyms(read(ada)) == "ask {}"
    assert "adminEmail" not in ada.get("tenant").body


def test_ids_and_addresses_are_replaced_except_addresses_of_colleagues(app, world, clock, ada):
    ben, grace = world.member(ada), world.member(ada)
    same = world.member(ada, email=ben.email)
    mark = grace.get("me").body["id"]
    reads = [
        add_note(ada, f"ask {grace.email.upper()}, not x{grace.email} or {grace.email}.example", 11),
        add_note(ada, f"{mark}/{grace.oid}", 12),
        add_note(ada, f"ask {ben.email}", 13),
    ]
    erase(app, clock, grace)
    erase(app, clock, world.renew_token(same))
    found = [_without_pseudonyms(read(world.renew_token(ada))) for read in reads]

    assert found == [f"ask {{}}, not x{grace.email} or {grace.email}.example", "{}/{}", f"ask {ben.email}"]


def test_only_cached_work_items_of_the_person_are_blanked(app, world, clock, ada, engine):
    ben, grace = world.member(ada, name="Ben Bitdiddle"), world.member(ada, name="Grace Hopper")
    mal = world.member(ada, name="Mal Reynolds")
    rename(mal, "Ben Bitdiddle")
    with engine.begin() as tx:
        tenant = tx.scalar(sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)))
        organization = tx.scalar(sa.select(organizations.c.id).where(organizations.c.tenant_id == tenant))
        shown = {"tenant_id": tenant, "organization_id": organization, "organization_key": "contoso", "type": "Bug"}
        shown |= {"state": "Active", "fetched_at": clock()}
        for number, (title, assignee) in enumerate(
            (("A", grace.name), ("Ask Grace Hopper", ben.name), ("B", ben.name), ("C", mal.name)), 501
        ):
            item = {"work_item_id": number, "title": title, "assignee_name": assignee}
            tx.execute(work_items.insert(), {**shown, **item})
    erase(app, clock, grace)
    erase(app, clock, world.renew_token(mal))
    with engine.connect() as tx:
        columns = (work_items.c.type, work_items.c.title, work_items.c.assignee_name, work_items.c.state)
        of_tenant = work_items.c.tenant_id == tenant
        left = tx.execute(sa.select(*columns).where(of_tenant).order_by(work_items.c.work_item_id)).all()

    assert [tuple(row) for row in left] == [
        ("Bug", "", None, ""),
        ("Bug", "", None, ""),
        ("Bug", "B", "Ben Bitdiddle", "Active"),
        ("Bug", "", None, ""),
    ]


def test_the_organizations_address_is_removed_only_with_its_own_person(app, world, clock, ada):
    mal = world.member(ada, email=ada.email)  # an address claim can have the same address
    before = ada.get("tenant").body.get("adminEmail")
    erase(app, clock, mal)

    assert world.renew_token(ada).get("tenant").body.get("adminEmail") == before == ada.email


@on_postgresql
def test_a_note_changed_during_the_erasure_is_not_overwritten(app, world, clock, ada):
    """The author corrects the note between its reading and its redaction; the newest text stays."""
    grace = world.member(ada, name="Grace Hopper")
    entry = ada.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z", note="with Grace Hopper")
    begun: list[str] = []
    done: list[int] = []

    def correct(_connection, _cursor, statement, *_more):
        if statement.startswith("UPDATE time_entries SET note") and "time_entries.id =" in statement and not begun:
            begun.append(statement)
            done.append(world.renew_token(ada).correct(entry, note="alone").status)

    sa.event.listen(app.engine, "before_cursor_execute", correct)
    try:
        erase(app, clock, grace)
    finally:
        sa.event.remove(app.engine, "before_cursor_execute", correct)

    assert done == [200]
    assert world.renew_token(ada).get(f"entries/{entry.body['id']}").body["note"] == "alone"


def test_a_personal_export_has_work_items_by_tracked_time_and_not_by_name(world, ada, clock, engine):
    mal = world.member(ada)
    rename(mal, "Ada Lovelace")
    with engine.begin() as tx:
        tenant = tx.scalar(sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)))
        organization = tx.scalar(sa.select(organizations.c.id).where(organizations.c.tenant_id == tenant))
        for number, assignee in ((7, "Somebody Else"), (501, "Ada Lovelace")):
            item = {"tenant_id": tenant, "organization_id": organization, "organization_key": "contoso"}
            item |= {"type": "Bug", "title": "T", "state": "Active", "fetched_at": clock()}
            tx.execute(work_items.insert(), {**item, "work_item_id": number, "assignee_name": assignee})
    of_ada, of_mal = (each.get("privacy/export").body["sections"]["workItems"]["rows"] for each in (ada, mal))

    assert [row["workItemId"] for row in of_ada] == [7]
    assert of_mal == []


def test_an_erasure_removes_the_directory_name(app, world, clock, ada, engine):
    grace = world.member(ada, name=f"Grace {new_id()}")
    own = sa.select(users.c.directory_name).where(users.c.display_name == grace.name)
    with engine.connect() as tx:
        before = tx.scalar(own)
    erase(app, clock, grace)
    with engine.connect() as tx:
        after = tx.scalars(sa.select(users.c.directory_name).where(users.c.directory_name == grace.name)).all()

    assert (before, after) == (grace.name, [])
