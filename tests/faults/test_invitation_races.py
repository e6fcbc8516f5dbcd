"""Concurrent claims, merges and ends of an invitation, through two processes: exactly one takes effect."""

import datetime as dt
import uuid
from collections import Counter
from functools import partial

import sqlalchemy as sa

from shared import clock
from shared.app import build
from shared.db.schema import users
from shared.settings import Settings
from tenants.invitations.jobs import end_all_invitations
from tests.faults import product
from tests.faults.acknowledged_time import seats, violations
from tests.faults.test_people_races import me, patch, post
from tests.support.world import new_id


HOUR = 3_600_000


def invite(admin, base, address):
    [result] = post(admin, base, "users", {"users": [{"email": address}]}).body["results"]
    return result["user"]["id"]


def enter(admin, base, user, hour):
    body = {"organization": "contoso", "project": "Website", "workItemId": 7, "userId": user}
    times = {"startedAt": f"2026-11-20T{hour:02}:00:00Z", "stoppedAt": f"2026-11-20T{hour + 1:02}:00:00Z"}
    return post(admin, base, "entries", {**body, **times})


def correct(admin, entry, base):
    body = {"note": "right", "reason": "it was wrong"}
    return product.via(admin, base).patch(f"entries/{entry.body['id']}", body, version=1)


def total(admin, base):
    return product.via(admin, base).report(groupBy="user").body["totalMs"]


def sign_in(person, base):
    return product.via(person, base).post("sign-in", key=new_id())


def end_invitations(database_url, entra):
    """Runs the job like another process."""
    app = build(Settings.from_env(product.environment(database_url, entra)))
    end_all_invitations(app)
    app.engine.dispose()


def test_of_four_people_with_one_address_one_claims_the_invitation(two_hosts, entra, crowd, engine):
    for _ in range(3):
        ada = product.admin(entra, two_hosts[0])
        address = f"{new_id()}@contoso.example"
        invitation = invite(ada, two_hosts[0], address)
        people = [product.person(entra, two_hosts[0], ada.tid, email=address) for _ in range(4)]
        answers = crowd.at_once([partial(sign_in, one, two_hosts[n % 2]) for n, one in enumerate(people)])

        assert {answer.status for answer in answers} == {200}
        assert Counter(answer.body["user"]["id"] == invitation for answer in answers) == {True: 1, False: 3}
        assert seats(engine, ada.tid) == (5, 5)
        assert violations(engine) == []


def test_of_a_concurrent_claim_and_merge_one_takes_effect(two_hosts, entra, crowd, engine):
    for _ in range(4):
        ada = product.admin(entra, two_hosts[0])
        address = f"{new_id()}@contoso.example"
        invitation = invite(ada, two_hosts[0], address)
        for hour in range(3):
            assert enter(ada, two_hosts[0], invitation, hour).status == 201
        ben = product.person(entra, two_hosts[0], ada.tid)
        sign_in(ben, two_hosts[0])
        eve = product.person(entra, two_hosts[0], ada.tid, email=address)
        joined, merged = crowd.at_once(
            [
                partial(sign_in, eve, two_hosts[0]),
                partial(post, ada, two_hosts[1], f"users/{invitation}/merge", {"into": me(ben, two_hosts[0])}),
            ]
        )
        is_claimed = joined.body["user"]["id"] == invitation
        owner = eve if is_claimed else ben

        assert (joined.status, merged.status) == (200, 409 if is_claimed else 200)
        assert total(ada, two_hosts[0]) == 3 * HOUR
        assert len(product.via(owner, two_hosts[0]).entries()) == 3
        assert seats(engine, ada.tid)[0] == 3
        assert violations(engine) == []


def test_entries_added_and_corrected_during_two_merges_belong_to_the_person(
    two_hosts, entra, crowd, engine, app_database_url
):
    for _ in range(4):
        ada = product.admin(entra, two_hosts[0])
        invitation = invite(ada, two_hosts[0], f"{new_id()}@contoso.example")
        made = [enter(ada, two_hosts[0], invitation, hour) for hour in range(4)]
        ben, chloe = (product.person(entra, two_hosts[0], ada.tid) for _ in range(2))
        for person in (ben, chloe):
            sign_in(person, two_hosts[0])
        assert patch(ada, two_hosts[0], f"users/{me(chloe, two_hosts[0])}", {"role": "admin"}).status == 200
        into = {"into": me(ben, two_hosts[0])}
        answers = crowd.at_once(
            [
                partial(post, ada, two_hosts[0], f"users/{invitation}/merge", into),
                partial(post, ada, two_hosts[1], f"users/{invitation}/merge", into),
                *(partial(enter, chloe, two_hosts[n % 2], invitation, 10 + n) for n in range(4)),
                *(partial(correct, chloe, entry, two_hosts[n % 2]) for n, entry in enumerate(made)),
            ]
        )
        merges, entered, corrected = answers[:2], answers[2:6], answers[6:]
        end_invitations(app_database_url, entra)
        entry_count = 4 + sum(answer.status == 201 for answer in entered)
        entries = product.via(ben, two_hosts[0]).entries()

        assert sorted(answer.status for answer in merges) == [200, 404]
        assert {answer.status for answer in entered} <= {201, 404}
        assert {answer.status for answer in corrected} <= {200, 412}
        assert (len(entries), total(ada, two_hosts[0])) == (entry_count, entry_count * HOUR)
        assert sum(entry.get("note") == "right" for entry in entries) == sum(a.status == 200 for a in corrected)
        assert seats(engine, ada.tid)[0] == 3
        assert violations(engine) == []


def test_a_claim_at_the_end_of_an_invitation_takes_one_seat_at_most(two_hosts, entra, crowd, engine, app_database_url):
    ada = product.admin(entra, two_hosts[0])
    for _ in range(4):
        address = f"{new_id()}@contoso.example"
        invitation = invite(ada, two_hosts[0], address)
        before = seats(engine, ada.tid)[0]
        with engine.begin() as tx:
            soon = clock.now() + dt.timedelta(milliseconds=300)
            this = users.c.public_id == uuid.UUID(invitation)
            tx.execute(users.update().where(this).values(invitation_ends_at=soon))
        eve = product.person(entra, two_hosts[0], ada.tid, email=address)
        joined, _, _ = crowd.at_once(
            [
                partial(sign_in, eve, two_hosts[0]),
                partial(end_invitations, app_database_url, entra),
                partial(end_invitations, app_database_url, entra),
            ]
        )
        end_invitations(app_database_url, entra)
        with engine.connect() as connection:
            is_open = sa.select(users.c.is_active).where(users.c.public_id == uuid.UUID(invitation))
            still = connection.scalar(is_open)

        assert joined.status == 200
        is_claimed = joined.body["user"]["id"] == invitation
        assert still or not is_claimed
        assert seats(engine, ada.tid)[0] == before + (0 if is_claimed or not still else 1)
        assert violations(engine) == []
