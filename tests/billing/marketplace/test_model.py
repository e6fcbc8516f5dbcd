import contextlib
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.marketplace.errors import UnreadableResponse
from billing.marketplace.model import Operation, Party, Plan, Subscription


ID = "37f9dea2-4345-438f-b0bd-03d40d28c7e0"
FULL: dict[str, Any] = {
    "id": ID,
    "name": "Contoso TimeTracker",
    "publisherId": "contoso",
    "offerId": "timetracker",
    "planId": "paid",
    "quantity": 10,
    "beneficiary": {"emailId": "a@contoso.com", "objectId": ID.upper(), "tenantId": ID, "puid": "X"},
    "purchaser": {"emailId": "csp@partner.com", "objectId": ID, "tenantId": ID, "puid": "Y"},
    "allowedCustomerOperations": ["Read", "Update", "Delete"],
    "sessionMode": "None",
    "isFreeTrial": False,
    "autoRenew": True,
    "isTest": False,
    "sandboxType": "None",
    "created": "2022-03-01T22:59:45.5468572Z",
    "lastModified": "0001-01-01T00:00:00",
    "saasSubscriptionStatus": "Subscribed",
    "term": {
        "startDate": "2022-03-04T00:00:00Z",
        "endDate": "2022-04-03T00:00:00Z",
        "termUnit": "P1M",
        "chargeDuration": None,
    },
}
OPERATION = {"id": ID, "subscriptionId": ID, "action": " ChangePlan ", "status": "InProgress", "planId": "gold"}
NEEDED = {"id", "planId", "saasSubscriptionStatus"}
SUBSCRIPTION = Subscription.parse(FULL)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_the_example_of_the_documentation_is_parsed_completely():
    assert SUBSCRIPTION.created_at == dt.datetime(2022, 3, 1, 22, 59, 45, 546857, tzinfo=dt.UTC)
    assert SUBSCRIPTION.modified_at is None
    assert SUBSCRIPTION.beneficiary == Party(email="a@contoso.com", oid=ID, tid=ID)
    assert SUBSCRIPTION.purchaser.email == "csp@partner.com"
    assert (SUBSCRIPTION.quantity, SUBSCRIPTION.auto_renew) == (10, True)
    assert SUBSCRIPTION.term.unit == "P1M"
    assert SUBSCRIPTION.term.ends_at == dt.datetime(2022, 4, 3, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("sent", "read"),
    [(20, 20), ("20", 20), (" 20 ", 20), (20.0, 20), ("20.0", 20), (0, 0), ("", None), ("  ", None), (None, None)],
)
def test_a_quantity_is_read_in_every_shape(sent, read):
    assert Subscription.parse({**FULL, "quantity": sent}).quantity == read


@pytest.mark.parametrize(
    "sent", ["many", -1, "-1", 2.5, True, [], {}, 10**400, float("nan"), float("inf"), "1e3", "٣", 2**31]
)
def test_an_invalid_quantity_is_never_read_as_no_seats(sent):
    with pytest.raises(UnreadableResponse, match="Subscription quantity"):
        Subscription.parse({**FULL, "quantity": sent})


def test_a_missing_quantity_means_no_seats():
    sent = {name: value for name, value in FULL.items() if name != "quantity"}

    assert Subscription.parse(sent).quantity is None


@given(st.text(" \t\r\n", max_size=5), st.sampled_from(["Subscribed", "Suspended", "Unsubscribed", "Moonstruck"]))
def test_padding_and_unknown_words_do_not_matter(padding, status):
    sent = {**FULL, "saasSubscriptionStatus": f"{padding}{status}{padding}", "term": {"termUnit": f"{padding}P9Y"}}

    read = Subscription.parse(sent)

    assert (read.status, read.term.unit, read.term.starts_at) == (status, "P9Y", None)


@given(st.sampled_from(sorted(FULL.keys() - NEEDED - {"quantity"})), ANYTHING)
def test_optional_fields_may_be_invalid(name, value):
    read = Subscription.parse({**FULL, name: value, "somethingNew": value})

    assert (read.id, read.status, read.plan_id, read.quantity) == (ID, "Subscribed", "paid", 10)


@given(st.sampled_from(["beneficiary", "purchaser", "term"]), st.dictionaries(st.text(max_size=8), ANYTHING))
def test_optional_nested_fields_may_be_invalid(name, changed):
    inner = {**FULL[name], **changed}

    assert Subscription.parse({**FULL, name: inner}).id == ID


@pytest.mark.parametrize("name", sorted(NEEDED))
@pytest.mark.parametrize("value", [None, "", "  ", 7, [], {}])
def test_required_fields_must_be_present(name, value):
    with pytest.raises(UnreadableResponse):
        Subscription.parse({**FULL, name: value})


@given(ANYTHING)
def test_every_response_is_either_parsed_or_unreadable(sent):
    for model in (Subscription, Operation, Plan, Party):
        with contextlib.suppress(UnreadableResponse):
            assert isinstance(model.parse(sent), model)


@given(st.datetimes(min_value=dt.datetime(2, 1, 2), max_value=dt.datetime(9999, 12, 30)))  # noqa: DTZ001 - as sent
def test_a_time_without_an_offset_is_utc_to_the_microsecond(instant):
    sent = f"{instant.isoformat(timespec='microseconds')}7"

    with_zone, without = (Operation.parse({**OPERATION, "timeStamp": each}) for each in (f"{sent}Z", sent))

    assert with_zone.happened_at == without.happened_at == instant.replace(tzinfo=dt.UTC)


@pytest.mark.parametrize("sent", ["0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x"])
def test_an_empty_time_is_none(sent):
    assert Operation.parse({**OPERATION, "timeStamp": sent}).happened_at is None


def test_an_operation_is_read_with_the_fields_there_are():
    read = Operation.parse(OPERATION)

    assert (read.action, read.status, read.plan_id, read.quantity) == ("ChangePlan", "InProgress", "gold", None)
    assert (read.source, read.happened_at) == ("", None)


def test_a_parsed_document_is_immutable_and_shows_no_address():
    with pytest.raises(ValidationError):
        SUBSCRIPTION.status = "Suspended"  # type: ignore[misc]

    assert "@" not in repr(SUBSCRIPTION)


def test_an_error_names_the_place_and_never_the_value():
    with pytest.raises(UnreadableResponse) as caught:
        Subscription.parse({**FULL, "quantity": "ada@contoso.example"})

    assert str(caught.value) == "unreadable Subscription quantity"
    assert caught.value.__cause__ is None


@given(ANYTHING)
def test_the_dimensions_of_a_plan_are_found_or_left_out(components):
    assert Plan.parse({"planId": "paid", "planComponents": components}).id == "paid"


def plan(*, per_seat=False, metered=(), terms=()):
    components = {"meteringDimensions": list(metered), "recurrentBillingTerms": list(terms)}
    return Plan.parse({"planId": "p", "isPricePerSeat": per_seat, "planComponents": components})


def dimension(name, price, currency="USD"):
    return {"id": name, "pricePerUnit": price, "currency": currency}


def term(unit, price):
    return {"termUnit": unit, "price": price, "currency": "EUR"}


def cost(price):
    return None if price is None else (price.amount, price.currency)


def test_a_price_is_that_of_the_one_dimension_or_of_the_one_that_is_named():
    one, two = plan(metered=[dimension("a", 5)]), plan(metered=[dimension("a", 5), dimension("b", 0.1)])

    assert (
        cost(one.pricing_for("P1M").price)
        == cost(one.with_dimension("other").pricing_for("P1M").price)
        == (Decimal(5), "USD")
    )
    assert two.pricing_for("P1M").price is None
    assert cost(two.with_dimension("b").pricing_for("P1M").price) == (Decimal("0.1"), "USD")
    assert two.with_dimension("c").pricing_for("P1M").price is None


def test_seats_have_the_price_of_the_purchased_term_and_a_flat_rate_has_a_fee():
    terms = [term("P1M", "6.25"), term("P1Y", 60)]
    seats = plan(per_seat=True, metered=[dimension("a", 5)], terms=terms)
    flat = plan(metered=[dimension("a", 5)], terms=[term("P1M", 49), term("P1Y", 490)])
    monthly, yearly = seats.with_dimension("a").pricing_for("P1M"), seats.pricing_for("P1Y")

    assert (cost(monthly.price), monthly.unit, monthly.fee) == ((Decimal("6.25"), "EUR"), "P1M", None)
    assert (cost(yearly.price), yearly.unit) == ((Decimal(60), "EUR"), "P1Y")
    assert [(cost(flat.pricing_for(each).price), cost(flat.pricing_for(each).fee)) for each in ("P1M", "P1Y")] == [
        ((Decimal(5), "USD"), (Decimal(49), "EUR")),
        ((Decimal(5), "USD"), (Decimal(490), "EUR")),
    ]
    assert {flat.pricing_for(each).unit for each in ("P1M", "P1Y")} == {"P1M"}


@pytest.mark.parametrize("unit", ["P2Y", "P7D"])
def test_a_term_that_the_plan_does_not_offer_has_no_price_per_seat(unit):
    assert plan(per_seat=True, terms=[term("P1M", 6), term("P1Y", 60)]).pricing_for(unit).price is None


def test_an_unknown_term_is_the_only_one_of_the_plan():
    one, two = [term("P1Y", 60)], [term("P1M", 6), term("P1Y", 60)]
    sold = plan(per_seat=True, terms=one).pricing_for("")

    assert (cost(sold.price), sold.unit) == ((Decimal(60), "EUR"), "P1Y")
    assert plan(per_seat=True, terms=two).pricing_for("").price is None


@pytest.mark.parametrize(("units", "included"), [("0", 0), ("5", 5), (5, 5), (5.0, 5), (" 7 ", 7)])
def test_the_users_that_a_fee_includes_are_those_of_its_term(units, included):
    monthly = {**term("P1M", 20), "meteredQuantityIncluded": [{"dimensionId": "a", "units": units}]}
    yearly = {**term("P1Y", 200), "meteredQuantityIncluded": [{"dimensionId": "a", "units": "60"}]}
    flat = plan(metered=[dimension("a", 5)], terms=[monthly, yearly])

    assert [(flat.pricing_for(unit).included, flat.pricing_for(unit).term_unit) for unit in ("P1M", "P1Y")] == [
        (included, "P1M"),
        (60, "P1Y"),
    ]


@pytest.mark.parametrize("units", ["infinite", None, -1, "2.5", True, [], {}])
def test_a_price_with_unreadable_included_users_is_none(units):
    monthly = {**term("P1M", 20), "meteredQuantityIncluded": [{"dimensionId": "a", "units": units}]}

    assert plan(metered=[dimension("a", 5)], terms=[monthly]).pricing_for("P1M").price is None


@pytest.mark.parametrize("price", [None, "", "five", True, -1, 0.00001, float("nan"), float("inf"), 1e30, [], {}])
def test_an_invalid_price_is_none(price):
    assert plan(metered=[dimension("a", price)]).pricing_for("P1M").price is None
    assert plan(metered=[dimension("a", 5, currency="dollars")]).pricing_for("P1M").price is None
    assert plan(per_seat=True, terms=[term("P1M", price)]).pricing_for("P1M").price is None
