import base64
import datetime as dt
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from devcloud.emulators.entra.clients import DAEMON, EXTENSION, FOREIGN_API, GRAPH, LANDING, TIMETRACKER_API
from devcloud.emulators.entra.keyring import SigningKeyPair
from devcloud.emulators.entra.people import CONTOSO, FABRIKAM, PEOPLE
from devcloud.emulators.entra.server import Entra, running
from shared.auth.signing_keys import SigningKeys
from shared.auth.tokens import CONSUMER_TENANT, TokenValidator
from shared.errors import ApiError, Inconclusive, InsufficientScope, InvalidToken, Unavailable
from shared.http.problem import to_problem
from shared.settings import Settings


NOW = int(time.time())
TID, OTHER = CONTOSO.tid, FABRIKAM.tid
PERSON = {person.short: person for person in PEOPLE}


@pytest.fixture(scope="module")
def entra(tmp_path_factory: pytest.TempPathFactory):
    with running(tmp_path_factory.mktemp("entra"), port=0) as entra:
        yield entra


@pytest.fixture(scope="module")
def settings(entra: Entra):
    return Settings.from_env(
        {
            "ENTRA_AUTHORITY": entra.url,
            "ENTRA_API_CLIENT_ID": TIMETRACKER_API.id,
            "ENTRA_CLIENT_IDS": EXTENSION.id,
        }
    )


@pytest.fixture
def validator(settings: Settings):
    return TokenValidator(
        SigningKeys(settings.entra_keys_url), settings, now=lambda: dt.datetime.fromtimestamp(NOW, dt.UTC)
    )


def mint(entra: Entra, **order: Any):  # noqa: ANN401 - JSON
    """A token signed by the emulator's own key; `order` as its admin endpoint takes it."""
    claims = {"iat": NOW, "nbf": NOW, "exp": NOW + 3600, **order.pop("claims", {})}
    body = json.dumps({**order, "claims": claims})  # unlike requests' own, this also writes Infinity
    answer = requests.post(f"{entra.url}/admin/token", data=body, timeout=10)
    assert answer.ok, answer.text
    return answer.json()["token"]


def refusal(validator: TokenValidator, authorization: str | None, error: type[ApiError] = InvalidToken) -> Any:  # noqa: ANN401 - of the type asked for
    with pytest.raises(error) as caught:
        validator.validate(authorization)
    return caught.value


def part(value: object):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims_of(token: str):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_valid_token_names_its_person(entra: Entra, validator: TokenValidator):
    ada = PERSON["ada"]

    principal = validator.validate(f"Bearer {mint(entra, person='ada')}")

    assert (TID, ada.oid) == principal.key
    assert (ada.name, ada.email, ada.email) == (principal.name, principal.username, principal.email)
    assert principal.is_guest is False
    assert principal.token_id


def test_the_scheme_may_be_written_in_any_case(entra: Entra, validator: TokenValidator):
    assert validator.validate(f"bEARER {mint(entra)}")


@pytest.mark.parametrize(
    ("claims", "is_guest"),
    [
        ({"acct": 1}, True),
        ({"acct": "1"}, True),
        ({"acct": 0, "idp": f"https://sts.windows.net/{OTHER}/"}, True),
        ({"acct": 0, "idp": "live.com"}, True),
        ({"acct": 0, "idp": None}, False),
        ({"acct": "0", "idp": None}, False),
        ({"acct": None, "idp": f"https://sts.windows.net/{TID}/"}, False),
        ({"acct": None, "idp": f"https://sts.windows.net/{TID}/X"}, True),
        ({"acct": None, "idp": None}, None),
        ({"acct": [1], "idp": {}}, None),
    ],
)
def test_a_guest_is_known_by_account_type_or_by_a_foreign_provider(
    entra: Entra, validator: TokenValidator, claims: dict[str, Any], *, is_guest: bool | None
):
    principal = validator.validate(f"Bearer {mint(entra, claims=claims)}")

    assert is_guest is principal.is_guest


def test_two_people_with_one_e_mail_in_two_directories_are_two_people(entra: Entra, validator: TokenValidator):
    mine = validator.validate(f"Bearer {mint(entra, person='ada')}")
    spoofed = validator.validate(
        f"Bearer {mint(entra, person='bob', claims={'email': mine.email, 'preferred_username': mine.username})}"
    )

    assert mine.email == spoofed.email
    assert mine.key != spoofed.key


def test_the_displayed_texts_of_a_person_are_printable_and_short(entra: Entra, validator: TokenValidator):
    claims = {"name": "A\r\nda\ud800\x00" + "x" * 1000, "email": 7, "preferred_username": "", "uti": ["x"]}

    principal = validator.validate(f"Bearer {mint(entra, claims=claims)}")

    assert principal.name == "Ada" + "x" * 253
    assert (principal.email, principal.username, principal.token_id) == (None, None, None)


WRONG_CLAIMS = {
    "expired": ({"exp": NOW - 61}, "expired"),
    "expires just now, leeway used up": ({"exp": NOW - 60}, "expired"),
    "no exp": ({"exp": None}, "bad_times"),
    "exp a string": ({"exp": str(NOW + 3600)}, "bad_times"),
    "exp infinite": ({"exp": float("inf")}, "bad_times"),
    "exp not a number": ({"exp": float("nan")}, "bad_times"),
    "exp true": ({"exp": True}, "bad_times"),
    "exp a list": ({"exp": [NOW + 3600]}, "bad_times"),
    "no nbf": ({"nbf": None}, "bad_times"),
    "too early, and for another API": ({"nbf": NOW + 61, "aud": FOREIGN_API.id}, "wrong_audience"),
    "too early, and of another issuer": ({"nbf": NOW + 61, "iss": f"https://sts.windows.net/{TID}/"}, "wrong_issuer"),
    "too early, and over": ({"nbf": NOW + 61, "exp": NOW - 61}, "expired"),
    "no iat": ({"iat": None}, "bad_times"),
    "iat true": ({"iat": True}, "bad_times"),
    "aud a list with ours": ({"aud": [TIMETRACKER_API.id]}, "wrong_audience"),
    "aud another API": ({"aud": FOREIGN_API.id}, "wrong_audience"),
    "aud Graph": ({"aud": GRAPH.id}, "wrong_audience"),
    "aud Graph's address": ({"aud": "https://graph.microsoft.com"}, "wrong_audience"),
    "aud an App ID URI": ({"aud": f"api://{TIMETRACKER_API.id}"}, "wrong_audience"),
    "aud in capitals": ({"aud": TIMETRACKER_API.id.upper()}, "wrong_audience"),
    "no aud": ({"aud": None}, "wrong_audience"),
    "ver 1.0": ({"ver": "1.0"}, "wrong_version"),
    "ver a number": ({"ver": 2.0}, "wrong_version"),
    "no ver": ({"ver": None}, "wrong_version"),
    "a v1 token": ({"ver": "1.0", "iss": f"https://sts.windows.net/{TID}/"}, "wrong_version"),
    "a v1 issuer": ({"iss": f"https://sts.windows.net/{TID}/"}, "wrong_issuer"),
    "Microsoft's issuer, not our authority's": (
        {"iss": f"https://login.microsoftonline.com/{TID}/v2.0"},
        "wrong_issuer",
    ),
    "no iss": ({"iss": None}, "wrong_issuer"),
    "iss a list": ({"iss": ["x"]}, "wrong_issuer"),
    "tid of another directory": ({"tid": OTHER}, "wrong_issuer"),
    "tid common": ({"tid": "common"}, "bad_ids"),
    "tid the template": ({"tid": "{tenantid}"}, "bad_ids"),
    "tid in capitals": ({"tid": TID.upper()}, "bad_ids"),
    "tid with a newline": ({"tid": TID + "\n"}, "bad_ids"),
    "tid empty": ({"tid": ""}, "bad_ids"),
    "no tid": ({"tid": None}, "bad_ids"),
    "no oid": ({"oid": None}, "bad_ids"),
    "oid an object": ({"oid": {"a": 1}}, "bad_ids"),
    "oid an e-mail": ({"oid": "ada@contoso.example"}, "bad_ids"),
    "no sub": ({"sub": None}, "no_subject"),
    "sub empty": ({"sub": ""}, "no_subject"),
    "sub a number": ({"sub": 1}, "no_subject"),
}

WRONG_HEADERS = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg nOnE": {"alg": "nOnE"},
    "alg empty": {"alg": ""},
    "no alg": {"alg": None},
    "alg HS256": {"alg": "HS256"},
    "alg RS512": {"alg": "RS512"},
    "alg PS256": {"alg": "PS256"},
    "alg a list": {"alg": ["RS256"]},
    "crit": {"crit": ["x"], "x": 1},
    "crit empty": {"crit": []},
    "payload not encoded": {"crit": ["b64"], "b64": False},
    "payload not encoded, and not said so": {"b64": False},
    "another type": {"typ": "logout+jwt"},
    "no kid": {"kid": None},
    "kid empty": {"kid": ""},
    "kid a number": {"kid": 1},
    "kid an object": {"kid": {"a": 1}},
    "kid of 129 characters": {"kid": "x" * 129},
}


@pytest.mark.parametrize(("claims", "reason"), WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_a_token_with_a_wrong_claim_is_refused(
    entra: Entra, validator: TokenValidator, claims: dict[str, Any], reason: str
):
    error = refusal(validator, f"Bearer {mint(entra, claims=claims)}")

    assert reason == error.reason


@pytest.mark.parametrize(
    "claims", [{"nbf": NOW + 61}, {"iat": NOW + 61}, {"nbf": NOW + 120, "iat": NOW + 120}, {"nbf": 10**399}]
)
def test_a_token_that_is_too_early_by_our_clock_may_be_retried(
    entra: Entra, validator: TokenValidator, claims: dict[str, Any]
):
    """Either clock may be wrong; to sign in again would not help."""
    error = refusal(validator, f"Bearer {mint(entra, claims={'exp': 10**400, **claims})}", Inconclusive)

    assert (error.status, error.code, error.reason) == (503, "token_not_yet_valid", "not_yet_valid")
    assert error.headers["Retry-After"] == "5"


@pytest.mark.parametrize("header", WRONG_HEADERS.values(), ids=WRONG_HEADERS.keys())
def test_a_token_with_a_wrong_header_is_refused(entra: Entra, validator: TokenValidator, header: dict[str, Any]):
    error = refusal(validator, f"Bearer {mint(entra, header=header)}")

    assert error.reason == "bad_header"


@pytest.mark.parametrize(
    ("tid", "path", "reason"),
    [
        (TID, f"{TID}/v2.0/", "wrong_issuer"),
        (TID, f"{OTHER}/v2.0", "wrong_issuer"),
        (TID, "common/v2.0", "wrong_issuer"),
        ("common", "common/v2.0", "bad_ids"),
        ("{tenantid}", "{tenantid}/v2.0", "bad_ids"),
        (TID.upper(), f"{TID.upper()}/v2.0", "bad_ids"),
        (f"{TID}\n", f"{TID}\n/v2.0", "bad_ids"),
        (CONSUMER_TENANT, f"{CONSUMER_TENANT}/v2.0", "consumer_account"),
    ],
)
def test_an_issuer_holds_only_for_the_directory_it_names(
    entra: Entra, validator: TokenValidator, tid: str | None, path: str, reason: str
):
    error = refusal(validator, f"Bearer {mint(entra, claims={'tid': tid, 'iss': f'{entra.url}/{path}'})}")

    assert reason == error.reason


def test_leeway_forgives_a_minute_of_clock_skew(entra: Entra, validator: TokenValidator):
    assert validator.validate(f"Bearer {mint(entra, claims={'exp': NOW - 59})}")
    assert validator.validate(f"Bearer {mint(entra, claims={'nbf': NOW + 60, 'iat': NOW + 59.5})}")


def test_a_key_of_the_consumer_tenant_vouches_for_nobody_else(entra: Entra, settings: Settings):
    jwk = entra.keys.current.jwk(f"{entra.url}/{CONSUMER_TENANT}/v2.0")
    keys = SigningKeys("", fetch=lambda _url: json.dumps({"keys": [jwk]}).encode())
    validator = TokenValidator(keys, settings, now=lambda: dt.datetime.fromtimestamp(NOW, dt.UTC))

    error = refusal(validator, f"Bearer {mint(entra)}")

    assert error.reason == "wrong_key_issuer"


def test_a_forged_or_tampered_signature_is_refused(entra: Entra, validator: TokenValidator):
    token = mint(entra)
    header, payload, signature = token.split(".")
    richer = part({**claims_of(token), "oid": PERSON["ben"].oid})
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    pretending = mint(entra, key="unpublished", header={"kid": entra.keys.current.kid})
    forged = [
        pretending,
        f"{header}.{richer}.{signature}",
        f"{header}.{payload}.{flipped}",
        f"{header}.{payload}.{signature[:-6]}",
        f"{header}.{payload}.",
        f"{part({'alg': 'RS256', 'kid': entra.keys.current.kid})}.{payload}.{signature}",
    ]

    reasons = [refusal(validator, f"Bearer {each}").reason for each in forged]

    assert ["bad_signature"] * len(forged) == reasons


def test_the_public_key_is_no_shared_secret(entra: Entra, validator: TokenValidator):
    public = entra.keys.current._private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    payload = mint(entra).split(".")[1]
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': entra.keys.current.kid})}.{payload}"
    code = hmac.new(pem, signed.encode(), hashlib.sha256).digest()

    error = refusal(validator, f"Bearer {signed}.{part(code)}")

    assert error.reason == "bad_header"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_token_is_refused(entra: Entra, validator: TokenValidator, alg: str):
    payload = mint(entra).split(".")[1]

    error = refusal(validator, f"Bearer {part({'alg': alg, 'kid': entra.keys.current.kid})}.{payload}.")

    assert error.reason == "bad_header"


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1--", "http://127.0.0.1/keys", "x" * 128, "\x00", "é"])
def test_a_kid_is_only_looked_up(entra: Entra, validator: TokenValidator, kid: str):
    validator.validate(f"Bearer {mint(entra)}")
    before = entra.faults.hits()

    error = refusal(validator, f"Bearer {mint(entra, header={'kid': kid})}")

    assert error.reason == "unknown_kid"
    assert entra.faults.hits() == {**before, "keys": before["keys"] + 1}  # the one address there is


def test_keys_and_addresses_in_the_header_are_ignored(entra: Entra, validator: TokenValidator):
    validator.validate(f"Bearer {mint(entra)}")
    before = entra.faults.hits()
    address = f"{entra.url}/organizations/discovery/v2.0/keys"
    header = {"jku": address, "x5u": address, "jwk": entra.keys.unpublished.jwk("x"), "x5c": ["MII"]}

    pretending = mint(entra, key="unpublished", header={**header, "kid": entra.keys.current.kid})
    error = refusal(validator, f"Bearer {pretending}")
    unknown = refusal(validator, f"Bearer {mint(entra, key='unpublished', header=header)}")

    assert (error.reason, unknown.reason) == ("bad_signature", "unknown_kid")
    assert entra.faults.hits() == {**before, "keys": before["keys"] + 1}


NO_TOKENS = {
    "nothing": (None, "missing_token"),
    "empty": ("", "missing_token"),
    "only the scheme": ("Bearer", "missing_token"),
    "only the scheme and a space": ("Bearer ", "missing_token"),
    "another scheme": ("Basic abc", "missing_token"),
    "no scheme": ("a.b.c", "missing_token"),
    "one part": ("Bearer a", "malformed"),
    "two parts": ("Bearer a.b", "malformed"),
    "four parts": ("Bearer a.b.c.d", "malformed"),
    "dots": ("Bearer ..", "malformed"),
    "no base64": ("Bearer !.!.!", "malformed"),
    "padded base64": ("Bearer e30=.e30=.e30=", "malformed"),
    "two tokens": ("Bearer a.b.c d.e.f", "malformed"),
    "two headers joined": ("Bearer a.b.c, Bearer d.e.f", "malformed"),
    "two spaces": ("Bearer  e30.e30.e30", "malformed"),
    "not ASCII": ("Bearer é.b.c", "malformed"),
    "header no JSON": ("Bearer YWJj.e30.e30", "malformed"),
    "header a list": ("Bearer W10.e30.e30", "malformed"),
    "header not UTF-8": ("Bearer _w.e30.e30", "malformed"),
    "header deep": (f"Bearer {part(b'[' * 10_000)}.e30.e30", "malformed"),
    "header of a huge number": (f"Bearer {part(b'1' * 6000)}.e30.e30", "malformed"),
    "too long": ("Bearer " + "a" * 8000 + "." + "b" * 8000 + "." + "c" * 383, "too_long"),
}


@pytest.mark.parametrize(("authorization", "reason"), NO_TOKENS.values(), ids=NO_TOKENS.keys())
def test_a_malformed_token_is_refused(validator: TokenValidator, authorization: str | None, reason: str):
    error = refusal(validator, authorization)

    assert reason == error.reason


@pytest.mark.parametrize("payload", [b"[]", b"{", b"[" * 8000, b"1" * 5000, b"\xff\xfe\x00", b"null", b'"text"'])
def test_a_signed_payload_that_is_no_object_is_refused(entra: Entra, validator: TokenValidator, payload: bytes):
    header = mint(entra).split(".")[0]
    signed = sign(entra.keys.current, f"{header}.{part(payload)}")

    error = refusal(validator, f"Bearer {signed}")

    assert error.reason == "malformed"


def sign(pair: SigningKeyPair, signed: str):
    return f"{signed}.{part(pair._private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def test_a_token_of_16_kib_passes_and_one_more_character_does_not(entra: Entra, validator: TokenValidator):
    order = {"header": {"nonce": ""}}  # without it the parts, each in base64url, never make 16 KiB to the letter
    header, payload, signature = mint(entra, claims={"groups": ""}, **order).split(".")
    room = 16 * 1024 - len(f"{header}..{signature}")
    fits = mint(entra, claims={"groups": "x" * (room * 3 // 4 - len(payload) * 3 // 4)}, **order)

    assert len(fits) == 16 * 1024
    assert validator.validate(f"Bearer {fits}")
    assert refusal(validator, f"Bearer {fits}A").reason == "too_long"


def test_an_id_token_is_no_access_token(entra: Entra, validator: TokenValidator):
    error = refusal(validator, f"Bearer {mint(entra, kind='id')}")

    assert error.reason == "wrong_audience"


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"client": LANDING.id}, "client_not_allowed"),
        ({"claims": {"azp": None}}, "client_not_allowed"),
        ({"claims": {"azp": [EXTENSION.id]}}, "client_not_allowed"),
        ({"kind": "app", "client": DAEMON.id}, "client_not_allowed"),
        ({"kind": "app", "client": EXTENSION.id}, "app_only"),
        ({"claims": {"idtyp": "app"}}, "app_only"),
        ({"claims": {"scp": None}}, "app_only"),
        ({"claims": {"scp": ["access_as_user"]}}, "app_only"),
        ({"claims": {"scp": ""}}, "scope_missing"),
        ({"claims": {"scp": "read"}}, "scope_missing"),
        ({"claims": {"scp": "access_as_user_x"}}, "scope_missing"),
        ({"claims": {"scp": "x_access_as_user"}}, "scope_missing"),
        ({"claims": {"scp": "Access_As_User"}}, "scope_missing"),
        ({"claims": {"scp": "read\taccess_as_user"}}, "scope_missing"),  # a space parts scopes, nothing else
        ({"claims": {"scp": None, "roles": ["access_as_user"]}}, "app_only"),
        ({"kind": "id", "claims": {"aud": TIMETRACKER_API.id, "azp": EXTENSION.id}}, "app_only"),
    ],
)
def test_a_valid_token_of_another_client_or_without_a_person_is_forbidden(
    entra: Entra, validator: TokenValidator, order: dict[str, Any], reason: str
):
    error = refusal(validator, f"Bearer {mint(entra, **order)}", InsufficientScope)

    assert reason == error.reason
    assert error.status == 403


def test_one_scope_of_several_is_enough(entra: Entra, validator: TokenValidator):
    assert validator.validate(f"Bearer {mint(entra, claims={'scp': 'read access_as_user write'})}")


def test_every_refusal_reads_the_same(entra: Entra, validator: TokenValidator):
    bad = [value for value, _ in NO_TOKENS.values()]
    bad += [f"Bearer {mint(entra, claims=claims)}" for claims, _ in WRONG_CLAIMS.values()]
    bad += [f"Bearer {mint(entra, header=header)}" for header in WRONG_HEADERS.values()]
    bad += [f"Bearer {mint(entra, key='unpublished')}", f"Bearer {mint(entra, kind='id')}"]

    replies = [to_problem(refusal(validator, each), operation="test", request_id="id") for each in bad]

    assert len(bad) > 80
    assert replies[0].status == 401
    assert replies[0].headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert all(replies[0] == reply for reply in replies)


def test_a_valid_token_is_refused_once_it_expires(entra: Entra, settings: Settings):
    seconds = [NOW]
    keys = SigningKeys(settings.entra_keys_url)
    validator = TokenValidator(keys, settings, now=lambda: dt.datetime.fromtimestamp(seconds[0], dt.UTC))
    authorization = f"Bearer {mint(entra)}"
    validator.validate(authorization)

    seconds[0] += 3600 + 60

    assert refusal(validator, authorization).reason == "expired"


def test_without_keys_a_valid_token_is_answered_503_and_not_401(settings: Settings, entra: Entra):
    keys = SigningKeys("http://127.0.0.1:1/keys")
    validator = TokenValidator(keys, settings, now=lambda: dt.datetime.fromtimestamp(NOW, dt.UTC))

    error = refusal(validator, f"Bearer {mint(entra)}", Unavailable)

    assert (error.status, error.code, error.headers["Retry-After"]) == (503, "signing_keys_unavailable", "1")


def test_a_key_rollover_without_notice_locks_nobody_out(entra: Entra, validator: TokenValidator):
    former = f"Bearer {mint(entra)}"
    validator.validate(former)
    entra.keys.rotate(drop_old=True)

    assert validator.validate(f"Bearer {mint(entra)}")
    assert validator.validate(former)  # until Entra's answers of an hour were without its key


def test_a_key_that_cannot_be_looked_up_now_is_answered_503_and_not_401(entra: Entra, validator: TokenValidator):
    validator.validate(f"Bearer {mint(entra)}")
    for each in range(2):
        refusal(validator, f"Bearer {mint(entra, header={'kid': f'nobody-{each}'})}")
    entra.keys.rotate(drop_old=False)

    error = refusal(validator, f"Bearer {mint(entra)}", Inconclusive)

    assert (error.status, error.code, error.reason) == (503, "signing_key_unknown", "unknown_kid")
    assert 9 <= int(error.headers["Retry-After"]) <= 10


ODD_JSON = {
    "UTF-16": lambda document: json.dumps(document).encode("utf-16"),
    "UTF-16 without a mark": lambda document: json.dumps(document).encode("utf-16-le"),
    "UTF-32": lambda document: json.dumps(document).encode("utf-32"),
    "a byte-order mark": lambda document: b"\xef\xbb\xbf" + json.dumps(document).encode(),
    "a member twice": lambda document: json.dumps(document).encode()[:-1] + b', "ver": "2.0", "ver": "2.0"}',
    "a member twice inside": lambda document: json.dumps(document).encode()[:-1] + b', "x": {"a": 1, "a": 1}}',
}


@pytest.mark.parametrize("part_of", [0, 1], ids=["header", "payload"])
@pytest.mark.parametrize("encoded", ODD_JSON.values(), ids=ODD_JSON.keys())
def test_json_that_parsers_read_differently_is_refused_also_when_signed(
    entra: Entra, validator: TokenValidator, encoded: Callable[[Any], bytes], part_of: int
):
    parts = mint(entra).split(".")[:2]
    document = json.loads(base64.urlsafe_b64decode(parts[part_of] + "=="))
    parts[part_of] = part(json.dumps(document).encode())
    usual = sign(entra.keys.current, ".".join(parts))
    parts[part_of] = part(encoded(document))

    assert validator.validate(f"Bearer {usual}")
    assert refusal(validator, f"Bearer {sign(entra.keys.current, '.'.join(parts))}").reason == "malformed"


def test_a_real_sign_in_s_token_is_accepted(entra: Entra, settings: Settings):
    form = {
        "grant_type": "password",
        "client_id": EXTENSION.id,
        "username": "gus",
        "password": "any",
        "scope": f"api://{TIMETRACKER_API.id}/access_as_user",
    }
    answer = requests.post(f"{entra.url}/{TID}/oauth2/v2.0/token", data=form, timeout=10).json()
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)

    principal = TokenValidator(SigningKeys(settings.entra_keys_url), settings, now=lambda: now).validate(
        f"Bearer {answer['access_token']}"
    )

    assert PERSON["gus"].oid == principal.oid
    assert principal.is_guest is True
