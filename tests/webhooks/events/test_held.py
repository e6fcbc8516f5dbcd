"""While a restored database is held, Microsoft has to repeat its events, and nothing is lost."""

import pytest

from tests.support.installations import change, own
from tests.support.marketplace import wait_until
from tests.support.world import START
from webhooks.events.jobs import reconcile_all


@pytest.fixture
def restore_hold(engine, purchase):  # noqa: ARG001 - it was bought before
    with own(engine):
        change(engine, held_since=START, held_reason="begun")
        yield lambda: change(engine, held_since=None, held_reason=None)


def test_an_event_is_503_until_the_restore_is_accepted_and_then_applied(purchase, restore_hold):
    operation = purchase.execute("change", quantity=9)
    wait_until(lambda: len(purchase.attempts(operation)) >= 2)
    before = purchase.terms
    restore_hold()
    wait_until(lambda: purchase.attempts(operation)[-1] == 200)

    assert set(purchase.attempts(operation)[:-1]) == {503}
    assert before == ("subscribed", "seats", 5)
    assert purchase.terms == ("subscribed", "seats", 9)


def test_the_daily_comparison_waits_too(purchase, restore_hold, app):
    operation = purchase.execute("unsubscribe")
    wait_until(lambda: purchase.attempts(operation))
    reconcile_all(app)
    before = purchase.terms[0]
    restore_hold()
    reconcile_all(app)

    assert (before, purchase.terms[0]) == ("subscribed", "unsubscribed")
