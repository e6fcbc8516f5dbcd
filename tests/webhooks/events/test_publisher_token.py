import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, replace

import pytest

from tests.support.marketplace import CLIENT_ID, TENANT_ID
from tests.support.purchases import Purchase
from tests.support.world import new_id
from webhooks.events.publisher_token import v1_keys_of


pytestmark = pytest.mark.http_only
STRANGER = "11111111-2222-4333-8444-555555555555"
OTHER_CLAIMS = {
    "another audience": {"aud": STRANGER},
    "a list of audiences": {"aud": [CLIENT_ID]},
    "another issuer": {"iss": f"https://login.example/{TENANT_ID}/v2.0"},
    "the customer's directory": {"tid": STRANGER},
    "another caller": {"appid": STRANGER, "azp": STRANGER},
    "no caller": {"appid": None, "azp": None},
    "no end": {"exp": None},
    "another version": {"ver": "3.0"},
    "no version": {"ver": None},
}


@dataclass(frozen=True)
class Forger:
    """Sends one real event with any token."""

    purchase: Purchase
    operation: str

    def status(self, **order: object) -> int:
        operation = self.purchase.operation(self.operation)
        body = {"id": self.operation, "subscriptionId": self.purchase.id, "action": operation["action"]}
        sent = self.purchase.marketplace.execute("event", **{"body": body, **order})
        return int(sent["status"])


@pytest.fixture(params=["v1", "v2"])
def version(request) -> str:
    form: str = request.param
    return form


@pytest.fixture
def forger(purchase, version) -> Forger:
    purchase.marketplace.execute("shapes", tokens=version, held=True)
    return Forger(purchase, purchase.execute("suspend"))


def in_parts(token):
    head, payload, _ = token.split(".")
    return json.loads(_decode(head)), json.loads(_decode(payload))


def _decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encode(document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def true_token(forger, version):
    return forger.purchase.marketplace.emulator.delivery._tokens.build_webhook_token(version, {})


def test_the_marketplaces_token_is_accepted_in_both_versions(forger):
    assert forger.status() == 200
    assert forger.purchase.terms[0] == "suspended"


def test_a_token_without_nbf_is_accepted(forger):
    assert forger.status(claims={"nbf": None, "iat": None}) == 200


@pytest.mark.parametrize("wrong", list(OTHER_CLAIMS))
def test_a_token_with_any_wrong_claim_changes_nothing(forger, wrong):
    before = forger.purchase.row

    assert forger.status(claims=OTHER_CLAIMS[wrong]) == 401
    assert forger.purchase.row == before
    assert forger.purchase.outcomes == []


@pytest.mark.parametrize(
    "elsewhen", [{"nbf": 4_000_000_000, "exp": 4_000_003_600}, {"exp": 1_700_000_000}], ids=["behind", "ahead"]
)
def test_a_wrong_clock_refuses_no_event(forger, elsewhen):
    assert forger.status(claims=elsewhen) == 503
    assert forger.status(claims={**elsewhen, "aud": STRANGER}) == 401
    assert forger.purchase.outcomes == []
    assert forger.status() == 200


def test_a_token_with_an_unpublished_key_changes_nothing(forger):
    assert [forger.status(key="unpublished") for _ in range(5)] == [503] * 5  # one that is new looks just like it
    assert forger.purchase.outcomes == []


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", "missing_token"),
        ("Bearer", "missing_token"),
        ("Bearer a", "malformed"),
        ("Bearer a.b.c", "malformed"),
        ("Bearer e30.W10.e30", "bad_header"),
        ("Basic eDp5", "missing_token"),
    ],
)
def test_a_malformed_token_changes_nothing_and_is_logged(forger, authorization, reason, caplog):
    caplog.set_level("INFO", "timetracker")

    assert forger.status(authorization=authorization) == 401
    assert forger.purchase.outcomes == []
    assert f'"reason": "{reason}"' in caplog.text


def test_an_unsigned_token_changes_nothing(forger, version):
    head, payload = in_parts(true_token(forger, version))
    unsigned = f"{_encode({**head, 'alg': 'none'})}.{_encode(payload)}."

    assert forger.status(authorization=f"Bearer {unsigned}") == 401


def test_a_token_signed_with_the_public_key_as_a_secret_changes_nothing(forger, version, signing_keys):
    head, payload = in_parts(true_token(forger, version))
    public = json.dumps(signing_keys.get(head["kid"]).key._jwk_data).encode()
    signed = f"{_encode({**head, 'alg': 'HS256'})}.{_encode(payload)}"
    forged = f"{signed}.{_encode(hmac.digest(public, signed.encode(), hashlib.sha256))}"

    assert forger.status(authorization=f"Bearer {forged}") == 401


def test_a_key_of_another_directory_cannot_sign_our_tokens(forger, version, app):
    head, _ = in_parts(true_token(forger, version))
    keys = v1_keys_of(app) if version == "v1" else app.validator.keys
    keys.get(head["kid"])
    known, kid = keys._known, head["kid"]
    other = replace(known[kid].key, issuer=f"https://sts.windows.net/{STRANGER}/")
    keys._known = {**known, kid: replace(known[kid], key=other)}
    try:
        status = forger.status()
    finally:
        keys._known = known

    assert status == 401


def test_a_version_is_rejected_with_the_claims_of_the_other(forger, version):
    mixed = {"ver": "1.0"} if version == "v2" else {"ver": "2.0"}

    assert forger.status(claims=mixed) == 401


def test_every_refused_token_has_the_same_response(purchase, http):
    body = {"id": new_id(), "subscriptionId": purchase.id, "action": "Suspend"}
    token = purchase.marketplace.emulator.delivery._tokens.build_webhook_token("v2", {"aud": STRANGER})
    answers = [http.send("POST", "marketplace/webhook", body, token=each) for each in (None, "a.b.c", token)]

    bodies = [{name: value for name, value in each.body.items() if name != "requestId"} for each in answers]
    assert bodies[0] == bodies[1] == bodies[2]
    assert {each.headers["WWW-Authenticate"] for each in answers} == {'Bearer error="invalid_token"'}


def test_a_persons_token_is_rejected(purchase, owner):
    refused = owner.post("marketplace/webhook", {"subscriptionId": purchase.id, "action": "Unsubscribe"})

    assert (refused.status, refused.code) == (401, "invalid_token")
    assert purchase.outcomes == []


def test_a_stolen_token_applies_only_microsofts_own_state(purchase):
    body = {"id": new_id(), "subscriptionId": purchase.id, "action": "ChangeQuantity", "quantity": 5000}
    before = purchase.row

    assert purchase.marketplace.execute("event", body=body)["status"] == 503
    assert purchase.marketplace.execute("event", body={**body, "action": "Unsubscribe"})["status"] == 503
    assert (purchase.row, purchase.outcomes) == (before, [])
    assert purchase.marketplace.execute("event", body={**body, "action": "Suspend"})["status"] == 200
    assert purchase.terms == ("subscribed", "seats", 5)
