"""Concurrent changes of an entry by several people, through two processes."""

import datetime as dt
from functools import partial

from shared import clock
from tests.faults import product
from tests.faults.acknowledged_time import violations
from tests.faults.product import via


def enter(person, base, *, key=None):
    stopped_at = clock.now() - dt.timedelta(hours=1)
    started_at = stopped_at - dt.timedelta(hours=1)
    return via(person, base).enter(started_at.isoformat(), stopped_at.isoformat(), key=key)


def change_work_item(person, base, entry, number):
    return via(person, base).correct(entry, workItemId=number)


def test_of_many_corrections_of_one_version_one_is_made(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    for _ in range(5):
        entry = enter(ada, two_hosts[0])
        answers = crowd.at_once([partial(change_work_item, ada, two_hosts[n % 2], entry, n) for n in range(1, 9)])
        made = [answer for answer in answers if answer.status == 200]
        left = via(ada, two_hosts[0]).get(f"entries/{entry.body['id']}")

        assert sorted(answer.status for answer in answers) == [200, *[412] * 7]
        assert {answer.code for answer in answers if answer.status == 412} == {"precondition_failed"}
        assert left.body == made[0].body
    assert violations(engine) == []


def test_of_two_changes_of_one_version_in_two_processes_one_succeeds(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    ben = product.person(entra, two_hosts[0], ada.tid)
    assert via(ben, two_hosts[0]).post("sign-in").status == 200
    for _ in range(8):
        entry = enter(ben, two_hosts[0])
        corrected, deleted = crowd.at_once(
            [
                lambda entry=entry: via(ben, two_hosts[0]).correct(entry, note="longer"),
                lambda entry=entry: via(ada, two_hosts[1]).remove(entry),
            ]
        )

        assert (corrected.status, deleted.status) in {(200, 412), (404, 204), (412, 204)}
    assert violations(engine) == []


def test_one_entry_sent_twelve_times_at_once_with_one_key_is_one_entry(two_hosts, entra, crowd):
    ada = product.admin(entra, two_hosts[0])
    stopped_at = clock.now() - dt.timedelta(hours=1)
    times = ((stopped_at - dt.timedelta(hours=1)).isoformat(), stopped_at.isoformat())
    answers = crowd.at_once(
        [partial(lambda base: via(ada, base).enter(*times, key="entry"), two_hosts[n % 2]) for n in range(12)]
    )

    assert {(answer.status, answer.raw) for answer in answers} == {(201, answers[0].raw)}
    assert len(via(ada, two_hosts[1]).entries()) == 1


def set_day(person, base, day, elapsed_ms, *, expected_ms=0, **more):
    body = {"project": "Website", "elapsedMs": elapsed_ms, "expectedMs": expected_ms, **more}
    return person.http.send("PUT", f"{base}/api/days/{day}/work-items/contoso/42", body, token=person.token)


def test_of_many_changes_of_a_day_by_several_people_each_sees_the_one_before(two_hosts, entra, crowd, engine):
    ada = product.admin(entra, two_hosts[0])
    ben = product.person(entra, two_hosts[0], ada.tid)
    assert via(ben, two_hosts[0]).post("sign-in").status == 200
    bens = via(ben, two_hosts[0]).get("me").body["id"]
    today = clock.now().date()
    for number in range(1, 6):
        day = today - dt.timedelta(days=number)
        answers = crowd.at_once(
            [
                partial(set_day, (ada, ben)[n % 2], two_hosts[n // 2 % 2], day, n * 1000, userId=bens)
                for n in range(1, 9)
            ]
        )
        [made] = [answer for answer in answers if answer.status == 200]
        [entry] = via(ben, two_hosts[0]).entries(**{"from": str(day), "to": str(day)})

        assert sorted(answer.status for answer in answers) == [200, *[409] * 7]
        present = [(answer.code, answer.body["elapsedMs"]) for answer in answers if answer.status == 409]
        assert present == [("day_changed", made.body["elapsedMs"])] * 7
        assert [{**each, "user": entry["user"]} for each in made.body["entries"]] == [entry]
    assert violations(engine) == []


def test_durations_entered_at_once_by_several_people_do_not_overlap(two_hosts, entra, crowd):
    ada = product.admin(entra, two_hosts[0])
    ben = product.person(entra, two_hosts[0], ada.tid)
    assert via(ben, two_hosts[0]).post("sign-in").status == 200
    bens = via(ben, two_hosts[0]).get("me").body["id"]
    day = str(clock.now().date() - dt.timedelta(days=2))
    work = {"organization": "contoso", "project": "Website", "workItemId": 42, "userId": bens}
    body = {**work, "date": day, "elapsedMs": 3_600_000}
    answers = crowd.at_once(
        [lambda n=n: via((ada, ben)[n % 2], two_hosts[n // 2 % 2]).post("entries", body) for n in range(12)]
    )
    entries = via(ben, two_hosts[0]).entries()

    assert {answer.status for answer in answers} == {201}
    assert len(entries) == 12
    assert not any("overlapsWith" in entry for entry in entries)


def test_two_admins_who_set_each_others_day_both_succeed(two_hosts, entra, crowd):
    ada = product.admin(entra, two_hosts[0])
    ben = product.person(entra, two_hosts[0], ada.tid)
    assert via(ben, two_hosts[0]).post("sign-in").status == 200
    adas, bens = (via(each, two_hosts[0]).get("me").body["id"] for each in (ada, ben))
    assert via(ada, two_hosts[0]).patch(f"users/{bens}", {"role": "admin"}).status == 200
    today = clock.now().date()
    for number in range(1, 5):
        day = today - dt.timedelta(days=number)
        answers = crowd.at_once(
            [
                partial(set_day, ada, two_hosts[0], day, 1000, userId=bens),
                partial(set_day, ben, two_hosts[1], day, 2000, userId=adas),
            ]
        )

        assert [(answer.status, answer.body["elapsedMs"]) for answer in answers] == [(200, 1000), (200, 2000)]
