"""After any changes of entries, a replay of the log from its beginning yields exactly the entries."""

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.budget import tries
from tests.support.world import START, Answer


MINUTE = dt.timedelta(minutes=1)
minutes = st.integers(0, 3 * 24 * 60)
lengths = st.integers(1, 24 * 60)
which = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("enter"), minutes, lengths),
    st.tuples(st.just("timer"), st.integers(-3, 90)),
    st.tuples(st.just("times"), which, minutes, lengths),
    st.tuples(st.just("item"), which, st.sampled_from(["Website", "Billing"]), st.integers(1, 2)),
    st.tuples(st.just("note"), which, st.sampled_from([None, "a", "b"])),
    st.tuples(st.just("confirm"), which),
    st.tuples(st.just("delete"), which),
)


def between(ago, length):
    started_at = START - 10 * 24 * 60 * MINUTE - ago * MINUTE
    return started_at.isoformat(), (started_at + length * MINUTE).isoformat()


def do(person, clock, known, step):
    """One step on a person's entries; a step on a missing entry does nothing."""
    kind, *given = step
    if kind == "enter":
        added = person.enter(*between(*given))
        known.append(added)
    elif kind == "timer":
        person.start(7)
        clock.tick(minutes=given[0])
        known.append(person.stop())
    elif given[0] < len(known):
        old = known.pop(given[0])
        if kind == "times":
            started_at, stopped_at = between(*given[1:])
            known.append(person.correct(old, startedAt=started_at, stoppedAt=stopped_at))
        elif kind == "item":
            known.append(person.correct(old, project=given[1], workItemId=given[2]))
        elif kind == "note":
            known.append(person.correct(old, note=given[1]))
        elif kind == "confirm":
            known.append(person.patch(f"entries/{old.body['id']}", {"needsReview": False}, version=old.body["version"]))
        else:
            assert person.remove(old).status == 204


def replay(rows):
    """The entries of the log, replayed from its oldest row; each version follows the previous one."""
    replayed: dict[str, Any] = {}
    for row in reversed(rows):
        if row["event"] == "started":
            continue
        before, after = row.get("before"), row.get("after")
        assert replayed.pop(row["timerId"], None) == before
        assert row["entryVersion"] == (0 if before is None else before["version"]) + 1
        if after is None:
            assert row["event"] == "deleted"
        else:
            assert (after["version"], after["elapsedMs"]) == (row["entryVersion"], row["elapsedMs"])
            replayed[row["timerId"]] = after
    return replayed


@settings(max_examples=tries(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(steps, min_size=1, max_size=12))
def test_a_replay_of_the_log_yields_the_entries(world, clock, plan):
    clock.at = START
    ada = world.tenant("Europe/Berlin")
    known: list[Answer] = []
    for step in plan:
        do(ada, clock, known, step)
        assert all(answer.status in {200, 201} for answer in known)
    entries = {entry["id"]: entry for entry in ada.entries()}
    replayed = replay(ada.log())

    assert {answer.body["id"]: answer.body["version"] for answer in known} == {
        each: entry["version"] for each, entry in entries.items()
    }
    assert replayed.keys() == entries.keys()
    for each, entry in entries.items():
        shown = {name: value for name, value in replayed[each].items() if name != "timeZone"}
        assert shown == {name: entry[name] for name in shown}
        assert sum(day["elapsedMs"] for day in entry["days"]) == entry["elapsedMs"]
