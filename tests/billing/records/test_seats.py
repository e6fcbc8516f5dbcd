"""The seats of a period, compared with a model that computes each hour by itself."""

import datetime as dt
import itertools
import uuid
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.records.seat_rules import ListedPrice, SeatChange, seat_spans
from billing.subscriptions.rules import term_text
from shared.db.schema import subscription_rates
from tests.billing.records.test_statement import text_of
from tests.support.tenant_bills import start_paid_plan


OCTOBER = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
NOVEMBER = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
BOUGHT = uuid.UUID(int=4712)
HOUR = dt.timedelta(hours=1)
HOURS = 48
hours = st.integers(-10, HOURS + 10)
changes = st.lists(st.tuples(hours, st.sampled_from("ab"), st.none() | st.integers(0, 3)), max_size=6)
prices = st.lists(
    st.tuples(hours, st.sampled_from("ab"), st.integers(1, 3)), max_size=5, unique_by=lambda each: each[0]
)


def october(day, hour=0):
    return dt.datetime(2026, 10, day, hour, tzinfo=dt.UTC)


def price(at, plan="team", amount="6.00"):
    return ListedPrice(at, plan, Decimal(amount), "USD", "P1M")


def spans(events, listed=(), starts_at=OCTOBER, ends_at=NOVEMBER):
    return seat_spans(events, listed, starts_at=starts_at, ends_at=ends_at)


def test_unchanged_seats_are_one_span():
    (span,) = spans([SeatChange(OCTOBER, "team", 20), SeatChange(october(5), "team", 20)], [price(OCTOBER)])

    assert (span.starts_at, span.ends_at, span.seats, span.price) == (OCTOBER, NOVEMBER, 20, price(OCTOBER))


def test_the_price_of_another_plan_is_never_used():
    found = spans([SeatChange(OCTOBER, "team", 1), SeatChange(october(9), "more", 1)], [price(OCTOBER)])

    assert [(span.plan_id, span.price is None) for span in found] == [("team", False), ("more", True)]


def test_a_price_read_shortly_after_the_plan_began_counts_from_its_beginning():
    later = october(9) + dt.timedelta(seconds=4)
    events = [SeatChange(OCTOBER, "team", 1), SeatChange(october(9), "more", 1)]
    found = spans(events, [price(OCTOBER), price(later, "more", "9.00")])

    assert [(span.starts_at, span.price.amount) for span in found] == [
        (OCTOBER, Decimal("6.00")),
        (october(9), Decimal("9.00")),
    ]


def test_a_new_price_at_a_renewal_begins_another_span():
    found = spans([SeatChange(OCTOBER, "team", 2)], [price(OCTOBER), price(october(15), amount="7.00")])

    assert [(span.starts_at, span.price.amount) for span in found] == [
        (OCTOBER, Decimal("6.00")),
        (october(15), Decimal("7.00")),
    ]


@given(changes, prices)
@example([(0, "a", 1), (1, "a", None), (2, "a", 1)], [])  # a stretch without seats is no part of those beside it
def test_each_hour_has_the_seats_and_price_of_the_ledger_at_that_time(recorded, listed):
    def at(hour):
        return OCTOBER + hour * HOUR

    found = spans(
        [SeatChange(at(hour), plan, number) for hour, plan, number in recorded],
        [price(at(hour), plan, str(amount)) for hour, plan, amount in sorted(listed)],
        ends_at=at(HOURS),
    )

    for hour in range(HOURS):
        now, clock = (recorded[0] if recorded else None), -100
        for each in recorded:
            clock = max(clock, each[0])
            if clock <= hour:
                now = each
        inside = [span for span in found if span.starts_at <= at(hour) < span.ends_at]
        if now is None or now[2] is None:
            assert inside == []
            continue
        of_plan = sorted(each for each in listed if each[1] == now[1])
        known = [each for each in of_plan if each[0] <= hour][-1:] or of_plan[:1]
        (span,) = inside
        assert (span.plan_id, span.seats) == (now[1], now[2])
        assert (span.price and span.price.amount) == (known[0][2] if known else None)
    for one, other in itertools.pairwise(found):
        assert one.ends_at <= other.starts_at
        assert one.ends_at < other.starts_at or (one.plan_id, one.seats, one.price) != (
            other.plan_id,
            other.seats,
            other.price,
        )


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("P1M", "month"),
        ("P3M", "3 months"),
        ("P1Y", "year"),
        ("P5Y", "5 years"),
        ("", "term"),
        ("P1D", "day"),
        ("P0M", "term"),
    ],
)
def test_a_term_is_written_in_words(unit, text):
    assert term_text(unit) == text


@pytest.fixture
def ada(world):
    return world.tenant()


@pytest.fixture
def bills(ada, engine):
    """A plan with ten seats, and twelve from 15 October on; a refused change has no effect."""
    bills = start_paid_plan(engine, ada, marketplace_id=uuid.uuid4(), quantity=12, plan_id="team")  # noqa: TID251 - a test's own
    bills.add_price("6.00", OCTOBER, "USD")
    bills.add_event("Activate", OCTOBER, quantity=10)
    bills.add_event("ChangeQuantity", october(15, 9), quantity=12)
    bills.add_event("ChangeQuantity", october(20), quantity=99, outcome="refused")
    return bills


def test_a_statement_by_seats_lists_their_periods_and_refers_to_microsofts_invoice(ada, bills):
    bills.close(202610, 0, 1, plan_id="paid", quantity=12)
    text = text_of(ada.get("billing/records/2026-10/statement").raw)

    assert "1 October 2026 15 October 2026, 09:00 10 6.00 USD per month 60.00 USD per month" in text
    assert "15 October 2026, 09:00 31 October 2026 12 6.00 USD per month 72.00 USD per month" in text
    assert "Active users 2 Listed price per seat and month 6.00 USD Seats at the end of the period 12" in text
    assert "Microsoft's invoice decides." in text
    assert "Total" not in text
    assert "99" not in text.partition("Active users No.")[0].partition("Seats From")[2]


def test_the_api_shows_the_same_seats_and_no_total(ada, bills):
    bills.close(202610, 0, 1, plan_id="paid", quantity=12)
    (listed,) = ada.get("billing/records").body["items"]
    (record,) = ada.get("billing/records/2026-10").body["records"]

    assert ("total" in listed, "total" in record) == (False, False)
    assert (listed["invoicedBy"], record["invoicedBy"]) == ("microsoft", "microsoft")
    assert "seats" not in listed
    assert record["seats"] == [
        {
            "periodFrom": "2026-10-01T00:00:00.000Z",
            "periodTo": "2026-10-15T09:00:00.000Z",
            "plan": "paid",
            "quantity": 10,
            "listedPrice": "6.00",
            "currency": "USD",
            "termUnit": "P1M",
        },
        {
            "periodFrom": "2026-10-15T09:00:00.000Z",
            "periodTo": "2026-11-01T00:00:00.000Z",
            "plan": "paid",
            "quantity": 12,
            "listedPrice": "6.00",
            "currency": "USD",
            "termUnit": "P1M",
        },
    ]


def test_events_recorded_after_the_close_do_not_change_a_statement(ada, bills):
    bills.close(202610, 0, plan_id="paid", quantity=12)
    before = ada.get("billing/records/2026-10/statement").raw
    late = dt.datetime(2026, 11, 3, tzinfo=dt.UTC)
    bills.add_event("ChangeQuantity", october(25), quantity=30, recorded_at=late)
    bills.add_price("9.00", late, "USD")

    assert ada.get("billing/records/2026-10/statement").raw == before


def test_without_a_ledger_the_records_seats_count_for_the_whole_period(ada, engine):
    start_paid_plan(engine, ada, marketplace_id=uuid.uuid4(), quantity=7).close(202610, quantity=7)  # noqa: TID251 - as above
    (record,) = ada.get("billing/records/2026-10").body["records"]

    assert [(span["quantity"], span["periodTo"]) for span in record["seats"]] == [(7, "2026-11-01T00:00:00.000Z")]
    assert "listedPrice" not in record["seats"][0]


def test_a_yearly_price_is_shown_per_year_and_an_unreadable_price_as_unknown(ada, bills, engine):
    unread = {"rate_per_user": None, "currency": None, "rate_unit": "P1M", "plan_id": "paid", "from_at": october(20)}
    with engine.begin() as tx:
        this = subscription_rates.c.subscription_id == bills.subscription_id
        tx.execute(subscription_rates.update().where(this).values(rate_unit="P1Y"))
        key = {"tenant_id": bills.tenant_id, "subscription_id": bills.subscription_id}
        tx.execute(subscription_rates.insert().inline(), {**key, **unread})
    bills.close(202610, 0, quantity=12)
    (record,) = ada.get("billing/records/2026-10").body["records"]

    assert [(span.get("listedPrice"), span.get("termUnit")) for span in record["seats"]] == [
        ("6.00", "P1Y"),
        ("6.00", "P1Y"),
        (None, None),
    ]


@pytest.mark.usefixtures("bills")
def test_the_open_month_shows_its_seats_so_far(ada, clock):
    clock.at = october(20, 12)
    shown = ada.get("billing/preview").body

    assert "total" not in shown
    assert [(span["quantity"], span["periodTo"]) for span in shown["seats"]] == [
        (10, "2026-10-15T09:00:00.000Z"),
        (12, "2026-10-20T12:00:00.000Z"),
    ]
