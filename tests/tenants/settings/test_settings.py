import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import slugs, tenants
from tests.support.world import read_pages


def change(person, body, **headers):
    return person.http.send("PATCH", "tenant", body, token=person.token, headers=headers)


def test_settings_are_changed_at_the_version_that_was_read(world):
    ada = world.tenant()
    read = ada.get("tenant")
    body = {
        "name": "Contoso Ltd",
        "slug": f"slug-{ada.tid[:8]}",
        "timeZone": "Asia/Tokyo",
        "azureDevOpsOrganization": "contoso-ltd",
        "adminEmail": "office@contoso.example",
        "forgottenTimerLimitMinutes": 480,
        "writeBack": True,
        "lowerRemainingWork": True,
    }
    changed = change(ada, body, **{"If-Match": read.headers["ETag"]})
    stale = change(ada, {"name": "Other"}, **{"If-Match": read.headers["ETag"]})

    assert changed.status == 200, changed.raw
    assert {name: changed.body[name] for name in body} == body
    assert changed.headers["ETag"] != read.headers["ETag"]
    assert (stale.status, stale.code) == (412, "precondition_failed")
    assert ada.get("tenant").body | {"notice": changed.body["notice"]} == changed.body


def test_a_change_without_a_version_is_refused(world):
    ada = world.tenant()
    refused = change(ada, {"name": "Contoso Ltd"})
    nonsense = change(ada, {"name": "Contoso Ltd"}, **{"If-Match": "soon"})

    assert (refused.status, refused.code) == (428, "if_match_required")
    assert (nonsense.status, nonsense.code) == (400, "invalid_if_match")
    assert ada.get("tenant").body["name"] == "Contoso"


def test_a_new_zone_is_in_force_from_now_on_and_history_keeps_its_days(world, clock):
    ada = world.tenant("UTC")
    clock.set("2026-11-23T23:30:00+00:00")
    ada.start(1)
    clock.tick(minutes=10)
    ada.stop()
    change(ada, {"timeZone": "Asia/Tokyo"}, **{"If-Match": "*"})
    ada.start(2)
    clock.tick(minutes=10)
    ada.stop()

    assert [day["date"] for day in ada.report().body["days"]] == ["2026-11-23", "2026-11-24"]
    assert ada.report().body["timeZone"] == "Asia/Tokyo"


def test_a_slug_belongs_to_one_tenant(world):
    ada, bob = world.tenant(), world.tenant()
    taken = ada.get("tenant").body["slug"]
    refused = change(bob, {"slug": taken, "name": "New name"}, **{"If-Match": "*"})

    assert (refused.status, refused.code) == (409, "slug_taken")
    assert bob.get("tenant").body["name"] == "Contoso"


def take(person, slug):
    return change(person, {"slug": slug}, **{"If-Match": "*"})


def test_a_tenant_may_return_to_a_former_slug_which_nobody_else_gets(world):
    ada, bob = world.tenant(), world.tenant()
    first = ada.get("tenant").body["slug"]
    second = f"second-{ada.tid[:8]}"
    moved = take(ada, second)
    stolen, stolen_too = take(bob, first), take(bob, second)
    back = take(ada, first)
    stolen_later = take(bob, second)

    assert (moved.status, back.status) == (200, 200)
    assert {(each.status, each.code) for each in (stolen, stolen_too, stolen_later)} == {(409, "slug_taken")}
    assert ada.get("tenant").body["slug"] == first
    assert bob.get("tenant").body["slug"] not in {first, second}


def test_a_tenant_has_at_most_ten_slugs_ever_and_may_return_to_each(world):
    ada, bob = world.tenant(), world.tenant()
    first = ada.get("tenant").body["slug"]
    more = [f"slug-{number}-{ada.tid[:8]}" for number in range(10)]
    taken = [take(ada, slug).status for slug in more[:9]]
    refused = take(ada, more[9])
    back, back_again = take(ada, first), take(ada, more[3])

    assert taken == [200] * 9
    assert (refused.status, refused.code) == (409, "slug_limit_reached")
    assert "ten slugs" in refused.body["detail"]
    assert (back.status, back_again.status) == (200, 200)
    assert take(bob, more[9]).status == 200


def test_concurrent_changes_do_not_exceed_the_limit_of_slugs(world, engine):
    ada = world.tenant()
    ben = world.member(ada)
    [account] = [each for each in ada.get("users").body["items"] if each["email"] == ben.email]
    promoted = ada.patch(f"users/{account['id']}", {"role": "super_admin"}, version=account["version"])
    assert promoted.status == 200, promoted.raw
    for number in range(8):
        take(ada, f"slug-{number}-{ada.tid[:8]}")
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(take, person, f"{person.oid[:8]}-{ada.tid[:8]}") for person in (ada, ben)]
    of_ada = sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)).scalar_subquery()
    with engine.connect() as tx:
        count = tx.scalar(sa.select(sa.func.count()).where(slugs.c.tenant_id == of_ada))
    [first, second] = sorted(each.result().status for each in both)

    assert (first, second in {409, 412}, count) == (200, True, 10)


@pytest.mark.parametrize(
    "slug",
    [
        *("admin", "microsoft", "api", "xn--80ak6aa92e", "ab--c"),
        *("0f3a7c55-6a51-4f0e-9d4e-3a2b1c0d9e8f", "0f3a7c556a514f0e9d4e3a2b1c0d9e8f"),
    ],
)
def test_a_misleading_slug_is_reserved(world, slug):
    ada = world.tenant()
    refused = take(ada, slug)

    assert (refused.status, refused.code) == (409, "slug_taken")
    assert "reserved" in refused.body["detail"]


def test_a_tenant_may_keep_a_slug_that_was_reserved_later(world, app):
    ada = world.tenant()
    slug = ada.get("tenant").body["slug"]
    mine = tenants.c.entra_tenant_id == uuid.UUID(ada.tid)
    with app.transaction(tenant=ALL_TENANTS) as tx:
        tx.execute(tenants.update().where(mine).values(slug="dashboard"))
    kept = change(ada, {"slug": "dashboard", "name": "Renamed"}, **{"If-Match": "*"})
    moved, back = take(ada, slug), take(ada, "dashboard")
    take(ada, slug)

    assert [each.status for each in (kept, moved, back)] == [200, 200, 200]


def test_of_two_concurrent_tenants_one_gets_the_slug(world):
    """The second one violates the unique key of all slugs, whatever it read before."""
    rivals = [world.tenant() for _ in range(4)]
    wanted = f"wanted-{rivals[0].tid[:8]}"
    with ThreadPoolExecutor(len(rivals)) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda person: take(person, wanted), rivals))

    assert statuses == [200, 409, 409, 409]


def test_admins_read_settings_and_only_super_admins_the_purchase(world):
    ada = world.tenant()
    ben = world.member(ada)
    path = f"users/{ben.get('me').body['id']}"
    ada.http.send("PATCH", path, {"role": "admin"}, token=ada.token)

    assert "planDetail" not in ben.get("tenant").body
    assert "planDetail" in ada.get("tenant").body
    assert change(ben, {"name": "Mine"}, **{"If-Match": "*"}).code == "role_required"


def test_a_change_without_effect_is_not_recorded(world):
    ada = world.tenant()
    before = ada.get("tenant")
    same = change(ada, {"name": "Contoso"}, **{"If-Match": before.headers["ETag"]})

    assert same.headers["ETag"] == before.headers["ETag"]
    assert [row["action"] for row in ada.get("audit").body["items"]] == ["tenant.created"]


def test_a_change_is_recorded_without_names_or_addresses(world):
    ada = world.tenant()
    change(ada, {"name": "Jane Doe Ltd", "adminEmail": "jane@doe.example", "writeBack": True}, **{"If-Match": "*"})
    record = ada.get("audit").body["items"][0]

    assert record["action"] == "tenant.changed"
    assert record["before"] == {"writeBack": False}
    assert record["after"] == {"writeBack": True, "changed": ["name", "adminEmail", "writeBack"]}


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"timeZone": "Mars/Base"}, "/timeZone"),
        ({"slug": "Not A Slug"}, "/slug"),
        ({"adminEmail": "nobody"}, "/adminEmail"),
        ({"forgottenTimerLimitMinutes": 1}, "/forgottenTimerLimitMinutes"),
        ({"writeBack": "yes"}, "/writeBack"),
        ({"plan": "paid"}, "/plan"),
        ({}, ""),
    ],
)
def test_a_wrong_setting_is_named(world, body, wrong):
    refused = change(world.tenant(), body, **{"If-Match": "*"})

    assert (refused.status, [error["pointer"] for error in refused.body["errors"]]) == (400, [wrong])


def test_the_audit_log_is_read_page_by_page_and_only_by_super_admins(world):
    ada = world.tenant()
    ben = world.member(ada)
    for number in range(5):
        change(ada, {"forgottenTimerLimitMinutes": 100 + number}, **{"If-Match": "*"})
    pages, link = [], "audit?pageSize=3"
    while link:
        page = ada.get(link).body
        pages.append([row["id"] for row in page["items"]])
        link = page.get("nextLink")

    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({row for page in pages for row in page}) == 7
    assert ben.get("audit").code == "role_required"


def test_the_audit_log_is_filtered_by_days_action_and_person_at_once(world, clock, record_statements):
    ada = world.tenant("Europe/Berlin")
    clock.set("2026-11-30T22:59:59Z")
    ben = world.member(ada, name="Ben Baker")
    bens, adas = (each.get("me").body["id"] for each in (ben, ada))
    for number, at in enumerate(("11-30T22:59:59.999", "11-30T23:00:00", "12-01T09:00:00")):
        clock.set(f"2026-{at}Z")
        change(world.renew_token(ada), {"forgottenTimerLimitMinutes": 100 + number}, **{"If-Match": "*"})
    ada = world.renew_token(ada)
    ada.patch(f"users/{bens}", {"role": "admin"})
    november = read_pages(ada, "audit?from=2026-11-01&to=2026-11-30&pageSize=1")
    changes = read_pages(ada, "audit?action=tenant.changed&from=2026-12-01&pageSize=1")
    of_ben = read_pages(ada, f"audit?user={bens}&pageSize=1")
    with record_statements() as sent:
        by_ada = ada.get("audit", user="me", action="role.changed").body["items"]

    assert [row["action"] for row in november] == ["tenant.changed", "user.joined", "tenant.created"]
    assert [row["after"]["forgottenTimerLimitMinutes"] for row in changes] == [102, 101]
    assert [row["action"] for row in of_ben] == ["role.changed", "user.joined"]
    assert [(row["actorId"], row["subjectUserId"]) for row in by_ada] == [(adas, bens)]
    assert (by_ada[0]["actor"]["displayName"], by_ada[0]["subjectUser"]["displayName"]) == (ada.name, "Ben Baker")
    assert len(sent) == 2, sent  # caller, rows


def test_a_wrong_filter_of_the_audit_log_is_named(world):
    ada = world.tenant()
    wrong = [("action", {"action": "tenant.vanished"}), ("to", {"from": "2026-11-02", "to": "2026-11-01"})]
    for name, params in wrong:
        refused = ada.get("audit", **params)

        assert (refused.status, [error["pointer"] for error in refused.body["errors"]]) == (400, [name])
    assert ada.get("audit", user="nonsense").status == 404


def test_the_audit_log_has_no_name_of_a_person_whose_processing_is_stopped(world):
    ada = world.tenant()
    ben = world.member(ada, name="Ben Baker")
    named = ada.get("audit").body["items"][0]["subjectUser"]
    ben.patch("privacy", {"restricted": True})
    rows = [row for row in ada.get("audit").body["items"] if row.get("subjectUserId") == named["id"]]

    assert named["displayName"] == "Ben Baker"
    assert rows
    assert {row["subjectUser"].get("displayName") for row in rows} == {None}
