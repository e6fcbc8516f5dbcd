"""Looking changes nothing: after any reads by people with and without an account, all tables are as before."""

import datetime as dt

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import function_app
from shared.db.schema import metadata
from shared.http.operation import OPERATIONS
from shared.permissions import Access
from tests.contract.test_permissions import QUERIES
from tests.support.budget import tries
from tests.support.tenant_bills import PAID_FROM, start_paid_plan
from tests.support.world import new_id
from tests.tenants.people.test_people import add


assert function_app.app, "indexing the app is what registers the operations"
FILES = {"export_data", "get_billing_statement"}  # personal data leaves, which the audit log records
READS = sorted(
    each.id for each in OPERATIONS.values() if not each.writes and not each.for_browser and each.id not in FILES
)
FABRIKAM = "https://sts.windows.net/fa15d692-e9c7-4460-a743-29f29522aaaa/"
WITH_ACCOUNT = ("admin", "member")
WITHOUT_ACCOUNT = ("invited", "colleague", "guest", "stranger")
looks = st.tuples(st.sampled_from([*WITH_ACCOUNT, *WITHOUT_ACCOUNT]), st.sampled_from(READS), st.booleans())
steps = st.lists(st.one_of(looks, st.integers(1, 20)), min_size=1, max_size=12)  # a number: so many days pass


@pytest.fixture
def people(world, clock, engine):
    """A paying tenant with time, bills and invitations, and somebody of each kind."""
    admin = world.tenant()
    bills = start_paid_plan(engine, admin, people=2)
    bills.add_price("4.50", PAID_FROM)
    bills.close(202610, 0, 1)
    add(admin, {"email": "ivy@contoso.example", "role": "admin"})
    people = {
        "admin": admin,
        "member": world.member(admin),
        "invited": world.person(admin.tid, email="ivy@contoso.example"),
        "colleague": world.person(admin.tid),
        "guest": world.person(admin.tid, acct=1, idp=FABRIKAM),
        "stranger": world.person(),
    }
    for name in WITH_ACCOUNT:
        people[name].enter()
        people[name].post("actions", {"type": "report.open", "page": "/reports"})
        people[name].start()
    clock.tick(hours=1)
    return people


def contents(engine):
    """All rows of all tables."""
    with engine.connect() as connection:
        return {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in metadata.sorted_tables}


def look(person, name, ids, *, head=False):
    """One read; `ids` are those of an entry, a user and a work item, by the first word of the path."""
    operation = OPERATIONS[name]
    path = operation.path.replace("{organization}", "contoso").replace("{month}", "2026-10")
    path = path.replace("{id}", ids.get(path.partition("/")[0], new_id()))
    method = "HEAD" if head else "GET"
    return person.http.send(method, path, token=person.token, params=QUERIES.get(name))


def is_expected(viewer, name, status):
    """People without an account are shown public pages and their session, and nothing else."""
    if viewer in WITHOUT_ACCOUNT and OPERATIONS[name].permission.access >= Access.USER:
        return status == 403
    return status < 500 and (viewer in WITH_ACCOUNT or status == 200)


def test_read_requests_leaves_every_table_as_it_was(people, world, clock, engine):
    user = people["member"].get("me").body["id"]
    ids = {"entries": people["member"].entries()[0]["id"], "users": user, "work-items": "42"}
    before, beginning = contents(engine), clock()
    refused = {name for name in READS if look(people["admin"], name, ids).status != 200}
    assert refused == {"get_work_item", "list_mentions"}  # without a token of Azure DevOps, and without an erasure

    @settings(
        max_examples=tries(25),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        deadline=None,
    )
    @given(steps)
    def holds(sequence):
        clock.at = beginning
        seen = []
        for step in sequence:
            if isinstance(step, int):
                clock.at += dt.timedelta(days=step)
                continue
            viewer, name, head = step
            answer = look(world.renew_token(people[viewer]), name, ids, head=head)
            seen.append((viewer, name, answer.status))

        assert [each for each in seen if not is_expected(*each)] == []
        assert contents(engine) == before

    holds()


def test_every_read_operation_is_covered():
    assert len(READS) >= 25
    assert {"get_session", "get_me", "list_entries", "get_month_report", "get_running_timer"} <= set(READS)
