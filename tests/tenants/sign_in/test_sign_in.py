import uuid

import pytest
import sqlalchemy as sa

from shared.db.schema import tenants, user_months, users


def row(engine, table, person):
    join = table if table is tenants else table.join(tenants, table.c.tenant_id == tenants.c.id)
    found = sa.select(table).select_from(join).where(tenants.c.entra_tenant_id == uuid.UUID(person.tid))
    if table is users:
        found = found.where(users.c.entra_object_id == uuid.UUID(person.oid))
    with engine.connect() as connection:
        return connection.execute(found).one()


def test_an_unregistered_directory_learns_how_to_begin(world):
    refused = world.person().post("sign-in")

    assert (refused.status, refused.code) == (403, "tenant_not_registered")
    assert "free trial" in refused.body["detail"]


def test_the_first_person_starts_a_trial_and_is_its_super_admin(world):
    ada = world.person(name="Ada Lovelace", email="ada@contoso.example")
    made = ada.post("tenants", {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "Europe/Berlin"})

    assert made.status == 201
    assert made.body["user"] | {"id": ""} == {
        "id": "",
        "email": "ada@contoso.example",
        "displayName": "Ada Lovelace",
        "role": "super_admin",
        "authProvider": "microsoft",
        "isActive": True,
    }
    tenant = made.body["tenant"]
    [organization] = tenant.pop("organizations")
    assert organization | {"id": ""} == {"id": "", "name": "contoso", "isActive": True, "isDefault": True}
    assert tenant | {"id": "", "slug": ""} == {
        "id": "",
        "slug": "",
        "name": "Contoso",
        "azureDevOpsOrganization": "contoso",
        "plan": "trial",
        "status": "active",
        "timeZone": "Europe/Berlin",
        "trialEndsAt": "2026-12-23T09:00:00.000Z",
        "trialDaysLeft": 30,
        "seatsUsed": 1,
        "seatLimit": 5,
    }
    assert made.body["entitlements"] == {"canTrack": True}
    assert made.body["needsReview"] == []


def test_a_colleague_joins_at_the_first_sign_in(world, clock, engine):
    ada = world.tenant()
    ben = world.person(ada.tid)
    joined = ben.post("sign-in")
    first = clock()
    clock.tick(hours=1)
    ben.post("sign-in")
    stored = row(engine, users, ben)

    assert (joined.status, joined.body["user"]["role"]) == (200, "user")
    assert (stored.first_sign_in_at, stored.last_sign_in_at) == (first, clock())
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 2


def test_a_sign_in_counts_for_the_month_of_the_tenants_zone_the_first_and_the_last_of_it(world, clock, engine):
    clock.set("2026-11-30T10:30:00+00:00")
    ada, first = world.tenant("Pacific/Kiritimati"), clock()
    clock.tick(hours=3)
    ada.post("sign-in")
    kept = row(engine, user_months, ada)

    assert (kept.month_key, kept.first_sign_in_at, kept.last_sign_in_at) == (202612, first, clock())


def test_the_running_timer_comes_with_the_sign_in(world, clock):
    ada = world.tenant()
    started = ada.start(7)
    clock.tick(minutes=1)
    timer = ada.post("sign-in").body["runningTimer"]

    assert (timer["id"], timer["elapsedMs"]) == (started.body["id"], 60_000)


def test_the_sixth_person_of_a_trial_is_refused_and_nothing_is_counted(world):
    ada = world.tenant()
    for _ in range(4):
        world.member(ada)
    refused = world.person(ada.tid).post("sign-in")

    assert (refused.status, refused.code) == (403, "trial_user_limit_reached")
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 5


def test_a_person_without_an_account_is_asked_to_sign_in(world):
    ada = world.tenant()
    refused = world.person(ada.tid).get("me")

    assert (refused.status, refused.code) == (403, "not_signed_in")


def test_a_deactivated_person_is_refused_at_once_with_a_valid_token(world, engine):
    ada = world.tenant()
    ben = world.member(ada)
    stored = row(engine, users, ben)
    with engine.begin() as tx:
        tx.execute(sa.update(users).where(users.c.id == stored.id).values(is_active=False))
        tx.execute(sa.update(tenants).where(tenants.c.id == stored.tenant_id).values(seats_used=1))
    refused = [ben.post("sign-in"), ben.get("me"), ben.start(7), ben.stop(key="k")]

    assert {(answer.status, answer.code) for answer in refused} == {(403, "user_deactivated")}


def test_the_same_address_in_two_directories_is_two_people(world):
    ada = world.tenant()
    bob = world.tenant()
    twins = [world.member(admin, name="Sam", email="sam@shared.example") for admin in (ada, bob)]
    twins[0].start(7)

    assert twins[1].running().status == 204
    assert len({twin.get("me").body["id"] for twin in twins}) == 2


def test_a_reassigned_address_is_a_new_person_without_old_data(world):
    ada = world.tenant()
    leaver = world.member(ada, name="Sam", email="sam@contoso.example")
    leaver.start(7)
    leaver.stop()
    newcomer = world.member(ada, name="Sam", email="SAM@contoso.example")

    assert newcomer.get("me").body["id"] != leaver.get("me").body["id"]
    assert newcomer.log() == []


@pytest.mark.parametrize("letter", ["\N{GREEK SMALL LETTER IOTA WITH DIALYTIKA AND TONOS}", "\N{GRINNING FACE}", "a"])
def test_names_and_addresses_of_any_length_and_letters_sign_in(world, letter):
    ada = world.tenant()
    long = world.member(ada, name=letter * 300, email=f"{letter * 240}@contoso.example")

    assert long.get("me").status == 200


def test_a_clock_that_jumps_over_the_trials_end_in_a_request_is_read_once(world, clock, monkeypatch):
    ada = world.tenant()
    clock.tick(days=30, milliseconds=-3500)
    monkeypatch.setattr(type(clock), "__call__", lambda self: self.tick(seconds=1))
    answers = [ada.post("sign-in").body for _ in range(3)]

    for answer in answers:
        assert answer["entitlements"]["canTrack"] == (answer["tenant"]["trialDaysLeft"] > 0)
    assert {answer["entitlements"]["canTrack"] for answer in answers} == {True, False}


def test_a_guest_cannot_register_the_directory_but_can_join_it(world):
    guest = world.person(acct=1, idp="https://sts.windows.net/fa15d692-e9c7-4460-a743-29f29522aaaa/")
    body = {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": "UTC"}
    refused = guest.post("tenants", body)
    ada = world.tenant()

    assert (refused.status, refused.code) == (403, "guest_cannot_register")
    assert world.member(ada, acct=1).get("me").status == 200


def test_the_vendors_own_directory_is_internal_and_without_caps(world, internal_tid):
    vera = world.person(internal_tid)
    made = vera.post("tenants", {"name": "Vendor", "azureDevOpsOrganization": "vendor", "timeZone": "UTC"})
    people = [world.person(internal_tid).post("sign-in").status for _ in range(6)]

    assert (made.status, made.body["tenant"]["plan"]) == (201, "internal")
    assert "seatLimit" not in made.body["tenant"]
    assert people == [200] * 6


@pytest.mark.parametrize("zone", ["Mars/Base", "localtime", "posixrules", "Europe/berlin", "", "CET "])
def test_an_unknown_time_zone_is_named(world, zone):
    refused = world.person().post(
        "tenants", {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": zone}
    )

    assert (refused.status, [error["pointer"] for error in refused.body["errors"]]) == (400, ["/timeZone"])


@pytest.mark.parametrize("name", ["contoso\n", "con.toso", "-contoso", "contoso-", "a" * 51, "@evil", "a/b", "", "ä"])
def test_an_invalid_organization_name_is_named(world, name):
    refused = world.person().post("tenants", {"name": "X", "azureDevOpsOrganization": name, "timeZone": "UTC"})

    assert [error["pointer"] for error in refused.body["errors"]] == ["/azureDevOpsOrganization"]
