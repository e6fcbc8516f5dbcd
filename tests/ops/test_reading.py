import datetime as dt
import uuid

import pytest

from shared import clock
from shared.db.schema import tenants
from tests.support.commands import NOWHERE, Ops
from tests.support.world import new_id


def test_a_listed_tenant_has_its_plan_its_trial_and_its_seats(ops, slug):
    listed = {each["slug"]: each for each in ops("tenants", "list", "--json").json}

    tenant = listed[slug]
    assert (tenant["plan"], tenant["status"], tenant["trialDaysLeft"]) == ("trial", "active", 30)
    assert (tenant["seatsUsed"], tenant["seatCap"]) == (1, 5)


def test_the_table_says_the_same_as_the_json(ops, slug):
    table = ops("tenants", "list")

    line = next(line for line in table.out.splitlines() if line.startswith(slug))
    assert table.out.split()[:4] == ["SLUG", "NAME", "PLAN", "STATUS"]
    assert "1 of 5" in line
    assert " 30 " in line


def test_a_tenant_is_shown_with_its_azure_devops_organizations(ops, slug):
    shown = ops("tenants", "show", slug, "--json").json["organizations"]

    assert [each["isActive"] for each in shown] == [True]
    assert shown[0]["name"] in ops("tenants", "show", slug).out


def test_the_cap_of_a_trial_follows_the_setting(ops, slug):
    assert ops("tenants", "show", slug, "--json", TRIAL_USER_LIMIT="7").json["seatCap"] == 7


def test_filters_narrow_the_list(ops, books, slug):
    books.set(slug, trial_ends_at=clock.now() + dt.timedelta(days=2), status="suspended")
    found = {
        filters: slug in {each["slug"] for each in ops("tenants", "list", "--json", *filters).json}
        for filters in [
            ("--plan", "trial"),
            ("--plan", "paid"),
            ("--status", "suspended"),
            ("--status", "active"),
            ("--expiring-within", "3"),
            ("--expiring-within", "1"),
        ]
    }

    assert list(found.values()) == [True, False, True, False, True, False]


def test_a_trial_that_is_over_is_not_about_to_expire(ops, books, slug):
    books.set(slug, trial_ends_at=clock.now() - dt.timedelta(hours=1))

    assert slug not in {each["slug"] for each in ops("tenants", "list", "--json", "--expiring-within", "30").json}
    assert ops("tenants", "show", slug, "--json").json["trialDaysLeft"] == 0


def test_more_tenants_than_a_page_are_listed_once_each(ops, engine):
    made = [_tenant(f"many-{new_id()}") for _ in range(1100)]
    with engine.begin() as connection:
        connection.execute(tenants.insert(), made)
    slugs = [each["slug"] for each in ops("tenants", "list", "--json").json]
    lines = [line.split()[0] for line in ops("tenants", "list").out.splitlines()]
    with engine.begin() as connection:
        connection.execute(tenants.delete().where(tenants.c.slug.like("many-%")))

    assert len(slugs) == len(set(slugs))
    assert {each["slug"] for each in made} <= set(slugs)
    assert lines[2:] == slugs


def test_nothing_found_is_an_empty_list(ops):
    nothing = ops("tenants", "list", "--plan", "internal", "--status", "cancelled", "--json")

    assert (nothing.code, nothing.json) == (0, [])


def test_a_tenant_is_found_by_slug_id_and_directory(ops, admin, slug):
    by_slug = ops("tenants", "show", slug, "--json").json
    by_directory = ops("tenants", "show", admin.tid.upper(), "--json").json

    assert by_directory["slug"] == slug
    assert ops("tenants", "show", by_slug["id"], "--json").json["slug"] == slug


def test_a_shown_tenant_counts_its_people_and_what_they_did(ops, world, admin, slug):
    member = world.member(admin)
    member.start()
    world.clock.tick(minutes=5)
    member.stop()
    admin.start()
    world.clock.tick(minutes=1)
    shown = ops("tenants", "show", slug, "--json").json

    assert shown["users"]["user"] == {"active": 1, "inactive": 0}
    assert shown["users"]["super_admin"] == {"active": 1, "inactive": 0}
    assert (shown["runningTimers"], shown["timeEntries"]) == (1, 1)
    assert shown["lastActivityAt"] == (world.clock() - dt.timedelta(minutes=1)).isoformat()[:23] + "Z"
    assert "users: user" in ops("tenants", "show", slug).out


def test_a_tenant_that_is_not_there_is_one_clear_line(ops):
    for name in (new_id(), "Ünknown\x1b[2J"):
        unknown = ops("tenants", "show", name)

        assert (unknown.code, unknown.out) == (2, "")
        assert unknown.told.startswith("ops: no tenant has the slug, id or directory id ")
        assert "\x1b" not in unknown.told


def test_people_are_listed_with_role_and_sign_ins(ops, world, admin, slug):
    member = world.member(admin)
    people = ops("users", "list", slug, "--json").json
    admins = ops("users", "list", slug, "--role", "super_admin", "--json").json

    assert [each["email"] for each in people] == [admin.email, member.email]
    assert [each["email"] for each in admins] == [admin.email]
    assert ops("users", "list", slug, "--inactive", "--json").json == []
    assert people[1]["lastSignInAt"] == people[1]["firstSignInAt"] is not None
    assert member.email in ops("users", "list", slug).out


def test_a_name_cannot_move_the_operators_cursor(ops, books, slug):
    books.set(slug, name="Eve [red]\x1b[2J\u202etxt")
    table = ops("tenants", "show", slug)

    assert "Eve [red]\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}txt" in table.out
    assert "\x1b" not in table.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("tenants", "list", "--plan", "gold"),
        ("tenants", "list", "--expiring-within", "-1"),
        ("tenants", "show"),
        ("tenants", "sohw"),
        ("users", "list", "x", "--role", "king"),
        ("check", "--fast"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(refused_usage, arguments):
    assert refused_usage(*arguments).startswith("ops: ")


def test_the_help_tells_the_exit_codes():
    told = Ops(NOWHERE)("--help")

    assert told.code == 0
    assert "Exit codes: 0 done" in " ".join(told.out.split())


def _tenant(slug: str) -> dict[str, object]:
    now = clock.now()
    return {
        "public_id": uuid.UUID(new_id()),
        "entra_tenant_id": uuid.UUID(new_id()),
        "slug": slug,
        "name": "Many",
        "organization": "many",
        "plan_kind": "trial",
        "status": "active",
        "time_zone": "UTC",
        "trial_started_at": now,
        "trial_ends_at": now,
        "seats_used": 0,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
