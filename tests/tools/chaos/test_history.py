"""What a client may believe after what it was told."""

import datetime as dt

import pytest

from tools.chaos.clients.history import Attempt, Operation


AT = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([201], "acknowledged"),
        ([None], "unknown"),
        ([503], "unknown"),
        ([409], "refused"),
        ([None, 200], "acknowledged"),
        ([503, 503, 201], "acknowledged"),
        ([None, 409], "unknown"),  # the first sending may have been done, or be done yet
        ([503, 412], "unknown"),
    ],
)
def test_only_an_answer_settles_it_and_a_refusal_only_the_first(statuses, outcome):
    asked = Operation(1, "start", "POST", "timers/start", {}, "mark")
    asked.attempts = [Attempt(AT, AT, 0.1, status) for status in statuses]

    assert asked.outcome == outcome


def test_what_nobody_listened_to_is_not_done_but_what_was_sent_before_may_be():
    asked = Operation(1, "stop", "POST", "timers/stop", None, "mark")
    unheard = Attempt(AT, AT, 0.1, None, was_sent=False)

    asked.attempts = [unheard, unheard]
    assert asked.outcome == "refused"
    asked.attempts = [Attempt(AT, AT, 0.1, None), unheard]
    assert asked.outcome == "unknown"
