"""A client that keeps a copy of the entries, and asks for what has changed."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.budget import tries
from timers.entries import rules as entries_rules


ROOT = Path(__file__).resolve().parents[3]


def synchronize(person, state, since):
    """One synchronization, as the guide describes it; the time of the next one."""
    link, following = f"entries?changedSince={since}&pageSize=2", None
    while link:
        page = person.get(link)
        assert page.status == 200, page.raw
        following = following or page.body["nextChangedSince"]
        state |= {entry["id"]: entry for entry in page.body["items"]}
        link = page.body.get("nextLink")
    before = dt.date.fromisoformat(since[:10]) - dt.timedelta(days=1)
    link = f"timer-log?event=deleted&from={before}&pageSize=2"
    while link:
        page = person.get(link)
        for row in page.body["items"]:
            state.pop(row["timerId"], None)
        link = page.body.get("nextLink")
    return following


def change(person, entry, note):
    """Changes the note of an entry, or deletes the entry if there is none; the status."""
    path, reason = f"entries/{entry['id']}", {"reason": "by mistake"}
    if note is not None:
        return person.patch(path, {"note": note, **reason}, version=entry["version"]).status
    headers = {"If-Match": "*"}
    return person.http.send("POST", f"{path}/delete", reason, token=person.token, headers=headers).status


STEP = st.tuples(st.sampled_from(["enter", "correct", "delete", "late", "sync"]), st.integers(0, 5), st.integers(0, 90))


@settings(max_examples=tries(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(zone=st.sampled_from(["UTC", "Pacific/Honolulu", "Pacific/Kiritimati"]), steps=st.lists(STEP, max_size=12))
def test_a_client_that_synchronizes_has_every_entry_and_no_deleted_one(world, clock, zone, steps):
    """`late`: a transaction that ends now and read its time up to half an hour ago."""
    ada = world.tenant(zone)
    state: dict[str, Any] = {}
    since = "2026-11-01T00:00:00Z"
    for number, (step, which, minutes) in enumerate(steps):
        clock.tick(minutes=minutes)
        ada = world.renew_token(ada)
        entries = ada.entries()
        if step == "enter":
            assert ada.enter(f"2026-11-{number + 1:02}T09:00:00Z", f"2026-11-{number + 1:02}T10:00:00Z").status == 201
        elif step == "sync":
            since = synchronize(ada, state, since)
        elif entries:
            entry = entries[which % len(entries)]
            now = clock()
            clock.tick(minutes=-min(minutes, 30) if step == "late" else 0)
            status = change(world.renew_token(ada), entry, None if step == "delete" else f"note {number}")
            clock.at = now
            assert status in (200, 204)
    synchronize(ada, state, since)

    assert sorted(state.items()) == sorted((entry["id"], entry) for entry in world.renew_token(ada).entries())


def test_a_synchronization_reads_again_what_a_transaction_may_still_write():
    """The platform ends every function by then, and with it the transaction."""
    hours, minutes, seconds = map(int, json.loads((ROOT / "host.json").read_text())["functionTimeout"].split(":"))

    assert dt.timedelta(hours=hours, minutes=minutes + 5, seconds=seconds) <= entries_rules.SYNC_OVERLAP


def test_a_synchronization_names_the_next_one_on_its_first_page_only(world):
    ada = world.tenant()
    for _ in range(2):
        ada.enter()
    first = ada.get("entries?changedSince=2026-11-01T00:00:00.123456%2B01:00&pageSize=1").body
    second = ada.get(first["nextLink"]).body

    assert first["nextChangedSince"] == "2026-11-23T08:25:00.000Z"
    assert second.keys() == {"items"}
    assert "nextChangedSince" not in ada.get("entries").body
