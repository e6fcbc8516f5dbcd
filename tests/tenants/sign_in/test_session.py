"""The session of a person with and without an account: the data of a sign-in, without one."""

import pytest

from tests.tenants.people.test_people import add


FABRIKAM = "https://sts.windows.net/fa15d692-e9c7-4460-a743-29f29522aaaa/"


def session(person):
    answer = person.get("session")
    assert answer.status == 200, answer.raw
    return answer.body


def test_the_session_has_the_data_of_a_sign_in_and_the_server_time(world, clock):
    ada = world.tenant()
    ada.start(7)
    clock.tick(hours=13)
    ada.stop()
    ada.start(8)
    clock.tick(minutes=1)
    shown = session(ada)
    signed_in = ada.post("sign-in").body

    assert shown == {**signed_in, "hasInvitation": False, "serverTime": "2026-11-23T22:01:00.000Z"}
    assert (shown["runningTimer"]["workItemId"], len(shown["needsReview"])) == (8, 1)


def test_the_session_of_an_unknown_directory_names_the_missing_tenant(world):
    shown = session(world.person())

    assert shown.keys() == {"entitlements", "hasInvitation", "needsReview", "serverTime"}
    assert (shown["entitlements"]["canTrack"], shown["entitlements"]["reason"]) == (False, "tenant_not_registered")


def test_a_guest_of_an_unknown_directory_learns_that_a_member_has_to_register_it(world):
    shown = session(world.person(acct=1, idp=FABRIKAM))

    assert shown["entitlements"]["reason"] == "guest_cannot_register"


def test_a_colleague_without_an_account_sees_the_tenant_and_may_start(world):
    ada = world.tenant()
    shown = session(world.person(ada.tid))

    assert "user" not in shown
    assert shown["tenant"] == session(ada)["tenant"]
    assert (shown["tenant"]["seatsUsed"], shown["entitlements"]) == (1, {"canTrack": True})


def test_a_colleague_without_a_seat_gets_the_refusal_that_the_sign_in_would_give(world):
    ada = world.tenant()
    for _ in range(4):
        world.member(ada)
    sixth = world.person(ada.tid)
    shown = session(sixth)["entitlements"]
    refused = sixth.post("sign-in").body

    assert shown == {"canTrack": False, "reason": refused["code"], "detail": refused["detail"]}
    assert refused["code"] == "trial_user_limit_reached"


def test_an_invited_colleague_has_a_seat_in_a_full_tenant(world):
    ada = world.tenant()
    for number in range(4):
        add(ada, {"email": f"ben{number}@contoso.example", "role": "admin"})
    ben = world.person(ada.tid, email="BEN2@contoso.example")
    shown = session(ben)

    assert (shown["hasInvitation"], shown["entitlements"]) == (True, {"canTrack": True})
    assert ben.post("sign-in").status == 200
    assert session(ben)["hasInvitation"] is False


def test_the_invitation_of_an_object_id_is_found(world):
    ada = world.tenant()
    ben = world.person(ada.tid)
    add(ada, {"email": "somebody@contoso.example", "objectId": ben.oid})

    assert session(ben)["hasInvitation"] is True
    assert session(world.person(ada.tid))["hasInvitation"] is False
    assert ben.post("sign-in").body["user"]["email"] == ben.email


def test_a_guest_is_shown_no_invitation_to_a_higher_role(world):
    ada = world.tenant()
    add(ada, {"email": "gus@fabrikam.example", "role": "super_admin"})

    assert session(world.person(ada.tid, email="gus@fabrikam.example", acct=1, idp=FABRIKAM))["hasInvitation"] is False
    assert session(world.person(ada.tid, email="gus@fabrikam.example"))["hasInvitation"] is True


def test_the_seat_of_an_expired_invitation_counts_as_free(world, clock):
    ada = world.tenant()
    for number in range(4):
        add(ada, f"ben{number}@contoso.example")
    before = session(world.person(ada.tid))
    clock.tick(days=14)
    sixth = world.person(ada.tid)
    after = session(sixth)

    assert [each["entitlements"]["canTrack"] for each in (before, after)] == [False, True]
    assert after["tenant"]["seatsUsed"] == 5
    assert sixth.post("sign-in").status == 200


def test_after_the_trial_a_colleague_without_an_account_learns_why_no_time_can_be_tracked(world, clock):
    ada = world.tenant()
    clock.tick(days=30)
    ben = world.person(ada.tid)

    assert session(ben)["entitlements"]["reason"] == ben.post("sign-in").code == "trial_expired"
    assert "tenant" not in session(ben)


def test_a_deactivated_person_has_no_session(world):
    ada = world.tenant()
    ben = world.member(ada)
    assert ada.post(f"users/{ben.get('me').body['id']}/deactivate").status == 200
    refused = ben.get("session")

    assert (refused.status, refused.code) == (403, "user_deactivated")


def test_a_person_who_stopped_the_processing_sees_that_no_time_is_tracked(world):
    ada = world.tenant()
    assert ada.patch("privacy", {"restricted": True}).status == 200

    assert session(ada)["entitlements"]["reason"] == "processing_restricted"


@pytest.mark.parametrize(("account", "statements"), [(True, 4), (False, 4)])
def test_a_session_takes_four_statements(world, record_statements, account, statements):
    ada = world.tenant()
    person = ada if account else world.person(ada.tid)
    with record_statements() as sent:
        session(person)

    # caller, timer, entries to review, organizations; without an account: caller, tenant, invitation, organizations
    assert len(sent) == statements, sent
