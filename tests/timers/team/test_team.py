from tests.support.world import WORK_ITEM


def test_an_admin_sees_all_running_timers_with_their_users(world, clock):
    ada, eve = world.tenant(), world.tenant()
    ben, chloe = world.member(ada), world.member(ada)
    started = chloe.start(7, note="why")
    clock.tick(minutes=5)
    ben.start(8)
    eve.start(9)
    clock.tick(minutes=5)
    page = ada.get("timers").body

    assert page["items"][0] == {
        **started.body,
        "elapsedMs": 600_000,
        "user": {"id": started.body["userId"], "displayName": chloe.name, "email": chloe.email},
    }
    assert [item["workItemId"] for item in page["items"]] == [7, 8]
    assert "nextLink" not in page


def test_only_an_admin_sees_all_running_timers(world):
    ben = world.member(world.tenant())
    refused = ben.get("timers")

    assert (refused.status, refused.code) == (403, "role_required")


def test_pages_of_timers_continue_when_the_last_one_of_a_page_has_stopped(world, clock):
    ada = world.tenant()
    people = [ada, *(world.member(ada) for _ in range(4))]
    for number, person in enumerate(people):
        if number % 2 == 0:
            clock.tick(minutes=1)
        assert person.post("timers/start", {**WORK_ITEM, "workItemId": number + 1}).status == 201
    seen, link = [], "timers?pageSize=1"
    while link:
        page = ada.get(link).body
        seen += [item["workItemId"] for item in page["items"]]
        link = page.get("nextLink")
        assert people[seen[-1] - 1].stop().status == 200

    assert len(seen) == 5
    assert (seen[0], set(seen[1:3]), set(seen[3:])) in [
        (first, {1, 2, 3, 4, 5} - {first} - set(seen[3:]), set(seen[3:])) for first in (1, 2)
    ]


def test_an_invalid_cursor_of_timers_is_refused(world):
    ada = world.tenant()
    ada.start(7)

    assert ada.get("timers", after="nonsense").code == "invalid_query"
