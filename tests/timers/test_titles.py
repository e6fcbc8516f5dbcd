"""A title, an assignee and a state are shown to whom Azure DevOps has shown them, with their own token, in 30 days."""

import io
import uuid

import openpyxl
import pytest
import sqlalchemy as sa

from shared.db.schema import users, work_item_readers
from tests.timers.test_work_items import HEADER, look, refresh


SECRET = 66  # in a project that is hidden from Gus
TITLE = "Invoices nobody has to ask about"
BUG = 42
SPAN = {"from": "2026-11-01", "to": "2026-12-31", "groupBy": "workItem"}


def report(person, token=None, **params):
    headers = {} if token is None else {HEADER: token}
    return person.http.send("GET", "reports/summary", token=person.token, params={**SPAN, **params}, headers=headers)


def item(answer, number=SECRET):
    [found] = [row["workItem"] for row in answer.body["rows"] if row["workItem"]["id"] == number]
    return found


def shown_in(answer):
    """What of the item is in an answer of any form: its title, the name of its assignee."""
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
    """The super admin, who has had item 66 looked up."""
    ada = world.tenant()
    refresh(ada, [SECRET, BUG], azure_devops.token())
    return ada


@pytest.fixture
def gus(world, ada):
    """A colleague from whom Azure DevOps hides the project of item 66, and who says they work on it."""
    gus = world.member(ada)
    gus.enter(workItemId=SECRET)
    return gus


@pytest.fixture
def of_gus(azure_devops):
    return azure_devops.token("gus", hidden=["Billing"])


def test_who_says_they_work_on_an_item_does_not_read_its_title_by_that(gus, of_gus):
    gus.start(SECRET)

    assert [look(gus, SECRET).status, look(gus, SECRET, of_gus).code] == [404, "work_item_not_found"]


@pytest.mark.parametrize("form", ["json", "csv", "xlsx"])
@pytest.mark.parametrize("asks", [False, True])
def test_no_form_of_a_report_shows_what_azure_devops_hides(gus, of_gus, form, asks):
    made = report(gus, of_gus if asks else None, format=form)

    assert made.status == 200
    assert shown_in(made) == set()


@pytest.mark.usefixtures("gus")
def test_an_admin_sees_no_title_that_they_have_not_read_themselves(world, ada):
    boss = world.member(ada)
    [account] = [each for each in ada.get("users").body["items"] if each["email"] == boss.email]
    ada.patch(f"users/{account['id']}", {"role": "admin"}, version=account["version"])

    assert item(report(boss)) == {"organization": "contoso", "id": SECRET, "type": "Epic", "titleStatus": "notAsked"}
    assert look(boss, SECRET).status == 404
    assert item(report(ada))["title"] == TITLE


@pytest.mark.usefixtures("gus")
def test_a_refusal_of_ones_own_token_beats_the_cache_and_is_kept(engine, ada, azure_devops, clock):
    before = item(report(ada))
    refused = azure_devops.token(hidden=["Billing"])
    clock.tick(days=2)
    with_token = item(report(ada, refused))
    without = look(ada, SECRET)

    assert (before["titleStatus"], before["title"]) == ("shown", TITLE)
    assert with_token == {"organization": "contoso", "id": SECRET, "type": "Epic", "titleStatus": "hidden"}
    assert (without.status, read_on(engine, ada), len(read_on(engine, ada, BUG))) == (404, [], 1)
