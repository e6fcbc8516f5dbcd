from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests

from devcloud.emulators.entra.clients import DAEMON, FOREIGN_API, MARKETPLACE_API
from devcloud.emulators.entra.people import CONTOSO, FABRIKAM, find_person
from devcloud.emulators.marketplace.model import StateFile
from tests.support.marketplace import CLIENT_ID, TENANT_ID, Marketplace, app_token, running, wait_until


UNKNOWN = "00000000-0000-4000-8000-000000000000"


def get(marketplace: Marketplace, subscription: str) -> dict[str, Any]:
    document: dict[str, Any] = marketplace.send("GET", f"saas/subscriptions/{subscription}").json()
    return document


def operation(marketplace: Marketplace, subscription: str, operation_id: str) -> requests.Response:
    return marketplace.send("GET", f"saas/subscriptions/{subscription}/operations/{operation_id}")


def patch(marketplace: Marketplace, subscription: str, operation_id: str, status: str) -> int:
    path = f"saas/subscriptions/{subscription}/operations/{operation_id}"
    return marketplace.send("PATCH", path, {"status": status}).status_code


def resolve(marketplace: Marketplace, token: str | None) -> requests.Response:
    headers = {} if token is None else {"x-ms-marketplace-token": token}
    return marketplace.send("POST", "saas/subscriptions/resolve", headers=headers)


def activate(marketplace: Marketplace, subscription: str, **body: object) -> int:
    return marketplace.send("POST", f"saas/subscriptions/{subscription}/activate", body).status_code


def claims_of(authorization: str) -> dict[str, Any]:
    return jwt.decode(authorization.removeprefix("Bearer "), options={"verify_signature": False})


def test_a_purchase_is_resolved_and_activated(marketplace):
    bought = marketplace.execute("buy", person="ada", plan="seats", quantity=3)
    token = marketplace.purchase_token(bought["subscription"])

    before = resolve(marketplace, token).json()
    activated = activate(marketplace, bought["subscription"], planId="seats", quantity="3")
    after = get(marketplace, bought["subscription"])

    ada = find_person("ada")
    assert ada is not None
    assert "%2B" in bought["landingUrl"]
    assert "+" not in urlsplit(bought["landingUrl"]).query
    assert before["id"] == before["subscription"]["id"] == bought["subscription"]
    assert before["subscription"]["saasSubscriptionStatus"] == "PendingFulfillmentStart"
    assert before["subscription"]["term"] == {"termUnit": "P1M"}
    assert before["subscription"]["beneficiary"]["objectId"] == ada.oid
    assert (activated, after["saasSubscriptionStatus"], after["quantity"]) == (200, "Subscribed", 3)
    assert after["term"]["startDate"] == "2026-11-23T00:00:00Z"
    assert after["term"]["endDate"] == "2026-12-22T00:00:00Z"
    assert after["created"] == "2026-11-23T09:00:00.0000000Z"


@pytest.mark.parametrize("kind", ["expired", "garbage"])
def test_an_expired_or_made_up_purchase_token_is_refused(marketplace, kind):
    subscription = marketplace.buy()

    answer = resolve(marketplace, marketplace.purchase_token(subscription, kind))

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadArgument")


def test_a_purchase_token_lives_a_day_and_its_plus_signs_count(marketplace, clock):
    token = marketplace.purchase_token(marketplace.buy())

    with_blanks = resolve(marketplace, token.replace("+", " ").lstrip())  # no HTTP header begins with a blank
    clock.tick(hours=23.9)
    in_time = resolve(marketplace, token)
    clock.tick(hours=0.1)
    late = resolve(marketplace, token)

    assert [with_blanks.status_code, in_time.status_code, late.status_code] == [400, 200, 400]
    assert resolve(marketplace, None).json()["error"]["code"] == "HeaderNotPresent"


def test_resolve_works_in_every_state(marketplace):
    subscription = marketplace.buy(active=True)
    states = []
    for order in ("suspend", "unsubscribe"):
        token = marketplace.purchase_token(subscription)
        states.append(resolve(marketplace, token).json()["subscription"]["saasSubscriptionStatus"])
        marketplace.execute(order, subscription=subscription)

    token = marketplace.purchase_token(subscription)
    states.append(resolve(marketplace, token).json()["subscription"]["saasSubscriptionStatus"])

    assert states == ["Subscribed", "Suspended", "Unsubscribed"]


def test_the_publisher_may_only_read_the_subscription_of_a_reseller(marketplace):
    subscription = marketplace.buy(person="ada", purchaser="bob", active=True)

    sold = get(marketplace, subscription)
    refused = marketplace.send("PATCH", f"saas/subscriptions/{subscription}", {"planId": "gold"})

    assert (sold["beneficiary"]["tenantId"], sold["purchaser"]["tenantId"]) == (CONTOSO.tid, FABRIKAM.tid)
    assert sold["allowedCustomerOperations"] == ["Read"]
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"planId": "seats", "quantity": 3}, 200),
        ({"planId": "seats-plus", "quantity": 3}, 400),
        ({"planId": "seats", "quantity": "4"}, 400),
        ({}, 400),
    ],
)
def test_an_activation_must_match_the_purchase(marketplace, body, status):
    subscription = marketplace.buy(plan="seats", quantity=3)

    assert activate(marketplace, subscription, **body) == status


def test_a_second_activation_is_refused_or_not_as_the_documents_disagree(marketplace):
    subscription = marketplace.buy(active=True)

    strict = activate(marketplace, subscription, planId="paid")
    marketplace.execute("shapes", checks_activation=False)
    loose = activate(marketplace, subscription)
    marketplace.execute("unsubscribe", subscription=subscription)

    assert [strict, loose, activate(marketplace, subscription, planId="paid")] == [400, 200, 404]


def test_an_activation_may_take_its_time_to_show(marketplace):
    marketplace.execute("pace", activation_seconds=0.3)
    subscription = marketplace.buy(active=True)

    at_first = marketplace.status(subscription)

    assert at_first == "PendingFulfillmentStart"
    wait_until(lambda: marketplace.status(subscription) == "Subscribed")


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": CONTOSO.tid},
        {"client": DAEMON.id},
        {"scope": f"{FOREIGN_API.id}/.default"},
    ],
)
def test_only_the_publishers_own_app_may_call(marketplace, change):
    token = app_token(marketplace.authority, **change)

    answer = marketplace.send("GET", "saas/subscriptions", token=token)

    assert answer.status_code == 403


def test_a_call_without_a_sound_token_is_refused(marketplace):
    good = marketplace.token

    answers = {marketplace.send("GET", "saas/subscriptions", token=each).status_code for each in ("", "x", good[:-5])}

    assert answers == {403}


def test_new_keys_of_entra_are_picked_up(marketplace, entra):
    entra.emulator.keys.rotate(drop_old=False)

    answer = marketplace.send("GET", "saas/subscriptions", token=app_token(marketplace.authority))

    assert answer.status_code == 200


def test_a_call_without_the_version_is_refused_and_ids_come_back(marketplace):
    answer = marketplace.send("GET", "saas/subscriptions?x=api-version=", headers={"x-ms-requestid": "r-1"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ApiVersionUnspecified")
    assert answer.headers["x-ms-requestid"] == "r-1"
    assert answer.headers["x-ms-correlationid"]


def test_the_list_comes_in_pages(marketplace):
    empty = marketplace.send("GET", "saas/subscriptions")
    bought = [marketplace.buy() for _ in range(5)]
    marketplace.execute("shapes", page_size=2)

    found, sizes, link = [], [], "saas/subscriptions"
    while link:
        page = marketplace.send("GET", link).json()
        found += [each["id"] for each in page["subscriptions"]]
        sizes.append(len(page["subscriptions"]))
        link = page.get("@nextLink")

    assert (empty.status_code, empty.content) == (200, b"")
    assert (found, sizes) == (bought, [2, 2, 1])


def test_the_plans_are_those_of_the_offer(marketplace):
    subscription = marketplace.buy(plan="seats", quantity=1)
    path = f"saas/subscriptions/{subscription}/listAvailablePlans"

    plans = marketplace.send("GET", path).json()["plans"]
    one = marketplace.send("GET", path, query={"planId": "seats"}).json()["plans"]
    unknown = marketplace.send("GET", f"saas/subscriptions/{UNKNOWN}/listAvailablePlans")

    assert [(each["planId"], each["isPricePerSeat"]) for each in plans] == [("seats", True), ("seats-plus", True)]
    assert len(one) == 1
    assert unknown.content == b""


def test_a_change_without_a_response_is_accepted_when_due(marketplace, receiver):
    subscription = marketplace.buy(active=True)

    changed = marketplace.execute("change", subscription=subscription, plan="gold")["operation"]
    wait_until(lambda: receiver.calls)
    pending = operation(marketplace, subscription, changed).json()
    before = get(marketplace, subscription)["planId"]

    body = receiver.calls[0].body
    assert (pending["status"], pending["planId"], before) == ("InProgress", "gold", "paid")
    assert (body["id"], body["planId"], body["subscription"]["planId"]) == (changed, "gold", "paid")
    assert (body["action"], body["status"], body["operationRequestSource"]) == ("ChangePlan", "InProgress", "Azure")
    wait_until(lambda: get(marketplace, subscription)["planId"] == "gold")
    assert operation(marketplace, subscription, changed).json()["status"] == "Succeeded"


@pytest.mark.parametrize(("said", "quantity", "status"), [("Success", 9, "Succeeded"), ("Failure", 3, "Failed")])
def test_the_publisher_accepts_or_rejects_a_change(marketplace, said, quantity, status):
    marketplace.execute("pace", ack_seconds=60)
    subscription = marketplace.buy(plan="seats", quantity=3, active=True)

    changed = marketplace.execute("change", subscription=subscription, quantity=9)["operation"]
    first, second = (patch(marketplace, subscription, changed, said) for _ in range(2))

    assert (first, second) == (200, 409)
    assert get(marketplace, subscription)["quantity"] == quantity
    assert operation(marketplace, subscription, changed).json()["status"] == status


def test_a_webhook_that_answers_4xx_in_time_rejects_the_change(marketplace, receiver):
    receiver.statuses = [400]
    subscription = marketplace.buy(plan="seats", quantity=9, active=True)

    changed = marketplace.execute("change", subscription=subscription, quantity=2)["operation"]
    marketplace.wait_until_idle()

    assert operation(marketplace, subscription, changed).json()["status"] == "Failed"
    assert get(marketplace, subscription)["quantity"] == 9
    assert receiver.actions() == ["ChangeQuantity"]


@pytest.mark.parametrize("how", ["patch", "status"])
def test_a_change_that_is_rejected_too_late_comes_back_as_a_revert(marketplace, receiver, how):
    subscription = marketplace.buy(plan="seats", quantity=9, active=True)
    receiver.statuses = [400] if how == "status" else []
    receiver.during = lambda body: wait_until(lambda: get(marketplace, subscription)["quantity"] == body["quantity"])

    changed = marketplace.execute("change", subscription=subscription, quantity=2)["operation"]
    wait_until(lambda: receiver.calls)
    if how == "patch":
        assert patch(marketplace, subscription, changed, "Failure") == 200
    wait_until(lambda: len(receiver.calls) == 2)

    revert = receiver.calls[1].body
    assert (revert["action"], revert["quantity"], revert["subscription"]["quantity"]) == ("ChangeQuantity", 9, 9)
    assert revert["id"] != changed
    assert patch(marketplace, subscription, revert["id"], "Failure") == 200
    assert get(marketplace, subscription)["quantity"] == 9
    assert operation(marketplace, subscription, revert["id"]).json()["status"] == "Succeeded"


def test_one_change_waits_for_the_other(marketplace):
    marketplace.execute("pace", ack_seconds=60)
    subscription = marketplace.buy(plan="seats", quantity=9, active=True)
    pending = marketplace.execute("change", subscription=subscription, quantity=2)["operation"]

    answer = marketplace.send("PATCH", f"saas/subscriptions/{subscription}", {"planId": "seats-plus"})

    listed = marketplace.send("GET", f"saas/subscriptions/{subscription}/operations").json()["operations"]
    assert answer.status_code == 409
    assert [each["id"] for each in listed] == [pending]


@pytest.mark.parametrize(
    "body", [{}, {"planId": "paid"}, {"planId": "gold", "quantity": 2}, {"planId": "seats"}, {"quantity": 4}]
)
def test_a_change_that_makes_no_sense_is_refused(marketplace, body):
    subscription = marketplace.buy(active=True)

    answer = marketplace.send("PATCH", f"saas/subscriptions/{subscription}", body)

    assert answer.status_code == 400


def test_the_publishers_own_change_calls_its_webhook(marketplace, receiver):
    subscription = marketplace.buy(active=True)

    answer = marketplace.send("PATCH", f"saas/subscriptions/{subscription}", {"planId": "gold"})
    location = answer.headers["Operation-Location"]
    wait_until(lambda: receiver.calls)

    assert answer.status_code == 202
    assert "api-version=2018-08-31" in location
    assert receiver.calls[0].body["operationRequestSource"] == "Partner"
    wait_until(lambda: marketplace.send("GET", location).json()["status"] == "Succeeded")
    assert get(marketplace, subscription)["planId"] == "gold"


def test_the_publisher_can_cancel(marketplace, receiver):
    subscription = marketplace.buy(active=True)

    answer = marketplace.send("DELETE", f"saas/subscriptions/{subscription}")
    again = marketplace.send("DELETE", f"saas/subscriptions/{subscription}")
    marketplace.wait_until_idle()

    assert (answer.status_code, again.status_code) == (202, 404)
    assert receiver.actions() == ["Unsubscribe"]
    assert marketplace.status(subscription) == "Unsubscribed"


def test_webhook_calls_are_repeated_until_accepted(marketplace, receiver):
    receiver.statuses = [500, 404, 503]
    subscription = marketplace.buy(active=True)

    marketplace.execute("suspend", subscription=subscription)
    marketplace.wait_until_idle()

    attempts = [(each["number"], each["status"]) for each in marketplace.stats()["attempts"]]
    assert attempts == [(1, 500), (2, 404), (3, 503), (4, 200)]
    assert len({call.body["id"] for call in receiver.calls}) == 1
    assert receiver.calls[0].body["subscription"]["saasSubscriptionStatus"] == "Suspended"


def test_repeats_come_to_an_end(marketplace, receiver):
    marketplace.execute("pace", retries=2, retry_seconds=0)
    receiver.statuses = [500] * 10
    subscription = marketplace.buy(active=True)

    marketplace.execute("renew", subscription=subscription)
    marketplace.wait_until_idle()

    assert len(receiver.calls) == 3


def test_a_subscription_lives_through_all_its_states(marketplace, receiver, clock):
    subscription = marketplace.buy(active=True)
    states = []
    for order in ("renew", "suspend", "reinstate", "suspend", "unsubscribe"):
        clock.tick(seconds=1)
        marketplace.execute(order, subscription=subscription)
        marketplace.wait_until_idle()
        wait_until(
            lambda: not marketplace.send("GET", f"saas/subscriptions/{subscription}/operations").json()["operations"]
        )
        states.append(marketplace.status(subscription))

    assert states == ["Subscribed", "Suspended", "Subscribed", "Suspended", "Unsubscribed"]
    assert receiver.actions() == ["Renew", "Suspend", "Reinstate", "Suspend", "Unsubscribe"]
    assert receiver.calls[2].body["status"] == "InProgress"
    assert get(marketplace, subscription)["term"]["startDate"] == "2026-12-23T00:00:00Z"
    stamps = [call.body["timeStamp"] for call in receiver.calls]
    assert stamps == sorted(set(stamps))


def test_a_reinstatement_can_be_declined(marketplace):
    marketplace.execute("pace", ack_seconds=60)
    subscription = marketplace.buy(active=True)
    marketplace.execute("suspend", subscription=subscription)
    reinstated = marketplace.execute("reinstate", subscription=subscription)["operation"]

    answer = patch(marketplace, subscription, reinstated, "Failure")

    assert (answer, marketplace.status(subscription)) == (200, "Suspended")


def test_a_cancellation_before_the_activation_has_no_event(marketplace, receiver):
    subscription = marketplace.buy()

    done = marketplace.execute("unsubscribe", subscription=subscription)
    marketplace.wait_until_idle()

    assert (done["operation"], receiver.calls) == (None, [])
    assert marketplace.status(subscription) == "Unsubscribed"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_webhooks_carry_a_token_of_entra_in_either_form(marketplace, receiver, entra, version):
    marketplace.execute("shapes", tokens=version)
    marketplace.execute("renew", subscription=marketplace.buy(active=True))
    marketplace.wait_until_idle()

    token = receiver.calls[0].authorization.removeprefix("Bearer ")
    keys = requests.get(f"{entra.authority}/common/discovery/v2.0/keys", timeout=5).json()["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    [key] = [jwt.PyJWK(each, algorithm="RS256") for each in keys if each["kid"] == kid]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=CLIENT_ID, options={"verify_exp": False})
    issuers = {"v1": f"https://sts.windows.net/{TENANT_ID}/", "v2": f"{entra.authority}/{TENANT_ID}/v2.0"}
    assert (claims["iss"], claims["tid"]) == (issuers[version], TENANT_ID)
    assert claims["ver"] == {"v1": "1.0", "v2": "2.0"}[version]
    assert claims[{"v1": "appid", "v2": "azp"}[version]] == MARKETPLACE_API.id
    assert not {{"v1": "azp", "v2": "appid"}[version], "roles", "idtyp"} & claims.keys()


def test_webhook_tokens_live_by_the_clock_of_the_test(marketplace, receiver, clock):
    at = clock.tick(days=40)
    marketplace.execute("renew", subscription=marketplace.buy(active=True))
    marketplace.wait_until_idle()

    assert claims_of(receiver.calls[0].authorization)["iat"] == int(at.timestamp())


def test_any_event_can_be_sent_with_any_token(marketplace, receiver):
    receiver.statuses = [401]

    done = marketplace.execute(
        "event", body={"action": "Transfer"}, claims={"aud": "x", "azp": None}, key="unpublished"
    )

    claims = claims_of(receiver.calls[0].authorization)
    assert (done["status"], receiver.calls[0].body, claims["aud"]) == (401, {"action": "Transfer"}, "x")
    assert "azp" not in claims
    marketplace.execute("event", body=None, authorization="")
    assert receiver.calls[1].authorization == ""


def test_events_can_come_twice_and_in_any_order(marketplace, receiver):
    marketplace.execute("shapes", held=True)
    subscription = marketplace.buy(active=True)
    renewed = marketplace.execute("renew", subscription=subscription)["operation"]
    suspended = marketplace.execute("suspend", subscription=subscription)["operation"]
    held = marketplace.stats()["held"]

    marketplace.execute("release", operations=[suspended, renewed, suspended])
    marketplace.wait_until_idle()

    assert held == [renewed, suspended]
    assert receiver.actions() == ["Suspend", "Renew", "Suspend"]
    assert marketplace.stats()["held"] == []


def test_every_event_can_come_in_copies(marketplace, receiver):
    marketplace.execute("shapes", copies=3)

    marketplace.execute("suspend", subscription=marketplace.buy(active=True))
    marketplace.wait_until_idle()

    assert len(receiver.calls) == 3
    assert len({call.body["id"] for call in receiver.calls}) == 1


def test_a_held_change_is_accepted_all_the_same(marketplace):
    marketplace.execute("shapes", held=True)
    subscription = marketplace.buy(active=True)

    marketplace.execute("change", subscription=subscription, plan="gold")

    wait_until(lambda: get(marketplace, subscription)["planId"] == "gold")


def test_a_change_can_wait_until_its_webhook_succeeds(marketplace, receiver):
    marketplace.execute("shapes", unanswered="wait")
    marketplace.execute("pace", ack_seconds=0.01, retry_seconds=0.1)
    receiver.statuses = [500, 500, 500]
    subscription = marketplace.buy(active=True)

    changed = marketplace.execute("change", subscription=subscription, plan="gold")["operation"]
    wait_until(lambda: len(receiver.calls) == 3)
    waiting = operation(marketplace, subscription, changed).json()["status"]

    assert waiting == "InProgress"
    wait_until(lambda: get(marketplace, subscription)["planId"] == "gold")


@pytest.mark.parametrize(("shape", "shown"), [("number", 3), ("string", "3"), ("empty", ""), ("null", None)])
def test_quantities_come_in_every_shape(marketplace, shape, shown):
    subscription = marketplace.buy(plan="seats", quantity=3, active=True)

    marketplace.execute("shapes", quantity=shape)

    assert get(marketplace, subscription)["quantity"] == shown


def test_statuses_come_padded_and_enums_unknown(marketplace):
    subscription = marketplace.buy(active=True)

    marketplace.execute("shapes", padded_status=True, unknown_enums=True)

    odd = get(marketplace, subscription)
    assert odd["saasSubscriptionStatus"] == " Subscribed "
    assert odd["term"]["termUnit"] == "P7D"
    assert {odd["sandboxType"], odd["sessionMode"]} == {"Sandbox9", "Rehearsal"}


def test_a_reinstatement_can_come_with_next_to_nothing(marketplace, receiver):
    marketplace.execute("shapes", minimal_bodies="reinstate")
    subscription = marketplace.buy(active=True)
    marketplace.execute("suspend", subscription=subscription)
    marketplace.wait_until_idle()

    marketplace.execute("reinstate", subscription=subscription)
    marketplace.wait_until_idle()

    assert receiver.calls[1].body == {"subscriptionId": subscription, "operationType": "Reinstate"}


@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_operation_is_refused_with_either_status(marketplace, status):
    marketplace.execute("shapes", unknown_operation=status, hidden_notices=True)
    subscription, other = marketplace.buy(active=True), marketplace.buy(active=True)
    suspended = marketplace.execute("suspend", subscription=subscription)["operation"]
    ended = marketplace.execute("unsubscribe", subscription=subscription)["operation"]

    asked = [(subscription, UNKNOWN), (subscription, suspended), (other, ended), (subscription, ended)]

    assert [operation(marketplace, *each).status_code for each in asked] == [status, status, status, 200]


def test_a_fault_replaces_the_work_or_only_its_response(marketplace):
    subscription = marketplace.buy()
    marketplace.execute("faults", activate={"status": 503, "headers": {"Retry-After": "1"}, "times": 1})
    failed = activate(marketplace, subscription, planId="paid")
    untouched = marketplace.status(subscription)
    marketplace.execute("faults", **{"activate.answer": {"status": 500, "times": 1}})

    lost = activate(marketplace, subscription, planId="paid")

    assert (failed, untouched) == (503, "PendingFulfillmentStart")
    assert (lost, marketplace.status(subscription)) == (500, "Subscribed")
    assert marketplace.stats()["hits"]["activate"] == 2


def test_orders_that_make_no_sense_are_refused(marketplace):
    base = f"{marketplace.emulator.url}/admin"
    given = [
        ("buy", {"person": "zed"}),
        ("buy", {"plan": "seats"}),
        ("buy", {"colour": "red"}),
        ("shapes", {"quantity": "many"}),
        ("faults", {"nothing": {}}),
        ("release", {"operations": [UNKNOWN]}),
        ("dance", {}),
    ]

    statuses = [requests.post(f"{base}/{order}", json=body, timeout=5).status_code for order, body in given]

    assert statuses == [400, 400, 400, 400, 400, 400, 404]
    page = requests.post(f"{base}/buy", json={}, headers={"Origin": "http://evil.example"}, timeout=5)
    assert page.status_code == 403


def test_the_state_survives_a_restart(tmp_path, entra):
    with running(tmp_path, entra.authority) as first:
        subscription = first.buy(active=True)
    with running(tmp_path, entra.authority) as second:
        status = second.status(subscription)

    assert status == "Subscribed"
    assert list(StateFile(tmp_path / "marketplace" / "state.json").state.subscriptions) == [subscription]


def test_the_page_buys_and_changes_subscriptions(marketplace):
    shop = marketplace.emulator.url
    origin = {"Origin": shop}

    bought = requests.post(
        f"{shop}/command/buy",
        data={"person": "ada", "plan": "seats", "quantity": "2"},
        headers=origin,
        timeout=5,
        allow_redirects=False,
    )
    [subscription] = marketplace.stats()["subscriptions"]
    activate(marketplace, subscription, planId="seats", quantity=2)
    changed = requests.post(
        f"{shop}/command/change", data={"subscription": subscription, "quantity": "5"}, headers=origin, timeout=5
    )
    wrong = requests.post(
        f"{shop}/command/change", data={"subscription": subscription, "plan": "gold"}, headers=origin, timeout=5
    )
    stranger = requests.post(f"{shop}/command/buy", data={}, headers={"Origin": "http://evil.example"}, timeout=5)

    assert bought.status_code == 303
    assert "/landing?token=" in bought.headers["Location"]
    assert (changed.status_code, wrong.status_code, stranger.status_code) == (200, 400, 403)
    assert "a change waits for the publisher" in changed.text
    assert 'role="alert"' in wrong.text
    assert "default-src 'none'" in changed.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("begins", "unit", "ends"),
    [
        ("2027-01-31", "P1M", "2027-02-27"),
        ("2026-11-30", "P1M", "2026-12-29"),
        ("2027-01-15", "P1M", "2027-02-14"),
        ("2026-12-31", "P1M", "2027-01-30"),
        ("2028-02-29", "P1Y", "2029-02-27"),
    ],
)
def test_a_term_ends_on_a_day_of_the_calendar(marketplace, clock, begins, unit, ends):
    clock.set(f"{begins}T12:00:00+00:00")

    subscription = marketplace.buy(active=True, term=unit)

    assert get(marketplace, subscription)["term"]["endDate"] == f"{ends}T00:00:00Z"


def test_a_free_trial_is_over_with_its_first_term(marketplace):
    subscription = marketplace.buy(plan="seats", quantity=2, active=True, free_trial=True)
    before = get(marketplace, subscription)["isFreeTrial"]
    marketplace.execute("renew", subscription=subscription)

    assert (before, get(marketplace, subscription)["isFreeTrial"]) == (True, False)


def test_a_plan_has_monthly_and_yearly_terms_with_included_units(marketplace):
    subscription = marketplace.buy(plan="team")
    [plan] = marketplace.send("GET", f"saas/subscriptions/{subscription}/listAvailablePlans").json()["plans"]
    terms = plan["planComponents"]["recurrentBillingTerms"]

    assert [(each["termUnit"], each["price"], each["meteredQuantityIncluded"][0]["units"]) for each in terms] == [
        ("P1M", 20.0, "5"),
        ("P1Y", 200.0, "60"),
    ]
