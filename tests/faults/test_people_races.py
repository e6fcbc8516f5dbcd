"""Concurrent changes by admins of one tenant, through two processes, keep the rules about people."""

from collections import Counter
from functools import partial

from tests.faults import product
from tests.faults.acknowledged_time import seats, violations
from tests.support.world import new_id


def me(person, base):
    return product.via(person, base).get("me").body["id"]


def patch(person, base, path, body):
    http = product.connect(base)
    return http.send("PATCH", path, body, token=person.token)


def post(person, base, path, body=None):
    return product.via(person, base).post(path, body, key=new_id())


def super_admins(entra, base, count, tid=None):
    """A tenant with `count` super admins; the first registered it."""
    first = product.admin(entra, base, tid)
    others = [product.person(entra, base, first.tid) for _ in range(count - 1)]
    for other in others:
        assert post(other, base, "sign-in").status == 200
        assert patch(first, base, f"users/{me(other, base)}", {"role": "super_admin"}).status == 200
    return [first, *others]


def roles(person, base):
    return Counter(user["role"] for user in product.via(person, base).get("users").body["items"])


def test_of_twenty_invitations_to_one_free_seat_one_is_made(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    first = {"users": [{"email": f"{number}@contoso.example"} for number in range(3)]}
    assert post(ada, two_hosts[0], "users", first).body["added"] == 3
    calls = [
        partial(post, ada, two_hosts[n % 2], "users", {"users": [{"email": f"late{n}@contoso.example"}]})
        for n in range(20)
    ]
    answers = crowd.at_once(calls)
    results = [answer.body["results"][0] for answer in answers]

    assert {answer.status for answer in answers} == {200}
    assert Counter(result.get("problem", {}).get("code") for result in results) == {
        None: 1,
        "trial_user_limit_reached": 19,
    }
    assert seats(engine, ada.tid) == (5, 5)


def test_the_same_address_invited_twenty_times_at_once_is_one_account(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    body = {"users": [{"email": "ben@contoso.example"}]}
    answers = crowd.at_once([partial(post, ada, two_hosts[n % 2], "users", body) for n in range(20)])

    assert sum(answer.body["added"] for answer in answers) == 1
    assert seats(engine, ada.tid) == (2, 2)


def test_when_super_admins_demote_each_other_at_once_one_stays(two_hosts, entra, internal_tids, crowd):
    for round_number in range(4):
        people = super_admins(entra, two_hosts[0], 2, internal_tids[8 + round_number])
        targets = [me(person, two_hosts[0]) for person in reversed(people)]
        answers = crowd.at_once(
            [
                partial(patch, person, two_hosts[n % 2], f"users/{target}", {"role": "user"})
                for n, (person, target) in enumerate(zip(people, targets, strict=True))
            ]
        )

        assert sorted(answer.status for answer in answers) in ([200, 403], [200, 409]), [a.raw for a in answers]
        winner = people[[answer.status for answer in answers].index(200)]
        assert roles(winner, two_hosts[0]) == {"super_admin": 1, "user": 1}


def test_when_all_super_admins_leave_at_once_one_stays(two_hosts, entra, internal_tids, crowd, engine):
    people = super_admins(entra, two_hosts[0], 4, internal_tids[12])
    ids = [me(person, two_hosts[0]) for person in people]
    answers = crowd.at_once(
        [
            partial(post, person, two_hosts[n % 2], f"users/{own}/deactivate")
            for n, (person, own) in enumerate(zip(people, ids, strict=True))
        ]
    )
    statuses = [answer.status for answer in answers]
    left = people[statuses.index(409)]

    assert sorted(statuses) == [200, 200, 200, 409]
    assert product.via(left, two_hosts[0]).get("me").body["role"] == "super_admin"
    assert seats(engine, left.tid)[0] == 1


def test_a_deactivation_meets_the_persons_own_stop_and_the_time_is_kept_once(
    two_hosts, entra, internal_tids, crowd, engine
):
    ada = product.admin(entra, two_hosts[0], internal_tids[13])
    for _ in range(6):
        ben = product.person(entra, two_hosts[0], ada.tid)
        post(ben, two_hosts[0], "sign-in")
        ben_id = me(ben, two_hosts[0])
        started = product.via(ben, two_hosts[0]).start(7)
        stopped, closed = crowd.at_once(
            [
                partial(post, ben, two_hosts[0], "timers/stop"),
                partial(post, ada, two_hosts[1], f"users/{ben_id}/deactivate"),
            ]
        )
        log = product.via(ada, two_hosts[0]).get("timer-log", user=ben_id).body["items"]

        assert closed.status == 200
        assert stopped.status in {200, 403}
        assert [(row["event"], row["timerId"]) for row in log] == [
            ("stopped", started.body["id"]),
            ("started", started.body["id"]),
        ]
    assert violations(engine) == []
