"""The result of a request as known to the client."""

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
        ([None, 409], "unknown"),  # the first attempt may be processed
        ([503, 412], "unknown"),
    ],
)
def test_a_refusal_counts_only_without_an_earlier_unknown_attempt(statuses, outcome):
    operation = Operation(1, "start", "POST", "timers/start", {}, "mark")
    operation.attempts = [Attempt(AT, AT, 0.1, status) for status in statuses]

    assert operation.outcome == outcome


def test_a_refused_connection_is_not_processed_but_an_earlier_attempt_may_be():
    operation = Operation(1, "stop", "POST", "timers/stop", None, "mark")
    not_sent = Attempt(AT, AT, 0.1, None, was_sent=False)

    operation.attempts = [not_sent, not_sent]
    assert operation.outcome == "refused"
    operation.attempts = [Attempt(AT, AT, 0.1, None), not_sent]
    assert operation.outcome == "unknown"
