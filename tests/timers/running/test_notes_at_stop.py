"""The note of a stop: part of the stop, and never newer than a later correction."""

import itertools

import pytest

from tests.support.world import START, new_id
from tests.timers.running.late import HOUR, MINUTE, start, stop
from timers.forgotten.jobs import stop_all_forgotten


@pytest.fixture
def ada(world, clock):
    """A person whose account is a day old, so that late events are valid."""
    clock.at = START - 24 * HOUR
    ada = world.tenant()
    clock.at = START
    return ada


def note(answer):
    assert answer.status == 200, answer.raw
    return answer.body.get("note")


def correct_note(person, entry_id, text):
    shown = person.get(f"entries/{entry_id}")
    return person.correct(shown, note=text)


@pytest.mark.parametrize(("sent", "stored"), [("reviewed", "reviewed"), (None, "planned")])
def test_a_stop_sets_the_note_or_keeps_the_timers(ada, clock, sent, stored):
    ada.start(7, note="planned")
    clock.tick(minutes=5)
    stopped = ada.post("timers/stop", {} if sent is None else {"note": sent})
    last = ada.log()[0]

    assert (note(stopped), stopped.body["version"]) == (stored, 1)
    assert (last["event"], last["after"]["note"]) == ("stopped", stored)


@pytest.mark.parametrize("wrong", ["", "  ", "x" * 401, 7])
def test_an_invalid_note_does_not_stop_the_timer(ada, wrong):
    ada.start(7)
    refused = ada.post("timers/stop", {"note": wrong})

    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/note")
    assert ada.running().status == 200


def test_a_repeated_stop_leaves_a_corrected_note(ada, clock):
    timer, key = ada.start(7).body["id"], new_id()
    clock.tick(minutes=5)
    first = ada.post("timers/stop", {"timerId": timer, "note": "from the stop"}, key=key)
    correct_note(ada, timer, "corrected")
    replayed = ada.post("timers/stop", {"timerId": timer, "note": "from the stop"}, key=key)
    repeated = ada.post("timers/stop", {"timerId": timer, "note": "from the stop"})

    assert (note(first), note(replayed), note(repeated)) == ("from the stop", "from the stop", "corrected")
    assert note(ada.get(f"entries/{timer}")) == "corrected"


def test_a_late_stop_sets_the_note_of_the_entry_that_a_switch_ended(ada, clock):
    timer = start(ada, START, timerId=new_id()).body["id"]
    clock.tick(hours=1)
    ada.start(8, switch=True)
    late = stop(ada, START + 30 * MINUTE, timerId=timer, note="from the stop")

    assert (note(late), late.body["elapsedMs"]) == ("from the stop", 30 * 60_000)


def test_a_stop_after_the_service_ended_the_timer_sets_the_note(ada, app, clock):
    timer = ada.start(7).body["id"]
    clock.tick(hours=13)
    stop_all_forgotten(app)

    assert note(stop(ada, timerId=timer, note="from the stop")) == "from the stop"


def test_a_stop_of_a_timer_that_a_switch_ended_changes_nothing(ada, clock):
    timer = ada.start(7, note="planned").body["id"]
    clock.tick(minutes=5)
    ada.start(8, switch=True)
    stopped = stop(ada, timerId=timer, note="from the stop")

    assert (note(stopped), stopped.body["version"]) == ("planned", 1)


def test_a_note_changed_after_the_instant_of_a_late_stop_stays(ada, clock):
    timer = ada.start(7).body["id"]
    clock.tick(hours=1)
    ada.patch("timers/running", {"note": "written later"})
    late = stop(ada, START + 30 * MINUTE, timerId=timer, note="from the stop")

    assert (note(late), late.body["elapsedMs"]) == ("written later", 30 * 60_000)


def test_a_note_changed_before_the_instant_of_a_late_stop_is_replaced(ada, clock):
    timer = ada.start(7).body["id"]
    clock.tick(minutes=10)
    ada.patch("timers/running", {"note": "written before"})
    clock.tick(hours=1)

    assert note(stop(ada, START + 30 * MINUTE, timerId=timer, note="from the stop")) == "from the stop"


def test_a_late_stop_and_a_correction_of_the_note_yield_the_correction_in_both_orders(ada, clock):
    def correct(timer):
        correct_note(ada, timer, "corrected")

    def stop_late(timer):
        assert stop(ada, at + 10 * MINUTE, timerId=timer, note="from the stop").status == 200

    notes = []
    for steps in itertools.permutations([correct, stop_late]):
        at = clock()
        timer = ada.start(7).body["id"]
        clock.tick(minutes=20)
        ada.start(8, switch=True)
        clock.tick(minutes=20)
        for step in steps:
            step(timer)
        notes.append((note(ada.get(f"entries/{timer}")), ada.get(f"entries/{timer}").body["elapsedMs"]))
        ada.stop()

    assert notes == [("corrected", 10 * 60_000)] * 2
