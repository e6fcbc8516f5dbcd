"""Random webhook bodies and tokens change nothing in the database."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.db.schema import subscription_events, subscriptions, tenants, users
from tests.support import purchases
from tests.support.budget import ALL
from tests.support.purchases import Purchase
from tests.support.world import Answer, new_id


pytestmark = pytest.mark.http_only
MANY = settings(max_examples=1000 if ALL else 50, suppress_health_check=[HealthCheck.function_scoped_fixture])
ACTIONS = ("ChangePlan", "ChangeQuantity", "Suspend", "Reinstate", "Renew", "Unsubscribe", "Subscribe", "Transfer")
NOTICES = ("Suspend", "Reinstate", "Renew")
LETTERS = "AZaz09-_"


def without_version(table: sa.Table) -> sa.Select[Any]:
    columns = [column for column in table.c if column.name not in {"version", "updated_at"}]
    return sa.select(*columns).order_by(table.c.id)


# A notice makes the product read Microsoft's state: without differences it adds a ledger event and a new version, and
# changes nothing else.
QUERIES = (
    without_version(tenants),
    without_version(users),
    without_version(subscriptions),
    without_version(subscription_events).where(
        subscription_events.c.outcome == "applied", subscription_events.c.event_type.not_in(NOTICES)
    ),
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def purchase(app, marketplace, world) -> Purchase:
    """An active purchase of five seats with held events."""
    purchase = purchases.add_active_purchase(app, marketplace, world.tenant().tid)
    marketplace.execute("shapes", held=True)
    return purchase


@pytest.fixture
def suspension(purchase) -> str:
    """An operation at Microsoft without a delivered event."""
    operation: str = purchase.execute("suspend")
    return operation


@pytest.fixture
def send_without_effect(engine, http, purchase):  # noqa: ARG001 - there is something that could change
    """Sends a body with a token, and checks that the rows stay unchanged; returns the response."""

    def send(body: bytes, token: str) -> Answer:
        before = rows(engine)
        answer: Answer = http.send("POST", "marketplace/webhook", body, token=token)
        assert rows(engine) == before
        return answer

    return send


def rows(engine: sa.Engine) -> list[list[tuple[Any, ...]]]:
    with engine.connect().execution_options(reads_only=True) as tx:
        return [[tuple(row) for row in tx.execute(query)] for query in QUERIES]


def valid_token(purchase: Purchase) -> str:
    return str(purchase.marketplace.emulator.delivery._tokens.build_webhook_token("v2", {}))


@MANY
@given(body=st.binary(min_size=1, max_size=300))  # an empty body starts a comparison of all purchases
@example(b"[" * 200_000)
@example(b'{"id":' * 20_000)
@example(b"\xff\xfe{}")
@example(b'{"id": NaN}')
def test_bytes_from_the_marketplace_change_nothing_and_are_sent_again(purchase, send_without_effect, body):
    answer = send_without_effect(body, valid_token(purchase))

    assert (answer.status, answer.code) == (503, "marketplace_event_unreadable")


@pytest.mark.parametrize("action", NOTICES)
def test_an_event_of_an_unknown_operation_changes_nothing(purchase, send_without_effect, action):
    body = {"id": new_id(), "subscriptionId": purchase.id, "action": action}

    assert send_without_effect(json.dumps(body).encode(), valid_token(purchase)).status in {200, 503}


@MANY
@given(data=st.data())
def test_an_event_with_anything_in_it_changes_nothing_that_microsoft_does_not_have(purchase, send_without_effect, data):
    fields = {
        "id": st.uuids().map(str) | junk,
        "subscriptionId": st.just(purchase.id) | st.uuids().map(str) | junk,
        "action": st.sampled_from(ACTIONS) | junk,
        "planId": junk,
        "quantity": st.integers() | junk,
        "status": st.sampled_from(["InProgress", "Succeeded", "Failed"]) | junk,
        "timeStamp": st.datetimes().map(str) | junk,
        "subscription": junk,
        "publisherId": junk,
        "offerId": junk,
    }
    body = data.draw(st.fixed_dictionaries({}, optional=fields))

    answer = send_without_effect(json.dumps(body).encode(), valid_token(purchase))

    # Accepted, or to be repeated: a refusal would reject a paid change.
    again = {"marketplace_event_unreadable", "marketplace_unavailable"}
    assert answer.status == 200 or (answer.status == 503 and answer.code in again), answer.raw


@MANY
@given(data=st.data(), name=st.sampled_from(["aud", "iss", "tid", "appid", "azp", "ver", "exp"]))
def test_a_true_event_with_another_token_changes_nothing(purchase, suspension, send_without_effect, data, name):
    body = {"id": suspension, "subscriptionId": purchase.id, "action": "Suspend"}
    claims = {name: data.draw(junk.filter(lambda value: not isinstance(value, int | float)))}
    if name in {"appid", "azp"}:
        claims = {"appid": None, "azp": None, **claims}
    token = purchase.marketplace.emulator.delivery._tokens.build_webhook_token(
        data.draw(st.sampled_from(["v1", "v2"])), claims
    )

    answer = send_without_effect(json.dumps(body).encode(), token)

    assert (answer.status, answer.code) == (401, "invalid_token")


@MANY
@given(data=st.data())
def test_a_token_with_a_letter_changed_changes_nothing(purchase, send_without_effect, data):
    token = valid_token(purchase)
    where = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from(LETTERS))
    other = letter if letter != token[where] else "B"  # tokens differ each time, so a filter would not be reproducible

    answer = send_without_effect(b"{}", token[:where] + other + token[where + 1 :])

    names_another_key = where < token.index(".")
    assert (answer.status, answer.code) == (401, "invalid_token") or (answer.status == 503 and names_another_key)


def test_an_event_of_an_unknown_subscription_is_accepted_and_changes_nothing(purchase, send_without_effect):
    body = {"id": new_id(), "subscriptionId": new_id(), "action": "Unsubscribe"}

    assert send_without_effect(json.dumps(body).encode(), valid_token(purchase)).status == 200
