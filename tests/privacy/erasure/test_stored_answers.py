"""A repeated request shows no data hidden since by a restriction or an erasure, and changes nothing."""

import pytest
import sqlalchemy as sa

from privacy.erasure import flow as erasure_flow
from shared.db.schema import idempotency_keys
from tests.support.scan import find_columns


def me(person):
    return person.get("me").body["id"]


def enter_for(admin, person_id, key):
    body = {"startedAt": "2026-11-19T09:00:00Z", "stoppedAt": "2026-11-19T10:00:00Z", "userId": person_id}
    work = {"organization": "contoso", "project": "Website", "workItemId": 42, "note": "with a doctor"}
    return admin.post("entries", {**work, **body}, key=key)


@pytest.fixture
def two(world):
    ada = world.tenant()
    return ada, world.member(ada)


@pytest.mark.parametrize("right", ["restricted", "objected", "consentWithdrawn"])
def test_after_a_restriction_a_repeated_request_shows_and_changes_nothing(two, engine, right):
    ada, ben = two
    first = enter_for(ada, me(ben), "for-ben")
    own = ada.enter(key="own")
    before = enter_for(ada, me(ben), "for-ben")
    ben.patch("privacy", {right: True})
    repeated = enter_for(ada, me(ben), "for-ben")
    ben.patch("privacy", {right: False})
    again = enter_for(ada, me(ben), "for-ben")

    assert (first.status, before.raw) == (201, first.raw)
    for each in (repeated, again):
        assert (each.status, each.raw, each.headers["Idempotent-Replayed"]) == (204, b"", "true")
    assert len(ben.entries()) == 1
    assert ada.enter(key="own").raw == own.raw
    assert "idempotency_keys.body" not in find_columns(engine, first.body["id"])


def test_the_persons_own_stored_responses_stay(two):
    _, ben = two
    first = ben.enter(key="mine")
    ben.patch("privacy", {"restricted": True})

    assert ben.enter(key="mine").raw == first.raw


def test_after_an_erasure_a_repeated_request_shows_nothing(app, world, clock, two):
    ada, ben = two
    ben_id = me(ben)
    ben.post("privacy/erasure", {"confirm": ben.email})
    clock.tick(days=2)
    ada = world.renew_token(ada)
    enter_for(ada, ben_id, "for-ben")
    clock.tick(days=1)
    erasure_flow.execute_due(app)
    repeated = enter_for(world.renew_token(ada), ben_id, "for-ben")

    assert (repeated.status, repeated.raw) == (204, b"")


def test_after_an_erasure_no_stored_response_has_the_person_in_a_note(app, world, clock, two, engine):
    ada, ben = two
    ben.post("privacy/erasure", {"confirm": ben.email})
    clock.tick(days=3)
    ada = world.renew_token(ada)
    ada.enter(note=f"ask {ben.email.upper()}", key="named")
    erasure_flow.execute_due(app)
    repeated = world.renew_token(ada).enter(note=f"ask {ben.email.upper()}", key="named")

    assert (repeated.status, repeated.raw) == (204, b"")
    assert find_columns(engine, ben.email) == set()


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("Dana Cruz", "Standup\nDana Cruz told me"),
        ("Dana Cruz", "Standup\tDana\nCruz told me"),
        ("Dana Cruz", "Standup\r\nDANA \t CRUZ"),
        ("Dana Cruz", 'the "Dana Cruz" desk'),
        ('Dana "Dee" Cruz', 'with Dana "Dee" Cruz'),
        ('李 "小" 龍', '李\t"小" 龍'),
        (None, "Standup\n{email}"),
        (None, "Standup\n{id}\tsaid so"),
    ],
)
def test_after_an_erasure_no_stored_response_has_the_person_next_to_escaped_json(app, world, clock, name, note):
    ada = world.tenant()
    gus, dana = world.member(ada, name="Gus"), world.member(ada, name=name)
    note = note.format(email=dana.email, id=me(dana))
    dana.post("privacy/erasure", {"confirm": dana.email})
    clock.tick(days=3)
    gus = world.renew_token(gus)
    sent = {"key": "g1", "note": note}
    assert gus.enter(**sent).status == 201
    erasure_flow.execute_due(app)
    repeated = world.renew_token(gus).enter(**sent)
    [entry] = world.renew_token(gus).entries()

    assert (repeated.status, repeated.raw) == (204, b"")
    assert "erased-" in entry["note"]
    assert not any(part in entry["note"] for part in (dana.email, "Cruz", "CRUZ", "龍"))


def test_a_response_stored_just_after_the_restriction_is_redacted_on_read(two, engine):
    """A request can read the person before the restriction and store its response after it."""
    ada, ben = two
    first = enter_for(ada, me(ben), "for-ben")
    own = idempotency_keys.c.body == first.raw.decode()
    with engine.begin() as tx:
        kept = tx.execute(sa.select(idempotency_keys).where(own)).mappings().one()
    ben.patch("privacy", {"restricted": True})
    with engine.begin() as tx:
        as_it_was = {name: kept[name] for name in ("status", "headers", "body")}
        tx.execute(idempotency_keys.update().where(idempotency_keys.c.id == kept["id"]).values(as_it_was))
    repeated = enter_for(ada, me(ben), "for-ben")

    assert (repeated.status, repeated.raw) == (204, b"")
    assert "idempotency_keys.body" not in find_columns(engine, first.body["id"])


def test_a_redacted_refusal_keeps_its_status_and_code(two, engine):
    ada, ben = two
    started = ada.start(7)
    refused = ada.start(8, key="refused")
    with engine.begin() as tx:  # a refusal with the person's id
        own = idempotency_keys.c.idempotency_key == "refused"
        body = refused.raw.decode().replace(refused.body["detail"], f"about {me(ben)}")
        tx.execute(idempotency_keys.update().where(own, idempotency_keys.c.status == 409).values(body=body))
    ben.patch("privacy", {"restricted": True})
    repeated = ada.start(8, key="refused")

    assert started.status == 201
    assert (repeated.status, repeated.code) == (409, refused.code)
    assert me(ben) not in repeated.raw.decode()
    assert repeated.body["detail"]


def test_stored_responses_are_in_no_export(two):
    ada, ben = two
    ben.start(7, key="k")
    exports = [ben.get("privacy/export"), ada.get("privacy/export", scope="tenant")]

    assert not any("storedAnswers" in each.body["sections"] for each in exports)
