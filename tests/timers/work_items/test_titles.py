"""Title, assignee and state are shown to people whose own token has read them in the last 30 days."""

import io
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import openpyxl
import pytest
import sqlalchemy as sa

from shared.db.schema import organizations, users, work_item_readers
from tests.support.world import START
from tests.timers.work_items.test_work_items import HEADER, look, refresh
from timers.work_items import reader_store


SECRET = 66  # in a project that is hidden from Gus
TITLE = "Invoices nobody has to ask about"
BUG = 42
SPAN = {"from": "2026-11-01", "to": "2026-12-31", "groupBy": "workItem"}


def report(person, token=None, **params):
    headers = {} if token is None else {HEADER: token}
    return person.http.send("GET", "reports/summary", token=person.token, params={**SPAN, **params}, headers=headers)


def item(answer, number=SECRET):
    [item] = [row["workItem"] for row in answer.body["rows"] if row["workItem"]["id"] == number]
    return item


def titles_in(answer):
    """The title and the assignee's name, if they are in a response of any format."""
    if answer.raw.startswith(b"PK"):
        text = "\n".join(
            str(cell.value) for sheet in openpyxl.load_workbook(io.BytesIO(answer.raw)) for row in sheet for cell in row
        )
    else:
        text = answer.raw.decode()
    return {each for each in (TITLE, "Ada Lovelace") if each in text}


def read_on(engine, person, number=SECRET):
    with engine.connect() as tx:
        of = sa.select(work_item_readers.c.read_on).join(users, users.c.id == work_item_readers.c.user_id)
        this = (users.c.entra_object_id == uuid.UUID(person.oid),)
        return tx.scalars(of.where(*this, work_item_readers.c.work_item_id == number)).all()


@pytest.fixture
def ada(world, azure_devops):
    """The super admin, who has read item 66."""
    ada = world.tenant()
    refresh(ada, [SECRET, BUG], azure_devops.token())
    return ada


@pytest.fixture
def gus(world, ada):
    """A colleague with a timer on item 66, whose project Azure DevOps hides from them."""
    gus = world.member(ada)
    gus.enter(workItemId=SECRET)
    return gus


@pytest.fixture
def of_gus(azure_devops):
    return azure_devops.token("gus", hidden=["Billing"])


def test_a_timer_on_a_work_item_does_not_show_its_title(gus, of_gus):
    gus.start(SECRET)

    assert [look(gus, SECRET).status, look(gus, SECRET, of_gus).code] == [404, "work_item_not_found"]


@pytest.mark.parametrize("form", ["json", "csv", "xlsx"])
@pytest.mark.parametrize("asks", [False, True])
def test_no_report_format_shows_a_title_that_azure_devops_hides(gus, of_gus, form, asks):
    answer = report(gus, of_gus if asks else None, format=form)

    assert answer.status == 200
    assert titles_in(answer) == set()


@pytest.mark.usefixtures("gus")
def test_an_admin_sees_only_titles_that_they_have_read_themselves(world, ada):
    boss = world.member(ada)
    [account] = [each for each in ada.get("users").body["items"] if each["email"] == boss.email]
    ada.patch(f"users/{account['id']}", {"role": "admin"}, version=account["version"])

    assert item(report(boss)) == {"organization": "contoso", "id": SECRET, "type": "Epic", "titleStatus": "notAsked"}
    assert look(boss, SECRET).status == 404
    assert item(report(ada))["title"] == TITLE


@pytest.mark.usefixtures("gus")
def test_a_refusal_for_the_own_token_overrides_the_cache_and_is_stored(engine, ada, azure_devops, clock):
    before = item(report(ada))
    refused = azure_devops.token(hidden=["Billing"])
    clock.tick(days=2)
    with_token = item(report(ada, refused))
    without = look(ada, SECRET)

    assert (before["titleStatus"], before["title"]) == ("shown", TITLE)
    assert with_token == {"organization": "contoso", "id": SECRET, "type": "Epic", "titleStatus": "hidden"}
    assert (without.status, read_on(engine, ada), len(read_on(engine, ada, BUG))) == (404, [], 1)


def test_a_reading_is_valid_for_thirty_calendar_days(world, clock, ada):
    clock.set("2026-12-23T23:59:59+00:00")
    last_day = look(world.renew_token(ada), SECRET)
    clock.tick(seconds=1)
    after = look(world.renew_token(ada), SECRET)

    assert (last_day.status, after.status) == (200, 404)


def test_a_reading_is_written_once_a_day(world, engine, ada, azure_devops, record_statements):
    clock = world.clock
    clock.tick(hours=5)
    with record_statements() as sent:
        refresh(ada, [SECRET], azure_devops.token())
    first = read_on(engine, ada)
    clock.tick(days=1)
    refresh(world.renew_token(ada), [SECRET], azure_devops.token())

    assert [text for text in sent if "work_item_readers" in text and not text.startswith("SELECT")] == []
    assert [[str(day) for day in days] for days in (first, read_on(engine, ada))] == [["2026-11-23"], ["2026-11-24"]]


def test_a_colleagues_reading_does_not_replace_ones_own(world, clock, ada, azure_devops):
    """Within the thirty days a token that is refused now is used, though the cache is of today."""
    clock.tick(days=3)
    ada = world.renew_token(ada)
    refresh(world.member(ada), [SECRET], azure_devops.token())

    assert look(ada, SECRET).status == 200
    assert look(ada, SECRET, azure_devops.token(hidden=["Billing"])).code == "work_item_not_found"
    assert look(ada, SECRET).status == 404


@pytest.mark.parametrize(
    "fault", [{"status": 401}, {"status": 403}, {"status": 404}, {"status": 429}, {"status": 500}, {"cut": True}]
)
def test_an_error_of_the_whole_request_removes_no_reading(world, engine, ada, azure_devops, fault):
    world.clock.tick(days=2)
    ada = world.renew_token(ada)
    azure_devops.set_fault("batch", **fault)
    answers = [look(ada, SECRET, azure_devops.token()), refresh(ada, [SECRET], azure_devops.token())]

    assert answers[0].body["title"] == TITLE
    assert answers[1].status >= 400
    assert len(read_on(engine, ada)) == 1


def test_a_start_with_a_refused_token_hides_the_title_and_with_a_valid_one_shows_it(
    engine, gus, of_gus, ada, azure_devops
):
    def start(person, token):
        body = {"organization": "contoso", "project": "Billing", "workItemId": SECRET}
        return person.http.send("POST", "timers/start", body, token=person.token, headers={HEADER: token})

    seen = start(gus, azure_devops.token("ben"))
    before = look(gus, SECRET)
    gus.stop()
    again = start(gus, of_gus)

    assert (seen.status, before.status, again.status) == (201, 200, 201)
    assert (look(gus, SECRET).status, read_on(engine, gus)) == (404, [])
    assert look(ada, SECRET).status == 200


@pytest.mark.parametrize("right", ["restricted", "objected", "consentWithdrawn"])
def test_no_reading_of_a_restricted_person_is_stored(world, engine, ada, azure_devops, right):
    ben = world.member(ada)
    refresh(ben, [BUG], azure_devops.token("ben"))
    ben.patch("privacy", {right: True})
    world.clock.tick(days=1)
    ben = world.renew_token(ben)
    answer = refresh(ben, [BUG, SECRET], azure_devops.token("ben"))

    assert [item["title"] for item in answer.body["items"]] == ["Checkout fails for guests", TITLE]
    assert [str(day) for day in read_on(engine, ben, BUG)] == ["2026-11-23"]
    assert read_on(engine, ben, SECRET) == []


def test_two_concurrent_first_readings_are_one(engine, ada, world, azure_devops):
    ben = world.member(ada)
    refresh(ada, [BUG], azure_devops.token())
    with engine.connect() as tx:
        of_ben = sa.select(users.c.tenant_id, users.c.id).where(users.c.entra_object_id == uuid.UUID(ben.oid))
        tenant_id, user_id = tx.execute(of_ben).one()
        organization = sa.select(organizations.c.id).where(organizations.c.tenant_id == tenant_id)
        organization_id = tx.execute(organization).scalar_one()
    both = threading.Barrier(2)

    def keep():
        with engine.begin() as tx:
            if engine.dialect.name != "sqlite":  # which has a single writer
                both.wait(timeout=30)
            reader_store.add(tx, tenant_id, user_id, organization_id, [BUG, SECRET], today=START.date())

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(keep), pool.submit(keep)]:
            done.result()

    assert (len(read_on(engine, ben, BUG)), len(read_on(engine, ben))) == (1, 1)


def test_type_and_time_are_shown_to_all_who_may_see_the_time(gus):
    answer = report(gus)
    of_type = report(gus, type="Epic")

    assert item(answer) == {"organization": "contoso", "id": SECRET, "type": "Epic", "titleStatus": "notAsked"}
    assert answer.body["totalMs"] == of_type.body["totalMs"] == 3_600_000
    assert of_type.body["unknownMs"] == 0


def test_a_repeat_with_a_key_shows_no_title_that_was_hidden_since(ada, azure_devops):
    def look_up(token):
        headers = {HEADER: token, "Idempotency-Key": "titles"}
        body = {"organization": "contoso", "ids": [SECRET]}
        return ada.http.send("POST", "work-items/refresh", body, token=ada.token, headers=headers)

    first = look_up(azure_devops.token())
    again = look_up(azure_devops.token(hidden=["Billing"]))

    assert [each["title"] for each in first.body["items"]] == [TITLE]
    assert (again.status, again.body, "Idempotent-Replayed" in again.headers) == (
        200,
        {"items": [], "missing": [SECRET]},
        False,
    )
