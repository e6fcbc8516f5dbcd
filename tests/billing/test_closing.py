"""Which months are closed, who is on their bills, and what they come to, on both databases."""

from decimal import Decimal

import pytest

from tests.support.payers import Payer, at


@pytest.fixture
def payer(app, engine):  # noqa: ARG001 - the app's end checks every invariant
    return Payer.make(engine)


def test_a_month_is_closed_when_it_has_ended_and_not_before(payer):
    payer.pays(at("2026-01-01"))
    payer.signs_in(payer.people[0], at("2026-01-10T09:00"))
    too_early = payer.close(at("2026-01-31T23:59:59.999"))
    [record] = payer.close(at("2026-02-01"))

    assert too_early == []
    assert (record.period.month, record.period.kind) == (202601, "month")
    assert (record.period.starts_at, record.period.ends_at) == (at("2026-01-01"), at("2026-02-01"))
    assert (record.active_users, record.total) == (1, Decimal("4.50"))
    assert payer.closed_months() == [202601]
