import uuid

import pytest
import sqlalchemy as sa

from shared.db.schema import metadata, tenants, users
from tests.privacy.erasure.test_person import ask, erase_due
from tests.support.world import new_id


def me(person):
    return person.get("me").body["id"]


def patch(person, path, body, **headers):
    return person.http.send("PATCH", path, body, token=person.token, headers=headers)


def promote(admin, person, role="admin"):
    changed = patch(admin, f"users/{me(person)}", {"role": role})
    assert changed.status == 200, changed.raw
    return person


def set_tenant(engine, admin, **values):
    with engine.begin() as tx:
        own = tenants.c.entra_tenant_id == uuid.UUID(admin.tid)
        tx.execute(sa.update(tenants).where(own).values(**values))


@pytest.fixture
def seats(app, engine):  # noqa: ARG001 - the app's end checks every invariant, when nobody pays without a subscription
    """Puts a tenant on the paid plan with so many seats, for as long as the test lasts."""
    paying = []

    def limit(admin, most):
        paying.append(admin)
        set_tenant(engine, admin, plan_kind="paid", seat_limit=most)

    yield limit
    for admin in paying:
        set_tenant(engine, admin, plan_kind="internal", seat_limit=None)


def add(admin, *people):
    return admin.post("users", {"users": [{"email": each} if isinstance(each, str) else each for each in people]})


def actions(admin):
    return [row["action"] for row in admin.get("audit", pageSize="200").body["items"]]


def test_an_invited_person_claims_the_account_at_the_first_sign_in(world):
    ada = world.tenant()
    invited = add(ada, {"email": "Ben@contoso.example", "displayName": "Ben", "role": "admin"}).body["results"][0]
    ben = world.person(ada.tid, email="ben@CONTOSO.example")
    joined = ben.post("sign-in").body

    assert invited["user"]["authProvider"] == "manual"
    assert invited["user"]["invitedBy"] == me(ada)
    assert joined["user"]["id"] == invited["user"]["id"]
    assert invited["user"]["invitationEndsAt"] == "2026-12-07T09:00:00.000Z"
    assert ada.get(f"users/{joined['user']['id']}").body["pendingRole"] == "admin"
    assert joined["tenant"]["seatsUsed"] == 2
    assert actions(ada)[:2] == ["user.bound", "user.added"]


def test_an_account_without_a_name_takes_the_persons_own_and_a_given_name_stays(world):
    ada = world.tenant()
    add(ada, "ben@contoso.example", {"email": "chloe@contoso.example", "displayName": "Chloe (design)"})
    ben = world.member(ada, name="Ben Okafor", email="ben@contoso.example")
    chloe = world.member(ada, name="Chloe Martin", email="chloe@contoso.example")

    assert [each.get("me").body["displayName"] for each in (ben, chloe)] == ["Ben Okafor", "Chloe (design)"]


def test_an_invitation_matches_the_sign_in_name_and_not_the_mail_claim(world):
    ada = world.tenant()
    add(ada, {"email": "boss@contoso.example", "role": "super_admin"})
    eli = world.person(ada.tid, email="boss@contoso.example", preferred_username="eli@contoso.example")
    joined = eli.post("sign-in").body["user"]

    assert (joined["role"], joined["authProvider"]) == ("user", "microsoft")
    assert [user["pendingRole"] for user in ada.get("users", authProvider="manual").body["items"]] == ["super_admin"]


def test_an_invitation_is_not_valid_in_another_directory(world):
    ada, bob = world.tenant(), world.tenant()
    add(ada, {"email": "eve@shared.example", "role": "admin"})
    eve = world.member(bob, email="eve@shared.example")

    assert eve.get("me").body["role"] == "user"
    assert ada.get("users", authProvider="manual").body["items"][0]["isActive"]


def test_each_row_of_many_has_its_own_result(world):
    ada = world.tenant()
    first = add(ada, "one@contoso.example")
    again = add(
        ada,
        "ONE@contoso.example",
        "two@contoso.example",
        "three@contoso.example",
        "four@contoso.example",
        "five@x.example",
    )
    results = again.body["results"]

    assert first.body["added"] == 1
    assert again.body["added"] == 3
    assert [result.get("problem", {}).get("code") for result in results] == [
        "email_taken",
        None,
        None,
        None,
        "trial_user_limit_reached",
    ]
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 5


def test_up_to_200_people_are_added_at_once_and_one_more_is_refused(world, engine):
    ada = world.tenant()
    set_tenant(engine, ada, plan_kind="internal")
    most = add(ada, *(f"p{number}@contoso.example" for number in range(200)))
    refused = add(ada, *(f"q{number}@contoso.example" for number in range(201)))

    assert (most.status, most.body["added"]) == (200, 200)
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/users")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ben",
        "ben@",
        "@contoso.example",
        "a b@c.example",
        "a@b",
        "a@b.c\n",
        "x" * 330,
        "a\0b@c.example",
        "a@b.c\x17",
    ],
)
def test_an_invalid_address_is_named(world, address):
    refused = add(world.tenant(), address)

    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/users/0/email")


def test_an_admin_adds_users_but_gives_no_roles(world):
    ada = world.tenant()
    ben = promote(ada, world.member(ada))
    results = add(ben, "new@contoso.example", {"email": "boss@contoso.example", "role": "admin"}).body["results"]

    assert [result.get("problem", {}).get("code") for result in results] == [None, "role_required"]
    assert patch(ben, f"users/{me(ben)}", {"role": "super_admin"}).code == "role_required"


def test_people_are_listed_by_filter_and_page_by_page(world, engine):
    ada = world.tenant()
    set_tenant(engine, ada, plan_kind="internal")
    add(ada, *(f"p{number}@contoso.example" for number in range(7)))
    pages, link = [], "users?pageSize=3"
    while link:
        page = ada.get(link).body
        pages.append([user["email"] for user in page["items"]])
        link = page.get("nextLink")
    manual = ada.get("users", authProvider="manual", isActive="true", role="user").body["items"]

    assert [len(page) for page in pages] == [3, 3, 2]
    assert len({email for page in pages for email in page}) == 8
    assert len(manual) == 7
    assert ada.get("users", isActive="false").body["items"] == []
    assert ada.get("users", role="boss").status == 400


def test_the_next_page_follows_after_the_last_person_was_erased(app, world, clock):
    ada = world.tenant()
    people = []
    for number in range(4):
        clock.tick(minutes=1)
        people.append(world.member(ada, name=f"Person {number}"))
    first = ada.get("users", pageSize="3").body
    assert first["items"][-1]["email"] == people[1].email
    assert ask(people[1]).status == 201
    assert erase_due(app, clock).changed == 1
    second = world.renew_token(ada).get(first["nextLink"].removeprefix("/api/"))

    assert [user["email"] for user in second.body["items"]] == [people[2].email, people[3].email]


def test_a_change_of_role_is_recorded_with_both_roles(world):
    ada = world.tenant()
    ben = promote(ada, world.member(ada))
    record = ada.get("audit").body["items"][0]

    assert ben.get("me").body["role"] == "admin"
    assert (record["action"], record["before"], record["after"]) == (
        "role.changed",
        {"role": "user"},
        {"role": "admin"},
    )
    assert (record["actorId"], record["subjectUserId"]) == (me(ada), me(ben))


def test_nobody_changes_a_person_with_a_higher_role(world):
    ada = world.tenant()
    ben = promote(ada, world.member(ada))
    ada_id = me(ada)
    refused = [
        patch(ben, f"users/{ada_id}", {"displayName": "X"}),
        ben.post(f"users/{ada_id}/deactivate"),
        patch(ben, f"users/{me(ben)}", {"role": "user"}),
    ]

    assert {(answer.status, answer.code) for answer in refused} == {(403, "role_required")}


def test_the_last_super_admin_keeps_the_role_and_the_account(world):
    ada = world.tenant()
    ada_id = me(ada)
    refused = [patch(ada, f"users/{ada_id}", {"role": "admin"}), ada.post(f"users/{ada_id}/deactivate")]
    promote(ada, world.member(ada), "super_admin")

    assert {(answer.status, answer.code) for answer in refused} == {(409, "last_super_admin")}
    assert patch(ada, f"users/{ada_id}", {"role": "admin"}).status == 200


def test_an_unclaimed_super_admin_does_not_count_as_another_super_admin(world):
    ada = world.tenant()
    add(ada, {"email": "typo@nowhere.example", "role": "super_admin"})
    refused = [patch(ada, f"users/{me(ada)}", {"role": "user"}), ada.post(f"users/{me(ada)}/deactivate")]

    assert {answer.code for answer in refused} == {"last_super_admin"}


def test_a_rename_shows_at_once_and_the_version_guards_it(world):
    ada = world.tenant()
    ben = world.member(ada)
    path = f"users/{me(ben)}"
    before = ada.get(path)
    renamed = patch(ada, path, {"displayName": "Benjamin"}, **{"If-Match": before.headers["ETag"]})
    stale = patch(ada, path, {"displayName": "Benny"}, **{"If-Match": before.headers["ETag"]})

    assert (renamed.status, renamed.body["displayName"]) == (200, "Benjamin")
    assert (stale.status, stale.code) == (412, "precondition_failed")
    assert patch(ben, "me", {"displayName": "Ben himself"}).body["displayName"] == "Ben himself"
    assert "user.renamed" in actions(ada)


def test_an_empty_version_is_refused(world):
    ada = world.tenant()
    path = f"users/{me(world.member(ada))}"
    before = ada.get(path)
    refused = patch(ada, path, {"displayName": "Benjamin"}, **{"If-Match": ""})

    assert (refused.status, refused.code) == (400, "invalid_if_match")
    assert ada.get(path).body == before.body


def test_a_deactivation_refuses_the_person_stops_their_timer_and_frees_their_seat(world, clock):
    ada = world.tenant()
    ben = world.member(ada)
    ben.start(7)
    clock.tick(minutes=45)
    closed = ada.post(f"users/{me(ben)}/deactivate")
    refused = ben.get("me")
    clock.tick(minutes=45)

    assert (closed.status, closed.body["isActive"]) == (200, False)
    assert (refused.status, refused.code) == (403, "user_deactivated")
    assert ada.report(groupBy="user").body["totalMs"] == 45 * 60_000
    assert ada.log()[0]["actorId"] == me(ada)
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 1
    assert ada.post(f"users/{closed.body['id']}/deactivate").status == 200
    assert actions(ada).count("user.deactivated") == 1


def test_a_deactivated_persons_idempotency_key_replays_nothing(world):
    ada = world.tenant()
    ben = world.member(ada)
    first = ben.post("sign-in", key="monday")
    ada.post(f"users/{me(ben)}/deactivate")
    repeated = ben.post("sign-in", key="monday")

    assert first.status == 200
    assert (repeated.status, repeated.code) == (403, "user_deactivated")


def test_a_reactivated_person_is_back_with_their_history_if_a_seat_is_free(world, seats, clock):
    ada = world.tenant()
    ben = world.member(ada)
    ben_id = me(ben)
    ben.start(7)
    clock.tick(minutes=5)
    ada.post(f"users/{ben_id}/deactivate")
    seats(ada, 1)
    full = ada.post(f"users/{ben_id}/reactivate")
    seats(ada, 2)
    back = ada.post(f"users/{ben_id}/reactivate")

    assert (full.status, full.code) == (403, "seat_limit_reached")
    assert (back.status, back.body["isActive"]) == (200, True)
    assert ben.report().body["totalMs"] == 300_000
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 2


def test_a_seat_limit_of_zero_allows_nobody_and_no_limit_allows_all(world, seats):
    ada = world.tenant()
    seats(ada, 0)
    refused = world.person(ada.tid).post("sign-in")
    seats(ada, None)

    assert refused.code == "seat_limit_reached"
    assert world.person(ada.tid).post("sign-in").status == 200


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"status": "suspended"}, "subscription_suspended"),
        ({"status": "cancelled"}, "subscription_cancelled"),
        ({"trial_ends_at": None}, "trial_expired"),
    ],
)
def test_a_plan_that_has_ended_allows_no_new_people_with_a_reason(world, engine, clock, values, code):
    ada = world.tenant()
    set_tenant(engine, ada, **({"trial_ends_at": clock()} if "trial_ends_at" in values else values))
    refused = [world.person(ada.tid).post("sign-in"), add(ada, "new@contoso.example"), ada.start(7)]

    assert {(answer.status, answer.code) for answer in refused} == {(402, code)}
    assert ada.post("sign-in").body["entitlements"]["reason"] == code


def test_after_a_cancellation_admins_can_read_and_users_can_only_stop(world, engine, clock):
    ada = world.tenant()
    ben = world.member(ada)
    ben_id = ben.get("me").body["id"]
    ben.start(7)
    clock.tick(minutes=5)
    set_tenant(engine, ada, status="cancelled")

    assert (ben.report().status, ben.report().code) == (402, "subscription_cancelled")
    assert ben.running().status == 200
    assert ben.stop().status == 200
    assert ada.report().body["totalMs"] == 300_000
    assert ada.report(format="csv").status == 200
    assert patch(ada, "tenant", {"name": "X"}, **{"If-Match": "*"}).code == "subscription_cancelled"
    assert ada.post(f"users/{ben_id}/deactivate").status == 200


def test_a_refused_sign_in_is_recorded(world):
    ada = world.tenant()
    for _ in range(4):
        world.member(ada)
    world.person(ada.tid).post("sign-in")
    record = ada.get("audit").body["items"][0]

    assert (record["action"], record["after"]) == ("sign_in.refused", {"code": "trial_user_limit_reached"})


COLUMNS = sorted({column.name for table in metadata.sorted_tables for column in table.columns})


def test_no_column_can_be_set_by_naming_it_in_a_body(world, engine):
    ada = world.tenant()
    ben = world.member(ada)
    everything = dict.fromkeys(COLUMNS, 1) | {"isActive": True, "tenantId": "x", "plan": "paid", "rate": "0.01"}
    with engine.connect() as connection:
        before = [connection.execute(sa.select(table).order_by(table.c.id)).all() for table in (tenants, users)]
    answers = [
        patch(ada, f"users/{me(ben)}", {"displayName": "Ben", **everything}),
        patch(ada, "tenant", {"name": "Contoso", **everything}, **{"If-Match": "*"}),
        patch(ben, "me", {"displayName": "Ben", **everything}),
        ada.post("users", {"users": [{"email": "new@contoso.example", **everything}]}),
        ada.post("users", {"users": [{"email": "new@contoso.example"}], **everything}),
    ]
    with engine.connect() as connection:
        after = [connection.execute(sa.select(table).order_by(table.c.id)).all() for table in (tenants, users)]

    assert {answer.status for answer in answers} == {400}
    assert after == before


def test_an_unknown_id_is_not_found(world):
    ada = world.tenant()
    answers = [ada.get(f"users/{each}") for each in (new_id(), "nonsense", "0", me(world.tenant()))]

    assert {(answer.status, answer.code) for answer in answers} == {(404, "not_found")}
