"""Operators set roles where no super admin can: with proof, audited, and never for an ambiguous address."""

import datetime as dt

import pytest
import sqlalchemy as sa

from shared import clock
from shared.db.schema import notices, tenants, users
from tests.ops.conftest import TenantRows
from tests.tenants.people.test_people import add, me


@pytest.fixture
def ben(world, admin):
    """An invited person whose role waits for confirmation."""
    add(admin, {"email": "ben@contoso.example", "role": "admin"})
    return world.member(admin, email="ben@contoso.example")


def role_of(person):
    return person.get("me").body["role"]


def kinds(engine, slug):
    query = sa.select(notices.c.kind).join(tenants, tenants.c.id == notices.c.tenant_id).where(tenants.c.slug == slug)
    with engine.connect() as connection:
        return list(connection.scalars(query.order_by(notices.c.id)))


def long_ago(engine, person):
    with engine.begin() as tx:
        tx.execute(
            users.update()
            .where(users.c.public_id == sa.literal(me(person), sa.Uuid(as_uuid=False)))
            .values(last_sign_in_at=clock.now() - dt.timedelta(days=31))
        )


def test_an_operator_confirms_a_role_where_no_super_admin_has_signed_in(ops, admin, ben, slug, engine):
    command = ("users", "confirm-role", slug, ben.email, "--proof", "CASE-17", "--yes")
    early = ops(*command)
    long_ago(engine, admin)
    done = ops(*command)
    twice = ops(*command)
    [record] = [row for row in TenantRows(engine).audit(slug, "role.changed") if row["actor_kind"] == "operator"]

    assert (early.code, "can confirm the role" in early.err) == (1, True)
    assert (done.code, role_of(ben)) == (0, "admin")
    assert (twice.code, role_of(ben)) == (0, "admin")
    assert record["after_change"] == {"role": "admin", "proof": "CASE-17"}


@pytest.mark.parametrize("replaces", [False, True])
def test_a_tenant_is_handed_over_with_proof(ops, admin, ben, engine, replaces):
    slug, more = admin.post("sign-in").body["tenant"]["slug"], ["--replace"] if replaces else []
    done = ops("users", "hand-over", slug, me(ben), "--proof", "letter/2026-11-30", "--yes", *more)
    [record] = TenantRows(engine).audit(slug, "tenant.handed_over")

    assert (done.code, role_of(ben)) == (0, "super_admin")
    assert role_of(admin) == ("user" if replaces else "super_admin")
    assert (record["actor_kind"], record["after_change"]) == (
        "operator",
        {"role": "super_admin", "proof": "letter/2026-11-30"},
    )
    removed = ["super_admin_removed"] if replaces else []
    assert kinds(engine, slug) == ["role_waiting", "super_admin_added", *removed]


def test_a_dry_run_shows_and_changes_nothing(ops, admin, ben, slug):
    shown = ops("users", "hand-over", slug, ben.email, "--proof", "x1", "--replace", "--dry-run", "--json")

    assert shown.json == {
        "slug": slug,
        "changed": False,
        "before": {me(ben): "user", me(admin): "super_admin"},
        "after": {me(ben): "super_admin", me(admin): "user"},
    }
    assert (role_of(ben), role_of(admin)) == ("user", "super_admin")


def test_a_tenant_is_not_handed_over_to_a_person_who_never_signed_in(ops, admin, slug):
    [invited] = add(admin, "chloe@contoso.example").body["results"]
    answers = [
        ops("users", "hand-over", slug, invited["user"]["id"], "--proof", "x1", "--yes"),
        ops("users", "hand-over", slug, "chloe@contoso.example", "--proof", "Ada Lovelace said so", "--yes"),
        ops("users", "hand-over", slug, "chloe@contoso.example", "--yes"),
    ]

    assert [answer.code for answer in answers] == [1, 2, 2]
    assert role_of(admin) == "super_admin"


@pytest.mark.parametrize(
    "command",
    [
        ("privacy", "erase", "{}", "--user", "{who}", "--verified", "--yes"),
        ("privacy", "export", "{}", "--user", "{who}", "--out", "{file}"),
        ("privacy", "nominee", "{}", "{who}", "--yes"),
        ("users", "hand-over", "{}", "{who}", "--proof", "x1", "--yes"),
        ("users", "confirm-role", "{}", "{who}", "--proof", "x1", "--yes"),
    ],
    ids=lambda command: command[1],
)
def test_no_command_chooses_between_two_accounts_of_one_address(ops, world, admin, tmp_path, command):
    twins = [world.member(admin, name="Sam", email=email) for email in ("sam@contoso.example", "SAM@contoso.example")]
    tenant = admin.post("sign-in").body["tenant"]["id"]
    named = [part.format(tenant, who="Sam@contoso.example", file=tmp_path / "out.zip") for part in command]
    refused = ops(*named)

    assert refused.code == 2
    assert all(me(twin) in refused.message for twin in twins)
    assert not (tmp_path / "out.zip").exists()
    assert [role_of(twin) for twin in twins] == ["user", "user"]


@pytest.mark.parametrize(
    ("shown", "named"),
    [
        ("kim@contoso.example", "\N{KELVIN SIGN}im@contoso.example"),
        ("\N{KELVIN SIGN}im@contoso.example", "kim@contoso.example"),
        ("\N{KELVIN SIGN}IM@contoso.example", "\N{KELVIN SIGN}im@contoso.example"),
        ("k\N{LATIN SMALL LETTER DOTLESS I}m@contoso.example", "KIM@contoso.example"),
        ("stra\N{LATIN SMALL LETTER SHARP S}e@contoso.example", "strasse@contoso.example"),
    ],
)
def test_an_address_that_only_looks_alike_names_no_account(ops, world, admin, shown, named):
    world.member(admin, email=shown)
    refused = ops("privacy", "nominee", admin.post("sign-in").body["tenant"]["id"], named, "--yes")

    assert (refused.code, "nobody in this tenant" in refused.message) == (3, True)


def test_a_merged_invitation_names_its_person(ops, world, admin, slug):
    [invited] = add(admin, "ben@contoso.example").body["results"]
    ben = world.member(admin, email="ben.okafor@contoso.example")
    admin.post(f"users/{invited['user']['id']}/merge", {"into": me(ben)})
    tenant = admin.post("sign-in").body["tenant"]["id"]
    listed = ops("users", "list", slug, "--json").json
    gone = ops("privacy", "nominee", tenant, "ben@contoso.example", "--yes")

    assert "nobody in this tenant" in gone.message
    assert [(row["email"], row["isMerged"]) for row in listed][1:] == [
        ("ben@contoso.example", True),
        ("ben.okafor@contoso.example", False),
    ]
