"""Missing fields of Microsoft's copy remove nothing; pure."""

import datetime as dt
import uuid
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.marketplace.model import Plan
from billing.marketplace.model import Subscription as Copy
from billing.subscriptions import rules
from billing.subscriptions.model import Subscription, SubscriptionStatus, Terms


NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
DOCUMENT = {
    "id": str(uuid.UUID(int=1)),
    "saasSubscriptionStatus": "Subscribed",
    "planId": "seats",
    "offerId": "timetracker",
    "quantity": 12,
    "term": {"termUnit": "P1Y", "startDate": "2026-12-01T00:00:00Z", "endDate": "2027-11-30T00:00:00Z"},
    "autoRenew": True,
}
KNOWN = Terms(
    SubscriptionStatus.SUBSCRIBED,
    "timetracker",
    "seats",
    5,
    "P1M",
    dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 11, 30, tzinfo=dt.UTC),
    auto_renew=True,
)
instants = st.none() | st.integers(-300, 300).map(lambda days: NOW + dt.timedelta(days=days))
terms = st.builds(
    Terms,
    st.sampled_from(SubscriptionStatus),
    st.sampled_from(["", "timetracker", "other"]),
    st.sampled_from(["seats", "paid"]),
    st.none() | st.integers(0, 99),
    st.sampled_from(["", "P1M", "P1Y"]),
    instants,
    instants,
    auto_renew=st.none() | st.booleans(),
)


def ours(known: Terms) -> Subscription:
    return Subscription(1, 1, uuid.UUID(int=1), known, NOW, None, None, 1)


def after(document: dict[str, object], known: Terms = KNOWN) -> Terms:
    copy = rules.terms_of(Copy.parse(document))
    assert copy is not None
    return rules.apply_terms(ours(known), copy, happened_at=NOW, now=NOW).terms


@pytest.mark.parametrize("empty", [None, "", {}, 7], ids=["null", "blank", "object", "number"])
@pytest.mark.parametrize("name", ["offerId", "term", "autoRenew"])
def test_a_missing_field_stays_unchanged(name, empty):
    whole = after(DOCUMENT)
    thin = after({**DOCUMENT, name: empty})
    absent = after({each: value for each, value in DOCUMENT.items() if each != name})

    kept = {
        "offerId": {"offer_id": KNOWN.offer_id},
        "term": {each: getattr(KNOWN, each) for each in ("term_unit", "term_starts_at", "term_ends_at")},
        "autoRenew": {"auto_renew": KNOWN.auto_renew},
    }
    assert thin == absent == replace(whole, **kept[name])


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ({"termUnit": "P1Y"}, ("P1Y", KNOWN.term_starts_at, KNOWN.term_ends_at)),
        ({"startDate": "2026-12-01T00:00:00Z"}, ("P1M", KNOWN.term_starts_at, KNOWN.term_ends_at)),
        ({"endDate": "0001-01-01T00:00:00"}, ("P1M", KNOWN.term_starts_at, KNOWN.term_ends_at)),
    ],
    ids=["unit", "half a term", "year one"],
)
def test_halves_of_two_terms_are_not_combined(term, expected):
    terms = after({**DOCUMENT, "term": term})

    assert (terms.term_unit, terms.term_starts_at, terms.term_ends_at) == expected


def test_present_fields_are_applied_and_a_cancelled_renewal_is_recorded():
    terms = after({**DOCUMENT, "autoRenew": False})

    assert terms == Terms(
        SubscriptionStatus.SUBSCRIBED,
        "timetracker",
        "seats",
        12,
        "P1Y",
        dt.datetime(2026, 12, 1, tzinfo=dt.UTC),
        dt.datetime(2027, 11, 30, tzinfo=dt.UTC),
        auto_renew=False,
    )


@given(terms, terms)
def test_no_known_field_is_lost_and_every_present_field_is_applied_except_half_a_term(copy, known):
    found = rules.fill_missing_terms(copy, known)

    for each in fields(Terms):
        expected, had, has = (getattr(which, each.name) for which in (copy, known, found))
        if each.name == "quantity" and copy.plan_id != known.plan_id:
            assert has == expected
            continue
        if had not in {None, ""}:
            assert has not in {None, ""}
        assert has in {expected, had}
        if expected not in {None, ""} and not each.name.startswith("term_"):
            assert has == expected
    if None not in {copy.term_starts_at, copy.term_ends_at}:
        assert (found.term_starts_at, found.term_ends_at) == (copy.term_starts_at, copy.term_ends_at)
    assert rules.fill_missing_terms(found, known) == found
    assert rules.fill_missing_terms(copy, found) == found


@pytest.mark.parametrize(
    ("plan", "seats", "lacks"),
    [("seats", None, True), ("seats", 5, False), ("paid", None, False), ("new", None, False)],
)
def test_a_plan_by_seats_without_their_number_is_not_unlimited(plan, seats, *, lacks):
    plans = [Plan(id="seats", is_per_seat=True), Plan(id="paid")]

    assert rules.lacks_seats(replace(KNOWN, plan_id=plan, quantity=seats), plans) is lacks
