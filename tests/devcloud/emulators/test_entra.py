import base64
import datetime as dt
import hashlib
import http.client
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from devcloud.emulators.entra.clients import DAEMON, EXTENSION, FOREIGN_API, GRAPH, LANDING, SCRIPTS, TIMETRACKER_API
from devcloud.emulators.entra.people import CONTOSO, FABRIKAM, PEOPLE, find_person
from devcloud.emulators.entra.server import Entra, running
from shared.settings import GUID


SCOPE = f"api://{TIMETRACKER_API.id}/access_as_user"
BACK = "http://localhost:5999/cb"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "client_id": EXTENSION.id,
    "response_type": "code",
    "redirect_uri": BACK,
    "scope": f"openid profile offline_access {SCOPE}",
    "state": "a state & more",
    "nonce": "n-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
PERSON = {person.short: person for person in PEOPLE}


class Clock:
    def __init__(self) -> None:
        self.instant = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.instant

    def tick(self, **delta: float) -> None:
        self.instant += dt.timedelta(**delta)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def entra(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Entra]:
    with running(tmp_path_factory.mktemp("entra"), port=0, now=clock) as entra:
        yield entra


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def authorize(entra: Entra, tenant: str = "common", /, **changed: str | None) -> str:
    asked = {name: value for name, value in {**ASKED, **changed}.items() if value is not None}
    return f"{entra.url}/{tenant}/oauth2/v2.0/authorize?{urlencode(asked)}"


def pick(url: str, person: str) -> dict[str, str]:
    """Presses a person's button; the parameters that come back to the client."""
    answer = requests.post(url, data={"person": PERSON[person].oid}, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    came = urlsplit(answer.headers["Location"])
    return dict(parse_qsl(came.query or came.fragment))


def ask(entra: Entra, tenant: str = "common", **form: str) -> requests.Response:
    return requests.post(f"{entra.url}/{tenant}/oauth2/v2.0/token", data=form, timeout=5)


def redeem(entra: Entra, code: str, tenant: str = "common", **changed: str) -> requests.Response:
    form = {"client_id": EXTENSION.id, "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER, **changed}
    return ask(entra, tenant, grant_type="authorization_code", **form)


def by_password(entra: Entra, username: str, tenant: str = "common", **changed: str) -> requests.Response:
    form = {"client_id": EXTENSION.id, "username": username, "password": "any", "scope": SCOPE, **changed}
    return ask(entra, tenant, grant_type="password", **form)


def code_of(answer: requests.Response) -> int:
    code: int = answer.json()["error_codes"][0]
    return code


def test_a_person_signs_in_with_a_code_and_pkce(entra: Entra):
    page = requests.get(authorize(entra, CONTOSO.tid), timeout=5)
    back = pick(authorize(entra, CONTOSO.tid), "gus")
    answer = redeem(entra, back["code"], CONTOSO.tid)

    access, about = claims_of(answer.json()["access_token"]), claims_of(answer.json()["id_token"])
    assert page.ok
    assert ASKED["state"] == back["state"]
    assert (TIMETRACKER_API.id, EXTENSION.id) == (access["aud"], about["aud"])
    assert (access["scp"], about["nonce"]) == ("access_as_user", "n-1")
    assert "scp" not in about
    assert (1, f"https://sts.windows.net/{FABRIKAM.tid}/") == (access["acct"], access["idp"])
    assert access["oid"] == about["oid"]
    assert access["sub"] != about["sub"]


def test_an_access_token_has_exactly_the_claims_of_entra(entra: Entra, clock: Clock):
    token = by_password(entra, "ada").json()["access_token"]

    claims, header = claims_of(token), json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    now = int(clock().timestamp())
    names = "acct aio aud azp azpacr email exp iat iss name nbf oid preferred_username rh scp sub tid uti ver xms_edov"
    assert names.split() == sorted(claims)
    assert {"typ": "JWT", "alg": "RS256", "kid": entra.keys.current.kid} == header
    assert f"{entra.url}/{CONTOSO.tid}/v2.0" == claims["iss"]
    assert (now, now) == (claims["iat"], claims["nbf"])
    assert 3600 <= claims["exp"] - now < 5400


def test_the_page_lists_the_people_of_the_directory_and_needs_no_other_file(entra: Entra):
    contoso = requests.get(authorize(entra, CONTOSO.tid), timeout=5)
    everybody = requests.get(authorize(entra), timeout=5)

    assert names_on(contoso) == ["Ada Lovelace", "Ben Okafor", "Chloe Martin", "Dana Cruz", "Eli Novak", "Gus Berg"]
    assert {person.name for person in PEOPLE} == set(names_on(everybody))
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", contoso.text)
    assert contoso.headers["X-Frame-Options"] == "DENY"


def names_on(page: requests.Response) -> list[str]:
    return re.findall(r"<button[^>]*>([^<]+)<", page.text)


def test_a_login_hint_puts_that_person_first(entra: Entra):
    page = requests.get(authorize(entra, CONTOSO.tid, login_hint="chloe@contoso.example"), timeout=5)

    assert names_on(page)[0] == "Chloe Martin"


def test_texts_of_a_client_are_escaped_on_the_page(entra: Entra):
    page = requests.get(authorize(entra, client_id="<script>alert(1)</script>"), timeout=5)

    assert page.status_code == 400
    assert "<script" not in page.text


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        "https://evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://localhost:5999/other",
        "http://localhost:5999/cb?x=1",
        "http://localhost:5999/cb#x",
        "http://user@localhost:5999/cb",
        "https://localhost:5999/cb",
        "http://localhost:port/cb",
        "javascript:alert(1)",
    ],
)
def test_an_unregistered_redirect_uri_is_refused(entra: Entra, uri: str | None):
    answer = requests.get(authorize(entra, redirect_uri=uri), allow_redirects=False, timeout=5)

    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "AADSTS50011" in answer.text


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": None}, "invalid_request"),
        ({"scope": "api://nothing/read"}, "invalid_scope"),
        ({"scope": f"{SCOPE} api://{FOREIGN_API.id}/read"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_registered_client_gets_the_error(entra: Entra, changed: dict[str, str | None], error: str):
    answer = requests.get(authorize(entra, "common", **changed), allow_redirects=False, timeout=5)

    back = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert (error, ASKED["state"]) == (back["error"], back["state"])


def test_the_response_is_in_the_fragment_on_request(entra: Entra):
    url = authorize(entra, response_mode="fragment", prompt="select_account")

    answer = requests.post(url, data={"person": PERSON["ada"].oid}, allow_redirects=False, timeout=5)

    assert answer.headers["Location"].startswith(f"{BACK}#code=")


def test_a_person_of_another_directory_cannot_sign_in(entra: Entra):
    assert pick(authorize(entra, CONTOSO.tid), "bob")["error"] == "access_denied"
    assert code_of(by_password(entra, "bob@fabrikam.example", CONTOSO.tid)) == 50034


@pytest.mark.parametrize(("begun", "redeemed"), [(CONTOSO.tid, "organizations"), ("organizations", CONTOSO.tid)])
def test_a_code_is_valid_only_in_the_directory_of_its_request(entra: Entra, begun: str, redeemed: str):
    code = pick(authorize(entra, begun), "ada")["code"]

    assert code_of(redeem(entra, code, redeemed)) == 700005


def test_a_code_works_once(entra: Entra):
    code = pick(authorize(entra), "ada")["code"]

    first, second = redeem(entra, code), redeem(entra, code)

    assert first.ok
    assert (second.status_code, code_of(second)) == (400, 54005)


def test_a_code_is_worthless_after_a_minute(entra: Entra, clock: Clock):
    code = pick(authorize(entra), "ada")["code"]

    clock.tick(seconds=60)

    assert code_of(redeem(entra, code)) == 70008


@pytest.mark.parametrize(
    ("changed", "number"),
    [
        ({"code_verifier": "w" * 43}, 501481),
        ({"code_verifier": ""}, 900144),
        ({"redirect_uri": "http://localhost:5999/"}, 50011),
        ({"client_id": LANDING.id, "client_secret": "local-only-secret"}, 54005),
        ({"client_secret": "x"}, 700025),
    ],
)
def test_a_code_is_bound_to_its_client_address_and_verifier(entra: Entra, changed: dict[str, str], number: int):
    answer = redeem(entra, pick(authorize(entra), "ada")["code"], **changed)

    assert number == code_of(answer)


def test_a_refresh_token_gives_a_new_access_token_for_a_day(entra: Entra, clock: Clock):
    signed_in = redeem(entra, pick(authorize(entra), "ada")["code"]).json()
    renewal = {"grant_type": "refresh_token", "client_id": EXTENSION.id, "refresh_token": signed_in["refresh_token"]}

    renewed = ask(entra, **renewal).json()
    clock.tick(hours=24)
    late = ask(entra, **renewal)

    assert PERSON["ada"].oid == claims_of(renewed["access_token"])["oid"]
    assert signed_in["access_token"] != renewed["access_token"]
    assert code_of(late) == 700082


def test_a_confidential_client_signs_people_in_with_its_secret(entra: Entra):
    back = "http://127.0.0.1:7071/api/marketplace/landing/signed-in"
    url = authorize(entra, client_id=LANDING.id, redirect_uri=back, scope="openid profile email")
    changed = {"client_id": LANDING.id, "redirect_uri": back}

    without = redeem(entra, pick(url, "nora")["code"], **changed)
    answer = redeem(entra, pick(url, "nora")["code"], client_secret="local-only-secret", **changed)

    assert (without.status_code, without.json()["error"]) == (401, "invalid_client")
    assert LANDING.id == claims_of(answer.json()["id_token"])["aud"]
    assert GRAPH.id == claims_of(answer.json()["access_token"])["aud"]


def test_an_app_gets_a_token_with_roles_and_no_scope(entra: Entra):
    form = {"grant_type": "client_credentials", "scope": f"api://{TIMETRACKER_API.id}/.default"}
    credentials = (DAEMON.id, "local-only-secret")
    url = f"{entra.url}/{CONTOSO.tid}/oauth2/v2.0/token"

    in_header = requests.post(url, data=form, auth=credentials, timeout=5).json()
    in_form = ask(entra, CONTOSO.tid, client_id=DAEMON.id, client_secret="local-only-secret", **form).json()

    claims = claims_of(in_header["access_token"])
    assert ("app", ["Jobs.Run"], "1", DAEMON.id) == tuple(claims[name] for name in ("idtyp", "roles", "azpacr", "azp"))
    assert "scp" not in claims
    assert claims["oid"] == claims_of(in_form["access_token"])["oid"]
    assert "refresh_token" not in in_form


@pytest.mark.parametrize(
    ("tenant", "form", "status", "number"),
    [
        (CONTOSO.tid, {}, 400, 900144),
        (CONTOSO.tid, {"client_id": "x"}, 400, 700016),
        (CONTOSO.tid, {"client_id": EXTENSION.id}, 400, 70003),
        (CONTOSO.tid, {"client_id": EXTENSION.id, "grant_type": "implicit"}, 400, 70003),
        (CONTOSO.tid, {"client_id": EXTENSION.id, "grant_type": "client_credentials"}, 400, 700016),
        (CONTOSO.tid, {"client_id": DAEMON.id, "client_secret": "é"}, 401, 7000215),
        ("common", {"client_id": DAEMON.id, "client_secret": "local-only-secret"}, 400, 90002),
        ("consumers", {"client_id": EXTENSION.id}, 400, 90002),
        ("no-such", {"client_id": EXTENSION.id}, 400, 90002),
    ],
)
def test_refusals_have_entra_s_shape(entra: Entra, tenant: str, form: dict[str, str], status: int, number: int):
    grant = {"grant_type": "client_credentials"} if form.get("client_id") == DAEMON.id else {}

    answer = ask(entra, tenant, **{**grant, **form})

    document = answer.json()
    assert status == answer.status_code
    assert [number] == document["error_codes"]
    assert document["error_description"].startswith(f"AADSTS{number}: ")
    assert {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"} == document.keys()


def test_a_password_is_any_but_none(entra: Entra):
    assert code_of(by_password(entra, "ada", password="")) == 50126
    assert code_of(by_password(entra, "nobody")) == 50034


def test_under_common_a_guest_signs_in_at_home(entra: Entra):
    home = claims_of(by_password(entra, "gus@fabrikam.example").json()["access_token"])
    away = claims_of(by_password(entra, "gus@fabrikam.example", CONTOSO.tid).json()["access_token"])

    assert (FABRIKAM.tid, PERSON["gus-home"].oid, 0) == (home["tid"], home["oid"], home["acct"])
    assert (CONTOSO.tid, PERSON["gus"].oid, 1) == (away["tid"], away["oid"], away["acct"])


def test_people_are_found_by_short_name_e_mail_and_id():
    ada = PERSON["ada"]

    assert [ada] * 4 == [find_person(name) for name in ("ada", " ADA ", ada.email, ada.oid)]
    assert find_person("ada", FABRIKAM.tid) is None
    assert all(GUID.match(person.oid) for person in PEOPLE)
    assert len(PEOPLE) == len({person.oid for person in PEOPLE})


@pytest.mark.parametrize(
    ("tenant", "named"), [("common", "{tenantid}"), ("organizations", "{tenantid}"), (CONTOSO.tid,) * 2]
)
def test_discovery_leads_to_the_other_addresses(entra: Entra, tenant: str, named: str):
    url = f"{entra.url}/{tenant}/v2.0/.well-known/openid-configuration"

    document = requests.get(url, timeout=5).json()
    keys = requests.get(document["jwks_uri"], timeout=5).json()["keys"]

    assert f"{entra.url}/{named}/v2.0" == document["issuer"]
    assert f"{entra.url}/{tenant}/oauth2/v2.0/token" == document["token_endpoint"]
    assert len({key["kid"] for key in keys}) == 2
    assert all({"kty", "use", "kid", "x5t", "n", "e", "issuer"} == key.keys() for key in keys)
    assert {f"{entra.url}/{{tenantid}}/v2.0"} == {key["issuer"] for key in keys}


def test_a_browser_app_of_any_origin_may_ask_for_tokens(entra: Entra):
    url = f"{entra.url}/common/oauth2/v2.0/token"
    preflight = requests.options(url, headers={"Origin": "https://dev.azure.com"}, timeout=5)

    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert by_password(entra, "ada").headers["Access-Control-Allow-Origin"] == "*"


def test_faults_are_injected_and_cleared(entra: Entra):
    keys = f"{entra.url}/common/discovery/v2.0/keys"
    orders = f"{entra.url}/admin/faults"
    hits = requests.get(f"{entra.url}/admin/stats", timeout=5).json()["hits"].get("keys", 0)

    requests.post(orders, json={"keys": {"status": 503, "body": "<html>", "times": 1}}, timeout=5)
    broken, mended = requests.get(keys, timeout=5), requests.get(keys, timeout=5)
    requests.post(orders, json={"keys": {"hang": True}}, timeout=5)
    with pytest.raises(requests.Timeout):
        requests.get(keys, timeout=1)
    requests.delete(orders, timeout=5)

    assert (broken.status_code, broken.text, mended.status_code) == (503, "<html>", 200)
    assert requests.get(keys, timeout=5).ok
    assert hits + 4 == requests.get(f"{entra.url}/admin/stats", timeout=5).json()["hits"]["keys"]


@pytest.mark.parametrize(
    ("order", "body"),
    [
        ("faults", '{"keys": {"stauts": 500}}'),
        ("faults", '{"nothing": {"status": 500}}'),
        ("faults", "{"),
        ("token", '{"person": "zed"}'),
        ("token", '{"client": "x"}'),
        ("nothing", "{}"),
    ],
)
def test_an_invalid_order_is_refused(entra: Entra, order: str, body: str):
    answer = requests.post(f"{entra.url}/admin/{order}", data=body, timeout=5)

    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("sent", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_a_page_in_a_browser_sends_no_admin_commands(entra: Entra, sent: dict[str, str]):
    before = entra.keys.published

    answer = requests.post(f"{entra.url}/admin/rotate", headers=sent, timeout=5)

    assert answer.status_code == 403
    assert before == entra.keys.published


def test_rotation_signs_with_a_new_key_and_keeps_or_drops_the_former(entra: Entra):
    former = entra.keys.current.kid

    kept = requests.post(f"{entra.url}/admin/rotate", timeout=5).json()
    dropped = requests.post(f"{entra.url}/admin/rotate", json={"drop_old": True}, timeout=5).json()

    assert [kept["kid"], former] == kept["published"]
    assert not {*kept["published"]} & {*dropped["published"]}
    assert len(dropped["published"]) == 2


def test_keys_survive_a_restart_in_a_private_file(tmp_path: Path):
    with running(tmp_path, port=0) as before:
        kids = [pair.kid for pair in before.keys.published]
    with running(tmp_path, port=0) as after:
        again = [pair.kid for pair in after.keys.published]

    assert kids == again
    assert (tmp_path / "entra" / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_connection_serves_one_request_after_the_other(entra: Entra):
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(entra.url).port or 0, timeout=5)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    sends: list[Callable[[], None]] = [
        lambda: connection.request("POST", "/common/oauth2/v2.0/token", "client_id=x", form),
        lambda: connection.request("GET", "/common/discovery/v2.0/keys"),
        lambda: connection.request("HEAD", "/common/discovery/v2.0/keys"),
        lambda: connection.request("GET", "/nowhere"),
    ]
    connection.connect()
    opened = connection.sock
    statuses = []
    for send in sends:
        send()
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)

    assert statuses == [400, 200, 200, 404]
    assert opened is connection.sock
    connection.close()


def test_a_body_over_a_mebibyte_is_refused(entra: Entra):
    answer = requests.post(f"{entra.url}/common/oauth2/v2.0/token", data=b"x" * (1024 * 1024 + 1), timeout=5)

    assert answer.status_code == 413


def start_device(entra: Entra, tenant: str = "organizations", client: str = SCRIPTS.id) -> requests.Response:
    form = {"client_id": client, "scope": f"offline_access {SCOPE}"}
    return requests.post(f"{entra.url}/{tenant}/oauth2/v2.0/devicecode", data=form, timeout=5)


def poll(entra: Entra, started: dict[str, Any], tenant: str = "organizations") -> requests.Response:
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    return ask(entra, tenant, grant_type=grant, client_id=SCRIPTS.id, device_code=started["device_code"])


def enter(started: dict[str, Any], person: str, code: str | None = None) -> requests.Response:
    form = {"code": code or started["user_code"], "person": PERSON[person].oid}
    return requests.post(started["verification_uri"], data=form, timeout=5)


def test_a_script_gets_tokens_once_its_person_has_entered_the_code(entra: Entra):
    started = start_device(entra).json()
    waiting = poll(entra, started)
    entered = enter(started, "ben", started["user_code"].lower())
    got, again = poll(entra, started), poll(entra, started)
    claims = claims_of(got.json()["access_token"])
    renewed = ask(
        entra, grant_type="refresh_token", client_id=SCRIPTS.id, refresh_token=got.json()["refresh_token"]
    ).json()

    assert started.keys() == {"user_code", "device_code", "verification_uri", "expires_in", "interval", "message"}
    assert started["user_code"] in started["message"]
    assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")
    assert entered.status_code == 200
    assert (claims["oid"], claims["azp"], claims["scp"]) == (PERSON["ben"].oid, SCRIPTS.id, "access_as_user")
    assert claims_of(renewed["access_token"])["oid"] == PERSON["ben"].oid
    assert (again.status_code, again.json()["error"]) == (400, "bad_verification_code")


def test_a_device_code_ends_after_a_quarter_of_an_hour(entra: Entra, clock: Clock):
    started = start_device(entra).json()
    clock.tick(seconds=started["expires_in"])
    late = enter(started, "ben")

    assert (poll(entra, started).json()["error"], late.status_code) == ("expired_token", 400)


def test_a_wrong_code_or_a_person_of_another_directory_signs_nobody_in(entra: Entra):
    started = start_device(entra, CONTOSO.tid).json()
    refused = [enter(started, "ben", "WRONGCODE"), enter(started, "bob")]

    assert [answer.status_code for answer in refused] == [400, 400]
    assert poll(entra, started, CONTOSO.tid).json()["error"] == "authorization_pending"


def test_a_client_without_public_flows_gets_no_device_code(entra: Entra):
    refused = start_device(entra, client=EXTENSION.id)

    assert (refused.status_code, refused.json()["error_codes"]) == (401, [7000218])
