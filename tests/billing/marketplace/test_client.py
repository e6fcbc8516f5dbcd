import contextlib
import datetime as dt
import json
import socketserver
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Request, Response

from billing.marketplace import of
from billing.marketplace.client import MarketplaceClient
from billing.marketplace.errors import (
    MarketplaceConflict,
    MarketplaceNotFound,
    MarketplaceRefused,
    MarketplaceUnauthorized,
    MarketplaceUnavailable,
    UnreadableResponse,
)
from billing.marketplace.model import UnreadableRow
from billing.marketplace.tokens import SCOPE, SecretTokens
from devcloud.emulators.server import serving
from shared.app import App
from shared.deadline import Deadline
from shared.http_client import HttpClient
from shared.settings import Settings
from tests.support import marketplace as support
from tests.support.marketplace import wait_until


UNKNOWN = "00000000-0000-4000-8000-000000000000"


def settings_of(authority: str, api_url: str, **changed: str) -> Settings:
    return Settings.from_env(
        {
            "ENTRA_AUTHORITY": authority,
            "ENTRA_API_CLIENT_ID": UNKNOWN,
            "ENTRA_CLIENT_IDS": UNKNOWN,
            "MARKETPLACE_API_URL": api_url,
            "MARKETPLACE_TENANT_ID": support.TENANT_ID,
            "MARKETPLACE_CLIENT_ID": support.CLIENT_ID,
            "MARKETPLACE_CLIENT_SECRET": support.CLIENT_SECRET,
            **changed,
        }
    )


@pytest.fixture
def client(marketplace, entra):
    client = MarketplaceClient.of(settings_of(entra.authority, marketplace.api_url))
    yield client
    client.close()
    entra.emulator.faults.clear()


@pytest.fixture
def deadline() -> Deadline:
    return Deadline.after(8)


def inject_fault(marketplace: support.Marketplace, endpoint: str, **fault: Any):  # noqa: ANN401 - as the emulator checks
    marketplace.execute("faults", **{endpoint: fault})


def hits(marketplace: support.Marketplace, endpoint: str) -> int:
    count: int = marketplace.stats()["hits"].get(endpoint, 0)
    return count


def test_a_purchase_is_resolved_activated_and_read(marketplace, client, deadline):
    bought = marketplace.buy(plan="seats", quantity=3)

    resolved = client.resolve(marketplace.purchase_token(bought), deadline)
    client.activate(bought, "seats", 3, deadline)
    active = client.get(bought, deadline)

    assert (resolved.id, resolved.status, resolved.term.starts_at) == (bought, "PendingFulfillmentStart", None)
    assert (active.status, active.plan_id, active.quantity) == ("Subscribed", "seats", 3)
    assert active.term.ends_at == dt.datetime(2026, 12, 22, tzinfo=dt.UTC)
    assert active.beneficiary.email == "ada@contoso.example"
    assert active.created_at == dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
    assert active.modified_at is None


@pytest.mark.parametrize("token", ["", "  ", "a\nb", "ü", "x" * 9000, "garbage+of/nobody="])
def test_a_garbage_purchase_token_is_refused(client, deadline, token):
    with pytest.raises(MarketplaceRefused) as caught:
        client.resolve(token, deadline)

    assert caught.value.status == 400


def test_an_expired_purchase_token_is_refused_at_once(marketplace, client, deadline):
    token = marketplace.purchase_token(marketplace.buy(), "expired")

    with pytest.raises(MarketplaceRefused):
        client.resolve(token, deadline)

    assert hits(marketplace, "resolve") == 1


def test_a_second_activation_is_the_same_as_one(marketplace, client, deadline):
    bought = marketplace.buy()

    client.activate(bought, "paid", None, deadline)
    client.activate(bought, "paid", None, deadline)

    assert marketplace.status(bought) == "Subscribed"


def test_an_activation_without_a_response_is_verified(marketplace, client, deadline):
    bought = marketplace.buy()
    inject_fault(marketplace, "activate.answer", status=500, times=1)

    client.activate(bought, "paid", None, deadline)

    assert hits(marketplace, "activate") == 2
    assert marketplace.status(bought) == "Subscribed"


def test_the_activation_of_another_plan_is_refused(marketplace, client, deadline):
    bought = marketplace.buy()

    with pytest.raises(MarketplaceRefused) as caught:
        client.activate(bought, "gold", None, deadline)

    assert (caught.value.status, caught.value.code) == (400, "BadArgument")
    assert marketplace.status(bought) == "PendingFulfillmentStart"


def test_a_cancelled_purchase_cannot_be_activated(marketplace, client, deadline):
    bought = marketplace.buy()
    marketplace.execute("unsubscribe", subscription=bought)

    with pytest.raises(MarketplaceNotFound):
        client.activate(bought, "paid", None, deadline)


@pytest.mark.parametrize("subscription", [UNKNOWN, "nonsense", "../../usageEvents", ""])
def test_an_unknown_subscription_is_not_known(client, deadline, subscription):
    with pytest.raises(MarketplaceNotFound):
        client.get(subscription, deadline)


def test_all_pages_of_the_list_are_read(marketplace, client, deadline):
    none = list(client.subscriptions(deadline))
    bought = [marketplace.buy() for _ in range(5)]
    marketplace.execute("shapes", page_size=2)

    assert none == []
    assert [each.id for each in client.subscriptions(deadline)] == bought
    assert hits(marketplace, "list") == 4


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/api/saas/subscriptions",
        "//evil.example/api/saas/subscriptions",
        "{base}@evil.example/api/saas/subscriptions",
        "{base}.evil.example/api/saas/subscriptions",
        "{base}\\@evil.example/api/saas/subscriptions",
        "http://someone@{host}/api/saas/subscriptions",
        "http://127.0.0.1:9/api/saas/subscriptions",
        "https://{host}/api/saas/subscriptions",
        "{base}/admin/stats",
        "{base}/api/../admin/stats",
        "{base}/api/saas subscriptions",
        "file:///etc/passwd",
        "http://[",
    ],
)
def test_a_next_link_that_leads_elsewhere_is_not_followed(marketplace, client, deadline, link):
    marketplace.buy()
    marketplace.buy()
    base = marketplace.emulator.url
    next_link = link.format(base=base, host=base.removeprefix("http://"))
    marketplace.execute("shapes", page_size=1, next_link=next_link)

    rows = client.subscriptions(deadline)
    first = next(rows)

    assert first.status == "PendingFulfillmentStart"
    with pytest.raises(UnreadableResponse, match="foreign_link"):
        next(rows)


def test_a_circular_list_ends(marketplace, client, deadline):
    for _ in range(3):
        marketplace.buy()
    marketplace.execute("shapes", page_size=1, next_link="/api/saas/subscriptions?api-version=2018-08-31")

    with pytest.raises(UnreadableResponse, match="endless_list"):
        list(client.subscriptions(deadline))


def test_one_unreadable_row_does_not_hide_the_others(entra, deadline):
    good = {"id": UNKNOWN, "saasSubscriptionStatus": "Subscribed", "planId": "paid"}
    bad = {**good, "id": UNKNOWN.replace("4", "5"), "quantity": "many"}

    with answering({"subscriptions": [bad, None, good]}) as url:
        client = MarketplaceClient.of(settings_of(entra.authority, url))
        rows = list(client.subscriptions(deadline))
        client.close()

    assert rows[0] == UnreadableRow(str(bad["id"]), "unreadable Subscription quantity")
    assert isinstance(rows[1], UnreadableRow)
    assert rows[2].id == UNKNOWN


def test_the_plans_to_change_to_are_listed(marketplace, client, deadline):
    flat = client.plans(marketplace.buy(), deadline)
    seats = client.plans(marketplace.buy(plan="seats", quantity=1), deadline)

    assert [(plan.id, plan.is_per_seat, plan.dimensions) for plan in flat] == [
        ("paid", False, ("active_user",)),
        ("gold", False, ("active_user",)),
    ]
    assert [(plan.id, plan.min_quantity, plan.max_quantity) for plan in seats] == [
        ("seats", 1, 1000),
        ("seats-plus", 1, 1000),
    ]
    assert client.plans(UNKNOWN, deadline) == []


def test_plan_and_seats_are_changed_one_at_a_time(marketplace, client, deadline):
    subscription = marketplace.buy(plan="seats", quantity=3, active=True)

    changing = client.change_quantity(subscription, 5, deadline)
    pending = client.operations(subscription, deadline)
    with pytest.raises(MarketplaceConflict):
        client.change_plan(subscription, "seats-plus", deadline)
    wait_until(lambda: client.operation(subscription, changing, deadline).status == "Succeeded")
    client.change_plan(subscription, "seats-plus", deadline)

    assert [(each.id, each.action, each.quantity, each.source) for each in pending] == [
        (changing, "ChangeQuantity", 5, "Partner")
    ]
    assert pending[0].happened_at == dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
    wait_until(lambda: client.get(subscription, deadline).plan_id == "seats-plus")
    assert client.get(subscription, deadline).quantity == 5


def test_a_change_with_an_unknown_outcome_is_not_repeated(marketplace, client, deadline):
    subscription = marketplace.buy(active=True)
    inject_fault(marketplace, "change.answer", status=503)

    with pytest.raises(MarketplaceUnavailable):
        client.change_plan(subscription, "gold", deadline)

    assert hits(marketplace, "change") == 1


def test_a_change_that_was_throttled_is_repeated(marketplace, client, deadline):
    subscription = marketplace.buy(active=True)
    inject_fault(marketplace, "change", status=429, headers={"Retry-After": "0"}, times=2)

    client.change_plan(subscription, "gold", deadline)

    assert hits(marketplace, "change") == 3


def test_a_subscription_is_cancelled(marketplace, client, deadline):
    subscription = marketplace.buy(active=True)

    ended = client.cancel(subscription, deadline)

    assert client.operation(subscription, ended, deadline).action == "Unsubscribe"
    assert client.get(subscription, deadline).status == "Unsubscribed"


@pytest.mark.parametrize(("accepted", "quantity"), [(True, 9), (False, 3)])
def test_a_customers_change_is_accepted_or_rejected(marketplace, client, deadline, accepted, quantity):
    marketplace.execute("pace", ack_seconds=60)
    subscription = marketplace.buy(plan="seats", quantity=3, active=True)
    change = marketplace.execute("change", subscription=subscription, quantity=9)["operation"]

    first = client.acknowledge(subscription, change, deadline, accepted=accepted)
    second = client.acknowledge(subscription, change, deadline, accepted=accepted)

    assert (first, second) == (True, False)
    assert client.get(subscription, deadline).quantity == quantity


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("operation", [UNKNOWN, "nonsense"])
def test_an_operation_that_microsoft_does_not_know_is_not_known(marketplace, client, deadline, status, operation):
    marketplace.execute("shapes", unknown_operation=status)

    with pytest.raises(MarketplaceNotFound):
        client.operation(marketplace.buy(active=True), operation, deadline)


def test_an_operation_of_another_subscription_is_not_known(marketplace, client, deadline):
    mine, other = marketplace.buy(active=True), marketplace.buy(active=True)
    suspended = marketplace.execute("suspend", subscription=other)["operation"]

    with pytest.raises(MarketplaceNotFound):
        client.operation(mine, suspended, deadline)


@pytest.mark.parametrize(
    ("shapes", "quantity"),
    [
        ({"padded_status": True, "quantity": "string", "unknown_enums": True}, 3),
        ({"quantity": "empty"}, None),
        ({"quantity": "null"}, None),
        ({"empty_bodies": False}, 3),
    ],
)
def test_every_variant_of_a_response_is_parsed(marketplace, client, deadline, shapes, quantity):
    marketplace.execute("pace", ack_seconds=60)
    subscription = marketplace.buy(plan="seats", quantity=3, active=True)
    change = marketplace.execute("change", subscription=subscription, plan="seats-plus")["operation"]
    marketplace.execute("shapes", **shapes)

    resolved = client.resolve(marketplace.purchase_token(subscription), deadline)
    [listed] = client.subscriptions(deadline)

    assert (resolved.status, resolved.quantity) == ("Subscribed", quantity)
    assert resolved == listed == client.get(subscription, deadline)
    operation = client.operation(subscription, change, deadline)
    assert (operation.action, operation.status, operation.quantity) == ("ChangePlan", "InProgress", quantity)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_transient_error_is_retried(marketplace, client, deadline, status):
    subscription = marketplace.buy(active=True)
    inject_fault(marketplace, "get", status=status, times=2)

    assert client.get(subscription, deadline).status == "Subscribed"
    assert hits(marketplace, "get") == 3


def test_a_lasting_error_is_raised_after_four_attempts(marketplace, client, deadline):
    subscription = marketplace.buy(active=True)
    inject_fault(marketplace, "get", status=500)

    with pytest.raises(MarketplaceUnavailable, match="http_500"):
        client.get(subscription, deadline)

    assert hits(marketplace, "get") == 4


def test_the_client_waits_for_retry_after(marketplace, client, deadline):
    subscription = marketplace.buy(active=True)
    inject_fault(marketplace, "get", status=429, headers={"Retry-After": "1"}, times=1)
    began = time.monotonic()

    client.get(subscription, deadline)

    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("pause", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_pause_beyond_the_deadline_is_not_begun(marketplace, client, pause):
    subscription = marketplace.buy(active=True)
    inject_fault(marketplace, "get", status=503, headers={"Retry-After": pause})
    deadline = Deadline.after(600)

    with pytest.raises(MarketplaceUnavailable, match="http_503"):
        client.get(subscription, deadline)

    assert deadline.left > 300
    assert hits(marketplace, "get") == 1


@pytest.mark.parametrize("pause", ["soon", "-1", ""])
def test_an_invalid_pause_is_replaced_by_our_own(marketplace, client, deadline, pause):
    subscription = marketplace.buy(active=True)
    inject_fault(marketplace, "get", status=503, headers={"Retry-After": pause}, times=1)

    assert client.get(subscription, deadline)


def test_a_call_without_a_response_ends_at_its_deadline(marketplace, client):
    subscription = marketplace.buy(active=True)
    client.get(subscription, Deadline.after(5))
    inject_fault(marketplace, "get", hang=True)

    with pytest.raises(MarketplaceUnavailable):
        client.get(subscription, Deadline.after(0.5))

    marketplace.emulator.faults.clear()


def test_a_response_that_trickles_without_an_end_ends_at_the_deadline(entra):
    with trickling() as url:
        client = MarketplaceClient.of(settings_of(entra.authority, url))
        with pytest.raises(MarketplaceUnavailable):
            client.get(UNKNOWN, Deadline.after(0.5))
        client.close()


def test_nothing_is_sent_after_the_deadline(marketplace, client):
    with pytest.raises(MarketplaceUnavailable):
        client.get(marketplace.buy(), Deadline.after(0))

    assert hits(marketplace, "get") == 0


def test_a_marketplace_that_is_down_is_unavailable(entra):
    client = MarketplaceClient.of(settings_of(entra.authority, "http://127.0.0.1:1/api"))

    with pytest.raises(MarketplaceUnavailable, match="ConnectionError"):
        client.get(UNKNOWN, Deadline.after(2))

    client.close()


@pytest.mark.parametrize("body", ["[]", "null", "{", '"x"', "[" * 100_000, "<html>", "{}", '{"id": 7}', ""])
def test_an_invalid_response_is_unreadable(marketplace, client, deadline, body):
    subscription = marketplace.buy(active=True)
    inject_fault(marketplace, "get", status=200, body=body)

    with pytest.raises(UnreadableResponse):
        client.get(subscription, deadline)


def test_another_subscription_than_asked_for_is_unreadable(marketplace, client, deadline):
    other = {"id": UNKNOWN, "saasSubscriptionStatus": "Subscribed", "planId": "paid"}
    inject_fault(marketplace, "get", status=200, body=json.dumps(other))

    with pytest.raises(UnreadableResponse, match="other_subscription"):
        client.get(marketplace.buy(), deadline)


def test_a_redirect_is_not_followed(marketplace, client, deadline):
    inject_fault(marketplace, "get", status=302, headers={"Location": f"{marketplace.emulator.url}/"})

    with pytest.raises(UnreadableResponse, match="http_302"):
        client.get(marketplace.buy(), deadline)


def test_each_request_has_its_own_id_and_the_correlation_id_of_its_deadline(entra):
    seen: list[dict[str, str]] = []
    deadline = replace(Deadline.after(5), correlation_id=uuid.UUID(UNKNOWN))

    with answering({}, status=503, seen=seen) as url:
        client = MarketplaceClient.of(settings_of(entra.authority, url))
        with pytest.raises(MarketplaceUnavailable):
            client.get(UNKNOWN, deadline)
        client.close()

    assert {headers["X-Ms-Correlationid"] for headers in seen} == {UNKNOWN}
    assert len({headers["X-Ms-Requestid"] for headers in seen}) == len(seen) == 4


def test_one_token_is_used_until_shortly_before_its_end(entra, marketplace):
    instant = [0.0]
    http = HttpClient("test", f"{entra.authority}/")
    url = f"{entra.authority}/{support.TENANT_ID}/oauth2/v2.0/token"
    tokens = SecretTokens(url, support.CLIENT_ID, support.CLIENT_SECRET, http=http, monotonic=lambda: instant[0])
    before = entra.emulator.faults.hits().get("token", 0)

    with ThreadPoolExecutor(8) as pool:
        first = set(pool.map(lambda _: tokens.get(Deadline.after(5)), range(20)))
    instant[0] += 3200
    same = tokens.get(Deadline.after(5))
    instant[0] += 90 * 60
    renewed = tokens.get(Deadline.after(5))

    http.close()
    assert first == {same}
    assert renewed != same
    assert entra.emulator.faults.hits()["token"] - before == 2
    assert marketplace.send("GET", "saas/subscriptions", token=renewed).status_code == 200


def test_a_wrong_secret_is_reported_at_once(marketplace, entra, deadline):
    client = MarketplaceClient.of(settings_of(entra.authority, marketplace.api_url, MARKETPLACE_CLIENT_SECRET="wrong"))
    before = entra.emulator.faults.hits().get("token", 0)

    with pytest.raises(MarketplaceUnauthorized) as caught:
        client.get(marketplace.buy(), deadline)

    client.close()
    assert (caught.value.status, caught.value.code) == (401, "token")
    assert entra.emulator.faults.hits()["token"] - before == 1
    assert hits(marketplace, "get") == 0


def test_an_app_that_the_offer_does_not_name_is_not_authorized(marketplace, entra, deadline):
    client = MarketplaceClient.of(
        settings_of(entra.authority, marketplace.api_url, MARKETPLACE_CLIENT_ID="da3e0000-1b2c-4d3e-8f4a-5b6c7d8e9f00")
    )

    with pytest.raises(MarketplaceUnauthorized) as caught:
        client.get(marketplace.buy(), deadline)

    client.close()
    assert caught.value.status == 403


def test_a_transient_error_of_entra_is_retried(marketplace, client, entra, deadline):
    subscription = marketplace.buy(active=True)
    requests.post(f"{entra.authority}/admin/faults", json={"token": {"status": 503, "times": 2}}, timeout=5)

    assert client.get(subscription, deadline)


def test_waiting_for_a_missing_token_ends_at_each_deadline(client, entra):
    requests.post(f"{entra.authority}/admin/faults", json={"token": {"hang": True}}, timeout=5)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(client.get, UNKNOWN, Deadline.after(0.5)) for _ in range(4)]
        failures = [each.exception() for each in asked]

    assert {type(each) for each in failures} == {MarketplaceUnavailable}


def test_without_a_secret_the_managed_identity_is_asked(marketplace, entra, deadline, monkeypatch):
    asked: list[dict[str, str]] = []

    @Request.application
    def identity(request: Request) -> Response:
        asked.append({**request.args, "header": request.headers.get("X-IDENTITY-HEADER", "")})
        body = {"access_token": marketplace.token, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
        return Response(json.dumps(body), content_type="application/json")

    with serving(lambda _url: identity, port=0) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "the host's own")
        client = MarketplaceClient.of(settings_of(entra.authority, marketplace.api_url, MARKETPLACE_CLIENT_SECRET=""))
        first, second = (client.get(marketplace.buy(active=True), deadline) for _ in range(2))
        client.close()

    assert (first.status, second.status) == ("Subscribed", "Subscribed")
    [only] = asked
    assert (only["resource"], only["client_id"]) == (SCOPE.removesuffix("/.default"), support.CLIENT_ID)
    assert only["header"] == "the host's own"


def test_a_managed_identity_without_a_response_ends_at_the_deadline(marketplace, entra, monkeypatch):
    released = threading.Event()

    @Request.application
    def identity(_request: Request) -> Response:
        released.wait(60)
        return Response(status=503)

    with serving(lambda _url: identity, port=0) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        client = MarketplaceClient.of(settings_of(entra.authority, marketplace.api_url, MARKETPLACE_CLIENT_SECRET=""))
        with pytest.raises(MarketplaceUnavailable, match="token_too_slow"):
            client.get(UNKNOWN, Deadline.after(0.5))
        monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1")
        released.set()
        client.close()


def test_many_threads_share_a_client(marketplace, client, deadline):
    bought = [marketplace.buy(active=True) for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda each: client.get(each, deadline).id, bought))

    assert found == bought


def test_the_app_builds_its_client_if_the_settings_name_one(settings, engine, marketplace, entra, deadline):
    off = App(settings=settings, engine=engine, validator=None)  # type: ignore[arg-type]
    on = replace(off, settings=settings_of(entra.authority, marketplace.api_url))

    made = of(on)

    assert of(off) is None
    assert made is not None
    assert of(on) is made
    assert made.get(marketplace.buy(), deadline)
    on.close()


def test_no_repr_and_no_error_has_a_secret_or_an_address(marketplace, client, deadline, entra):
    subscription = client.get(marketplace.buy(active=True), deadline)
    inject_fault(
        marketplace, "get", status=400, body='{"error": {"code": "ada@contoso.example", "message": "Bearer eyJ0"}}'
    )

    with pytest.raises(MarketplaceRefused) as caught:
        client.get(subscription.id, deadline)

    shown = repr((subscription, caught.value, str(caught.value), settings_of(entra.authority, marketplace.api_url)))
    assert not any(secret in shown for secret in ("@contoso", "eyJ", support.CLIENT_SECRET))


@contextmanager
def trickling():
    """A server that sends a byte of a body without an end every now and then."""
    over = threading.Event()

    class Trickle(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            with contextlib.suppress(OSError):
                while not over.wait(0.1):
                    self.request.sendall(b" ")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trickle) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/api"
        finally:
            over.set()
            server.shutdown()


def answering(document: object, *, status: int = 200, seen: list[dict[str, str]] | None = None):
    """A server that always answers the same."""

    @Request.application
    def app(request: Request) -> Response:
        if seen is not None:
            seen.append(dict(request.headers))
        return Response(json.dumps(document), status, support.AT_ONCE, content_type="application/json")

    return serving(lambda _url: app, port=0)
