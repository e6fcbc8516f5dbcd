"""Invitations: who can claim one, with which role, and until when; and the address that people are shown by."""

import pytest
import sqlalchemy as sa

from shared.db.schema import users
from tests.tenants.test_users import add, me, promote, set_tenant


FABRIKAM = "https://sts.windows.net/fa15d692-e9c7-4460-a743-29f29522aaaa/"
LOOK_ALIKES = [
    ("boss.strasse@a.example", "boss.stra\N{LATIN SMALL LETTER SHARP S}e@a.example"),
    ("kim@a.example", "\N{KELVIN SIGN}im@a.example"),
    ("ira@a.example", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}ra@a.example"),
    ("ben@a.example", " ben@a.example"),
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
    ben = world.member(world.again(ada), email="ben@contoso.example")

    assert ben.get("me").body["id"] != invitation["id"]


def test_the_shown_address_is_the_name_somebody_signs_in_with_and_no_unverified_mail(world):
    ada = world.tenant()
    intern = world.member(
        ada, name="The CEO", email="ceo@contoso.example", preferred_username="intern@contoso.example"
    )

    assert intern.get("me").body["email"] == "intern@contoso.example"


def test_the_shown_address_follows_the_directory(world, clock):
    ada = world.tenant()
    ben = world.member(ada, email="ben@contoso.example")
    renamed = world.again(ben, email="ben.okafor@contoso.example")
    clock.tick(minutes=1)

    assert renamed.post("sign-in").body["user"]["email"] == "ben.okafor@contoso.example"
    assert ada.get(f"users/{me(ben)}").body["email"] == "ben.okafor@contoso.example"


def test_a_verified_mail_is_shown_where_the_directory_gives_no_other_address(world):
    ada = world.tenant()
    ben = world.member(ada, email="ben@contoso.example", preferred_username=None, xms_edov=True)
    eve = world.member(ada, email="ben@contoso.example", preferred_username=None)

    assert ben.get("me").body["email"] == "ben@contoso.example"
    assert eve.get("me").body["email"] == eve.oid


def test_a_leavers_address_can_be_invited_and_both_accounts_stay(world):
    ada = world.tenant()
    leaver = world.member(ada, name="Sam", email="sam@contoso.example")
    ada.post(f"users/{me(leaver)}/deactivate")
    invited = add(ada, {"email": "sam@contoso.example", "displayName": "Sam"}).body["results"][0]["user"]
    newcomer = world.member(ada, name="Sam", email="sam@contoso.example")

    assert newcomer.get("me").body["id"] == invited["id"]
