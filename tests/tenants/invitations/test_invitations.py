"""Claims, roles and the end of invitations, and the shown address of people."""

import pytest
import sqlalchemy as sa

from shared.db.schema import notices
from tests.tenants.people.test_people import actions, add, me, promote


FABRIKAM = "https://sts.windows.net/fa15d692-e9c7-4460-a743-29f29522aaaa/"
LOOK_ALIKES = [
    ("boss.strasse@a.example", "boss.stra\N{LATIN SMALL LETTER SHARP S}e@a.example"),
    ("kim@a.example", "\N{KELVIN SIGN}im@a.example"),
    ("ira@a.example", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}ra@a.example"),
    ("ira@a.example", "\N{LATIN SMALL LETTER DOTLESS I}ra@a.example"),
    ("ben@a.example", " ben@a.example"),
    ("kim@a.example", "kim@a.example\N{ZERO WIDTH SPACE}"),
    (f"{'k' * 60}@{'a' * 187}.example", f"{'k' * 60}@{'a' * 187}.example.evil.example"),
]


def open_invitations(admin):
    return [user for user in admin.get("users", authProvider="manual").body["items"] if "invitationEndsAt" in user]


@pytest.mark.parametrize(("invited", "username"), LOOK_ALIKES)
def test_an_invitation_never_goes_to_an_address_that_only_looks_like_it(world, invited, username):
    ada = world.tenant()
    invitation = add(ada, {"email": invited, "role": "super_admin"}).body["results"][0]["user"]
    eve = world.member(ada, email=username)

    assert eve.get("me").body["id"] != invitation["id"]
    assert eve.get("me").body["role"] == "user"


@pytest.mark.parametrize(("invited", "username"), LOOK_ALIKES)
def test_a_person_with_a_similar_address_does_not_block_an_invitation(world, invited, username):
    ada = world.tenant()
    eve = world.member(ada, email=username)
    [added] = add(ada, invited.upper()).body["results"]
    kim = world.member(ada, email=invited)

    assert me(kim) == added["user"]["id"] != me(eve)


def test_a_guest_is_given_no_role_by_an_invitation(world):
    ada = world.tenant()
    invitation = add(ada, {"email": "gus@fabrikam.example", "role": "super_admin"}).body["results"][0]["user"]
    gus = world.member(ada, email="gus@fabrikam.example", acct=1, idp=FABRIKAM)

    assert gus.get("me").body["role"] == "user"
    assert gus.get("me").body["id"] != invitation["id"]
    assert [each["id"] for each in open_invitations(ada)] == [invitation["id"]]


def test_a_guest_claims_an_invitation_as_user(world):
    ada = world.tenant()
    invitation = add(ada, "gus@fabrikam.example").body["results"][0]["user"]
    gus = world.member(ada, email="gus@fabrikam.example", acct=1, idp=FABRIKAM)

    assert gus.get("me").body["id"] == invitation["id"]


def test_an_invited_role_waits_until_a_super_admin_confirms_the_person(world):
    ada = world.tenant()
    add(ada, {"email": "ben@contoso.example", "role": "admin"})
    ben = world.member(ada, email="ben@contoso.example")

    assert ben.get("me").body["role"] == "user"
    assert ben.get("users").status == 403


def test_an_invitation_ends_after_14_days(world, clock):
    ada = world.tenant()
    invitation = add(ada, "ben@contoso.example").body["results"][0]["user"]
    clock.tick(days=14)
    ben = world.member(world.renew_token(ada), email="ben@contoso.example")

    assert ben.get("me").body["id"] != invitation["id"]


def test_the_shown_address_is_the_sign_in_name_and_no_unverified_mail(world):
    ada = world.tenant()
    intern = world.member(ada, name="The CEO", email="ceo@contoso.example", preferred_username="intern@contoso.example")

    assert intern.get("me").body["email"] == "intern@contoso.example"


def test_the_shown_address_follows_the_directory(world, clock):
    ada = world.tenant()
    ben = world.member(ada, email="ben@contoso.example")
    renamed = world.renew_token(ben, email="ben.okafor@contoso.example")
    clock.tick(minutes=1)

    assert renamed.post("sign-in").body["user"]["email"] == "ben.okafor@contoso.example"
    assert ada.get(f"users/{me(ben)}").body["email"] == "ben.okafor@contoso.example"


def test_a_verified_mail_is_shown_where_the_directory_gives_no_other_address(world):
    ada = world.tenant()
    ben = world.member(ada, email="ben@contoso.example", preferred_username=None, xms_edov=True)
    eve = world.member(ada, email="ben@contoso.example", preferred_username=None)

    assert ben.get("me").body["email"] == "ben@contoso.example"
    assert eve.get("me").body["email"] == eve.oid


def test_a_former_members_address_can_be_invited_and_both_accounts_stay(world):
    ada = world.tenant()
    leaver = world.member(ada, name="Sam", email="sam@contoso.example")
    ada.post(f"users/{me(leaver)}/deactivate")
    invited = add(ada, {"email": "sam@contoso.example", "displayName": "Sam"}).body["results"][0]["user"]
    newcomer = world.member(ada, name="Sam", email="sam@contoso.example")

    assert newcomer.get("me").body["id"] == invited["id"]


def confirm(admin, person, **headers):
    return admin.http.send("POST", f"users/{me(person)}/confirm-role", token=admin.token, headers=headers)


def claim_invitation(world, role="admin", **more):
    """A tenant, and somebody who claimed an invitation with a role."""
    ada = world.tenant()
    add(ada, {"email": "ben@contoso.example", "role": role, **more})
    return ada, world.member(ada, email="ben@contoso.example")


def notices_of(engine):
    with engine.connect() as connection:
        return connection.execute(sa.select(notices.c.kind, notices.c.details).order_by(notices.c.id)).all()[-3:]


@pytest.mark.parametrize("role", ["admin", "super_admin"])
def test_a_confirmed_role_applies_and_is_recorded(world, engine, role):
    ada, ben = claim_invitation(world, role)
    before = ada.get(f"users/{me(ben)}")
    confirmed = confirm(ada, ben, **{"If-Match": before.headers["ETag"]})
    record = ada.get("audit").body["items"][0]

    assert before.body["objectId"] == ben.oid
    assert (confirmed.status, confirmed.body["role"], confirmed.body.get("pendingRole")) == (200, role, None)
    assert ben.get("users").status == 200
    assert (record["action"], record["before"], record["after"]) == (
        "role.changed",
        {"role": "user", "pendingRole": role},
        {"role": role},
    )
    kinds = [(row.kind, row.details) for row in notices_of(engine)]
    assert ("role_waiting", {"to": role}) in kinds
    assert ("super_admin_added" in [kind for kind, _ in kinds]) == (role == "super_admin")


def test_a_role_is_confirmed_once_by_a_super_admin_and_only_for_the_version_that_was_read(world):
    ada, ben = claim_invitation(world)
    chloe = promote(ada, world.member(ada))
    etag = ada.get(f"users/{me(ben)}").headers["ETag"]
    ben.patch("me", {"displayName": "Somebody else"})

    assert confirm(chloe, ben).code == "role_required"
    assert confirm(ada, ben, **{"If-Match": etag}).status == 412
    assert confirm(ada, ben).status == 200
    assert confirm(ada, ben).code == "no_role_waiting"


def test_a_role_is_not_confirmed_before_the_first_sign_in(world):
    ada = world.tenant()
    invited = add(ada, {"email": "ben@contoso.example", "role": "admin"}).body["results"][0]["user"]
    refused = ada.post(f"users/{invited['id']}/confirm-role")

    assert (refused.status, refused.code) == (409, "invitation_open")


def test_a_change_of_an_invitations_role_does_not_reach_a_person_who_claimed_it_meanwhile(world):
    ada = world.tenant()
    invited = add(ada, {"email": "ben@contoso.example", "role": "admin"}).body["results"][0]["user"]
    path = f"users/{invited['id']}"
    changed = ada.patch(path, {"role": "super_admin"})
    ben = world.member(ada, email="ben@contoso.example")
    late = ada.patch(path, {"role": "super_admin"})
    declined = ada.patch(path, {"role": "user"})

    assert (changed.body["role"], changed.body["pendingRole"]) == ("user", "super_admin")
    assert (late.status, late.code) == (409, "role_waiting")
    assert (declined.status, declined.body.get("pendingRole")) == (200, None)
    assert ben.get("me").body["role"] == "user"


def test_an_invitation_for_an_object_id_goes_to_that_person_alone_with_its_role(world):
    ada = world.tenant()
    ben = world.person(ada.tid, email="ben.okafor@contoso.example")
    [invited, again] = add(
        ada,
        {"email": "ben@contoso.example", "role": "admin", "objectId": ben.oid.upper()},
        {"email": "other@contoso.example", "objectId": ben.oid},
    ).body["results"]
    eve = world.member(ada, email="ben@contoso.example")
    joined = ben.post("sign-in").body["user"]

    assert again["problem"]["code"] == "object_id_taken"
    assert eve.get("me").body["id"] != invited["user"]["id"]
    assert (joined["id"], joined["role"], joined["email"]) == (
        invited["user"]["id"],
        "admin",
        "ben.okafor@contoso.example",
    )


def test_a_guests_role_waits_even_where_the_invitation_names_their_object_id(world):
    ada = world.tenant()
    gus = world.person(ada.tid, email="gus@fabrikam.example", acct=1, idp=FABRIKAM)
    add(ada, {"email": "gus@fabrikam.example", "role": "admin", "objectId": gus.oid})

    assert gus.post("sign-in").body["user"]["role"] == "user"
    assert ada.get(f"users/{me(gus)}").body["pendingRole"] == "admin"
    assert confirm(ada, gus).body["role"] == "admin"


def test_a_members_address_is_not_invited_again(world):
    ada = world.tenant()
    world.member(ada, email="ben@contoso.example")
    [refused] = add(ada, "Ben@contoso.example").body["results"]

    assert refused["problem"]["code"] == "email_taken"


@pytest.mark.parametrize(
    "address", ["b\N{LATIN SMALL LETTER O WITH DIAERESIS}b@contoso.example", "\N{KELVIN SIGN}im@a.example"]
)
def test_only_plain_letters_can_be_invited(world, address):
    refused = add(world.tenant(), address)

    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/users/0/email")


def test_an_expired_invitation_gives_its_seat_back_before_the_job_runs(world, clock):
    ada = world.tenant()
    add(ada, *(f"p{number}@contoso.example" for number in range(4)))
    full = world.person(ada.tid).post("sign-in")
    clock.tick(days=14)
    joined = world.person(ada.tid).post("sign-in")

    assert full.code == "trial_user_limit_reached"
    assert (joined.status, joined.body["tenant"]["seatsUsed"]) == (200, 2)
    assert open_invitations(world.renew_token(ada)) == []
    assert "invitation.ended" in actions(world.renew_token(ada))


def test_an_invitation_can_be_withdrawn_and_sent_again(world, clock):
    ada = world.tenant()
    invited = add(ada, "ben@contoso.example").body["results"][0]["user"]
    path = f"users/{invited['id']}"
    closed = ada.post(f"{path}/deactivate").body
    stranger = world.member(ada, email="ben@contoso.example")
    clock.tick(days=3)
    opened = ada.post(f"{path}/reactivate").body
    add(ada, "chloe@contoso.example")
    ben = world.member(ada, email="ben@contoso.example")

    assert (closed["isActive"], "invitationEndsAt" in closed) == (False, False)
    assert me(stranger) != invited["id"]
    assert opened["invitationEndsAt"] == "2026-12-10T09:00:00.000Z"
    assert me(ben) == invited["id"]


def test_an_expired_invitation_is_reopened_for_another_14_days(world, clock):
    ada = world.tenant()
    path = f"users/{add(ada, 'ben@contoso.example').body['results'][0]['user']['id']}"
    ada.post(f"{path}/deactivate")
    clock.tick(days=20)
    ada = world.renew_token(ada)
    opened = ada.post(f"{path}/reactivate").body
    seats = ada.get("tenant").body["seatsUsed"]
    ben = world.member(ada, email="ben@contoso.example")

    assert (opened["isActive"], opened["invitationEndsAt"]) == (True, "2026-12-27T09:00:00.000Z")
    assert seats == 2
    assert f"users/{me(ben)}" == path


def test_an_invitation_is_not_reopened_beside_another_to_its_address(world):
    ada = world.tenant()
    invited = add(ada, "ben@contoso.example").body["results"][0]["user"]
    ada.post(f"users/{invited['id']}/deactivate")
    add(ada, "ben@contoso.example")
    refused = ada.post(f"users/{invited['id']}/reactivate")

    assert (refused.status, refused.code) == (409, "email_taken")
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 2


def test_people_with_equal_names_and_addresses_have_a_short_id(world):
    ada = world.tenant()
    leaver = world.member(ada, name="Sam", email="sam@contoso.example")
    ada.post(f"users/{me(leaver)}/deactivate")
    newcomer = world.member(ada, name="sam", email="SAM@contoso.example")
    namesake = world.member(ada, name="Sam", email="sam.two@contoso.example")
    listed = {user["id"]: user.get("shortId") for user in ada.get("users").body["items"]}
    leaver_id = next(user for user in listed if listed[user] and user != me(newcomer))

    assert listed[me(newcomer)] == me(newcomer)[:8]
    assert listed[leaver_id] == leaver_id[:8]
    assert listed[me(namesake)] is None
    assert ada.get(f"users/{me(newcomer)}").body["shortId"] == me(newcomer)[:8]


def test_super_admins_are_notified_of_a_role_that_waits(world):
    ada, _ = claim_invitation(world, "super_admin", displayName="Ben {Okafor}")
    [notice] = ada.get("notices").body["items"]

    assert notice["text"] == (
        "Ben {Okafor} accepted an invitation with the role super admin. The role waits until a super admin has checked "
        "the person and confirms it."
    )
