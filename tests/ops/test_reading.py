import datetime as dt
import uuid

import pytest
import typer

from ops.__main__ import app
from shared import clock
from shared.db.schema import tenants
from shared.http.openapi import VERSION
from tests.support.commands import NOWHERE, Ops
from tests.support.world import new_id


def test_a_listed_tenant_has_its_plan_its_trial_and_its_seats(ops, slug):
    listed = {each["slug"]: each for each in ops("tenants", "list", "--json").json}

    tenant = listed[slug]
    assert (tenant["plan"], tenant["status"], tenant["trialDaysLeft"]) == ("trial", "active", 30)
    assert (tenant["seatsUsed"], tenant["seatCap"]) == (1, 5)


def test_the_table_shows_the_same_values_as_the_json(ops, slug):
    table = ops("tenants", "list")

    line = next(line for line in table.out.splitlines() if line.startswith(slug))
    assert table.out.split()[:4] == ["SLUG", "NAME", "PLAN", "STATUS"]
    assert "1 / 5" in line
    assert " 30 " in line


def test_a_tenant_is_shown_with_its_azure_devops_organizations(ops, slug):
    shown = ops("tenants", "show", slug, "--json").json["organizations"]

    assert [each["isActive"] for each in shown] == [True]
    assert shown[0]["name"] in ops("tenants", "show", slug).out


def test_the_cap_of_a_trial_follows_the_setting(ops, slug):
    assert ops("tenants", "show", slug, "--json", TRIAL_USER_LIMIT="7").json["seatCap"] == 7


def test_filters_narrow_the_list(ops, tenant_rows, slug):
    tenant_rows.set(slug, trial_ends_at=clock.now() + dt.timedelta(days=2), status="suspended")
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


def test_an_ended_trial_is_not_listed_as_expiring(ops, tenant_rows, slug):
    tenant_rows.set(slug, trial_ends_at=clock.now() - dt.timedelta(hours=1))

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


def test_a_tenant_is_shown_with_counts_of_people_and_activity(ops, world, admin, slug):
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


def test_an_unknown_tenant_is_a_one_line_error(ops):
    for name in (new_id(), "Ünknown\x1b[2J"):
        unknown = ops("tenants", "show", name)

        assert (unknown.code, unknown.out) == (3, "")
        assert unknown.message.startswith("ops: no tenant has the slug, id or directory id ")
        assert "\x1b" not in unknown.message


def test_people_are_listed_with_role_and_sign_ins(ops, world, admin, slug):
    member = world.member(admin)
    people = ops("users", "list", slug, "--json").json
    admins = ops("users", "list", slug, "--role", "super_admin", "--json").json

    assert [each["email"] for each in people] == [admin.email, member.email]
    assert [each["email"] for each in admins] == [admin.email]
    assert ops("users", "list", slug, "--inactive", "--json").json == []
    assert people[1]["lastSignInAt"] == people[1]["firstSignInAt"] is not None
    assert member.email in ops("users", "list", slug).out


def test_a_name_cannot_move_the_terminals_cursor(ops, tenant_rows, slug):
    tenant_rows.set(slug, name="Eve [red]\x1b[2J\u202etxt")
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
def test_wrong_usage_is_a_one_line_error_with_exit_code_2(wrong_usage, arguments):
    assert wrong_usage(*arguments).startswith("ops: ")


def test_the_help_lists_the_exit_codes():
    text = Ops(NOWHERE)("--help")

    assert text.code == 0
    assert [line.split()[0] for line in text.out.partition("Exit codes:")[2].splitlines()[1:6]] == list("01234")


def test_the_version_is_printed():
    assert Ops(NOWHERE)("--version").out == f"TimeTracker {VERSION}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("billing", "void", "nope", "--reason", "x"), "'nope' is not a record id; see: ops billing records"),
        (("tenants", "extend-trial", "x", "--days", "y"), "Invalid value for '--days': expected a whole number"),
        (("tenants", "extend-trial", "x", "--days", "0"), "Invalid value for '--days': must be at least 1"),
        (("billing", "send-usage", "--reschedule", "x"), "Invalid value for '--reschedule': expected a whole number"),
    ],
)
def test_a_wrong_value_is_described_in_plain_words(wrong_usage, arguments, line):
    assert wrong_usage(*arguments).startswith(f"ops: {line}")


def test_a_group_without_a_command_prints_its_help():
    done = Ops(NOWHERE)("rls")

    assert (done.code, done.out, done.err.splitlines()[0]) == (2, "", "Usage: ops rls [OPTIONS] COMMAND [ARGS]...")


def all_commands(command, path=()):
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from all_commands(each, (*path, name))


@pytest.mark.parametrize("path", [*all_commands(typer.main.get_command(app))], ids=" ".join)
def test_help_shows_flags_as_flags_and_a_short_summary_of_each_command(path):
    text = Ops(NOWHERE)(*path, "--help").out

    assert text.startswith(f"Usage: {' '.join(('ops', *path))} ")
    assert "bool" not in text.lower()
    assert "..." not in text.partition("\nCommands:")[2]


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
