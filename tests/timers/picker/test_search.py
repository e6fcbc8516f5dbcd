"""The search for work items: over what a person may see, and in Azure DevOps with their token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcloud.emulators.azure_devops.errors import AzureDevOpsError
from devcloud.emulators.azure_devops.wiql import parse_words
from tests.support.hostile import NAMES
from tests.timers.work_items.test_work_items import HEADER, refresh
from timers.azure_devops.model import title_query
from timers.search_rules import Search, rank_name, rank_number, top_matches


SECRET = 66  # in a project that is hidden from Gus


@pytest.fixture
def ada(world):
    return world.tenant()


def search(person, text, token=None, **more):
    headers = {} if token is None else {HEADER: token}
    params = {"search": text, **more}
    return person.http.send("GET", "work-items", token=person.token, params=params, headers=headers)


def numbers(answer):
    assert answer.status == 200, answer.raw
    return [each["id"] for each in answer.body["items"]]


def test_words_of_titles_that_the_person_has_read_are_found(ada, azure_devops):
    refresh(ada, [42, 43, 44, 57, 59], azure_devops.token())

    assert numbers(search(ada, "checkout")) == [42, 43]
    assert numbers(search(ada, "PAGE faster")) == [57]
    assert numbers(search(ada, "start page")) == [59, 57]
    assert numbers(search(ada, "nothing of this kind")) == []
    assert search(ada, "faster").body == {
        "items": [
            {
                "organization": "contoso",
                "id": 57,
                "project": "Website",
                "type": "Task",
                "title": "Faster start page",
                "assigneeName": "Chloe Martin",
                "state": "Active",
            }
        ],
        "azureDevOps": "notAsked",
    }


def test_a_title_is_found_only_by_its_readers(world, ada, azure_devops):
    ben = world.member(ada)
    ben.enter(workItemId=SECRET)
    refresh(ada, [SECRET], azure_devops.token())

    assert numbers(search(ada, "invoices")) == [SECRET]
    assert numbers(search(ben, "invoices")) == []
    assert numbers(search(ben, "66")) == [SECRET]
    assert "title" not in search(ben, "66").body["items"][0]


def test_a_number_and_numbers_that_begin_with_it_are_found_among_ones_own(ada):
    for number in (4, 42, 420, 57):
        ada.enter(workItemId=number)

    assert numbers(search(ada, "42")) == [42, 420]
    assert set(numbers(search(ada, "#4"))) == {4, 42, 420}
    assert numbers(search(ada, "#4"))[0] == 4
    assert search(ada, "57").body["items"] == [{"organization": "contoso", "id": 57, "project": "Website"}]


def test_an_admin_finds_a_number_with_anybodys_time_and_others_do_not(world, ada):
    ben, gus, eve = world.member(ada), world.member(ada), world.tenant()
    ben.enter(workItemId=4711, project="Mobile")
    gus.enter(workItemId=4712)
    gus.patch("privacy", {"restricted": True})

    assert search(ada, "4711").body["items"] == [{"organization": "contoso", "id": 4711, "project": "Mobile"}]
    assert [numbers(search(each, "4711")) for each in (gus, eve)] == [[], []]
    assert numbers(search(ada, "4712")) == []


def test_a_search_can_be_limited_to_an_organization(ada):
    ada.post("organizations", {"name": "labs"})
    ada.enter()
    ada.enter(organization="labs")
    found = [search(ada, "42", organization=name) for name in ("Contoso", "LABS", "unknown")]

    assert [[each["organization"] for each in answer.body["items"]] for answer in found] == [["contoso"], ["labs"], []]
    assert len(numbers(search(ada, "42"))) == 2


def test_azure_devops_is_asked_with_the_callers_token(ada, azure_devops):
    ada.enter(workItemId=44)
    first = search(ada, "checkout", azure_devops.token())
    later = search(ada, "checkout")
    by_number = search(ada, "#112", azure_devops.token())

    assert set(numbers(first)) == {36, 42, 43}
    assert first.body["azureDevOps"] == "answered"
    assert set(numbers(later)) == {36, 42, 43}
    assert [each["title"] for each in by_number.body["items"]] == ["Crash on rotation"]
    assert by_number.body["items"][0]["project"] == "Mobile"


def test_azure_devops_shows_each_person_their_own_items(world, ada, azure_devops):
    gus = world.member(ada)
    refresh(ada, [SECRET], azure_devops.token())
    token = azure_devops.token("gus", hidden=["Billing"])

    assert numbers(search(gus, "invoices", token)) == []
    assert numbers(search(gus, "66", token)) == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 500}, "azure_devops_unavailable"),
        ({"status": 401}, "azure_devops_sign_in_required"),
        ({"status": 403}, "azure_devops_forbidden"),
        ({"status": 429}, "azure_devops_throttled"),
        ({"cut": True}, "azure_devops_unavailable"),
    ],
)
def test_without_azure_devops_the_known_items_are_found_and_the_problem_is_told(ada, azure_devops, fault, reason):
    refresh(ada, [42], azure_devops.token())
    azure_devops.set_fault("wiql", **fault)
    answer = search(ada, "checkout", azure_devops.token())

    assert numbers(answer) == [42]
    assert (answer.body["azureDevOps"], answer.body["azureDevOpsReason"]) == ("failed", reason)
    assert "Azure DevOps" in answer.body["azureDevOpsDetail"]


def test_an_inactive_organization_is_not_asked(ada, azure_devops):
    added = ada.post("organizations", {"name": "contoso-labs"})
    ada.patch(f"organizations/{added.body['id']}", {"isActive": False})
    before = azure_devops.hits("wiql")
    answer = search(ada, "prototype", azure_devops.token(), organization="contoso-labs")

    assert answer.body == {"items": [], "azureDevOps": "notAsked"}
    assert azure_devops.hits("wiql") == before


def test_nothing_is_remembered_of_a_restricted_person_who_searches(world, ada, azure_devops):
    ben = world.member(ada)
    ben.patch("privacy", {"objected": True})

    assert set(numbers(search(ben, "checkout", azure_devops.token("ben")))) == {36, 42, 43}
    assert numbers(search(ben, "checkout")) == []


@pytest.mark.parametrize("text", ["zz's", "'", '"', "' OR [System.Id] > 0 --", "%", "_", "100%", "\\", "[a-z]", "@Me"])
def test_hostile_text_does_not_change_the_query(ada, azure_devops, text):
    refresh(ada, [42, 57], azure_devops.token())
    answer = search(ada, text, azure_devops.token())

    assert numbers(answer) == []
    assert answer.body["azureDevOps"] == "answered"


@pytest.mark.parametrize("text", ["", " ", "\N{ZERO WIDTH SPACE}", "x" * 129, "a\nb"])
def test_a_search_without_a_visible_text_or_with_a_long_one_is_refused(ada, text):
    answer = search(ada, text)

    assert (answer.status, answer.body["errors"][0]["pointer"]) == (400, "search")


def test_a_search_takes_as_many_statements_however_much_is_known(ada, azure_devops, record_statements):
    refresh(ada, [42, 43, 44, 51, 57, 58, 59], azure_devops.token())
    with record_statements() as by_words:
        search(ada, "checkout")
    with record_statements() as by_number:
        search(ada, "42")

    assert len(by_words) == 5, by_words  # caller, organization; caller, own time, readings
    assert len(by_number) == 6, by_number  # and time of the number


def test_projects_are_found_by_words(world, ada):
    ben = world.member(ada)
    for name in ("Website", "Web shop", "Old website", "Mobile"):
        ada.enter(project=name)
    ben.enter(project="Ben's website")
    ben.start(project="Running web")

    def names(person, **params):
        return [each["name"] for each in person.get("projects", **params).body["items"]]

    assert names(ada, search="web") == ["Web shop", "Website", "Ben's website", "Old website", "Running web"]
    assert names(ada, search="WEB\N{SOFT HYPHEN}SITE") == ["Website", "Ben's website", "Old website"]
    assert names(ben, search="web") == ["Ben's website", "Running web"]
    assert names(ben) == ["Ben's website", "Running web"]
    assert ada.get("projects", search="").status == 400


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)


@given(text=st.one_of(WORDS, st.sampled_from(NAMES)))
def test_a_query_has_the_words_of_the_text_and_nothing_else_of_it(text):
    query = title_query(text)
    words = [word for word in text.replace("'", " ").replace('"', " ").split() if word]
    if query is None:
        assert words == []
        return

    assert parse_words(query) == [word.lower() for word in words]


@given(title=WORDS, start=st.integers(0, 20), length=st.integers(1, 20))
def test_a_part_of_a_name_is_found_in_it(title, start, length):
    text = title[start : start + length]
    found = Search.parse(text)

    if found.words and not text.isspace():
        assert rank_name(found, title) is not None or found.key not in Search.parse(title).key


@given(st.lists(st.integers(1, 10**6), unique=True, max_size=30), st.integers(1, 999))
def test_the_number_itself_comes_before_those_that_begin_with_it(known, number):
    wanted = Search.parse(f"#{number}")
    found = top_matches(known, lambda each: rank_number(wanted, each), limit=20)

    assert all(str(each).startswith(str(number)) for each in found)
    assert number not in known or found[0] == number
    assert len(found) == min(20, sum(str(each).startswith(str(number)) for each in known))


@pytest.mark.parametrize(
    "query",
    [None, "SELECT [System.Id] FROM WorkItems", "SELECT [System.Id] FROM WorkItems WHERE [System.Title] = 'x'", 42],
)
def test_the_emulator_refuses_other_queries(query):
    with pytest.raises(AzureDevOpsError):
        parse_words(query)
