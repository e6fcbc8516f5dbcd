"""Invalid tokens: each is rejected with the same message, and none is logged."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devcloud.emulators.entra.admin import TokenRequest
from tests.support.budget import ALL
from tests.support.world import Answer


pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # no request uses the database
MANY = settings(max_examples=2000 if ALL else 60, suppress_health_check=[HealthCheck.function_scoped_fixture])
SECONDS = 3.0
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
# Valid characters of a header: the platform refuses others before our code runs.
sendable = st.text(
    st.characters(min_codepoint=0x21, exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=300
)


@pytest.fixture
def ada(world):
    return world.tenant()


@pytest.fixture
def assert_refused(http, product_log):
    """Sends an invalid token; it must be refused like all others, and nothing of it may be in the log."""

    def send(token: str, status: int = 401, code: str = "invalid_token") -> None:
        answers: list[Answer] = []
        lines = product_log.since(lambda: answers.append(_get(http, token)))

        (answer,) = answers
        events = [json.loads(line)["event"] for line in lines]
        event, *others = [event for event in events if event != "signing_keys_fetched"]
        assert others == []
        if event == "request_inconclusive":  # its key may be new, or our clock slow
            assert answer.status == 503
            assert answer.code in {"signing_key_unknown", "token_not_yet_valid"}
            assert int(answer.headers["Retry-After"]) >= 1
        else:
            assert (event, answer.status, answer.code) == ("token_refused", status, code)
            assert answer.headers["WWW-Authenticate"] == f'Bearer error="{code}"'
        assert not [part for part in token.split(".") if len(part) > 16 and part in "".join(lines)]

    return send


def _get(http, token):
    headers = {"Authorization": f"Bearer {token}".encode()}
    got = http.pool.urlopen("GET", f"{http.base}/api/me", headers=headers, timeout=SECONDS, retries=False)
    return Answer(got.status, got.headers, got.data)


@st.composite
def mangle(draw: st.DrawFn, token: str) -> str:
    """The token with its letters, or its segments, changed."""
    parts = token.split(".")
    where = draw(st.integers(0, len(token) - 1))
    changes = [
        lambda: token[:where] + draw(sendable.filter(bool)) + token[where:],
        lambda: token[:where] + token[where + draw(st.integers(1, 40)) :],
        lambda: token[:where] + draw(st.sampled_from("AZaz09-_=+/.")) + token[where + 1 :],
        lambda: ".".join(draw(st.permutations(parts))),
        lambda: ".".join(draw(st.lists(st.sampled_from(parts), max_size=6))),
        lambda: ".".join([*parts[:2], draw(sendable)]),
        lambda: ".".join([parts[0], _encode(draw(junk)), parts[2]]),
        lambda: ".".join([_encode(draw(junk)), *parts[1:]]),
        lambda: token + "=" * draw(st.integers(1, 4)),
        lambda: token * draw(st.integers(2, 30)),
    ]
    return draw(st.sampled_from(changes))()


def _encode(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@MANY
@given(data=st.data())
def test_a_valid_token_with_any_change_is_refused(ada, assert_refused, data):
    changed = data.draw(mangle(ada.token).filter(lambda token: token != ada.token))

    assert_refused(changed)


@MANY
@given(token=sendable)
@example("." * 16_000)
@example(".." + "A" * 20_000)
@example("[" * 5_000 + ".a.b")
@example("eyJhbGciOiJub25lIn0.e30.")
def test_random_text_is_refused_as_a_token(assert_refused, token):
    assert_refused(token)


HEADERS = {
    "alg": st.sampled_from(["none", "None", "", "HS256", "RS512", "PS256", "ES256", "EdDSA", "rs256", "RS256 "]) | junk,
    "kid": st.text(max_size=200) | st.sampled_from(["../../etc/passwd", "' OR 1=1 --", "\0", "0" * 129]) | junk,
    "typ": st.text(max_size=20) | junk.filter(lambda value: value is not None),
    "crit": st.lists(st.text(max_size=8)) | junk.filter(lambda value: value is not None),
    "b64": st.sampled_from([False]) | junk.filter(lambda value: value is not None),
}


def sign(entra, person, claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None) -> str:
    """A token signed by Entra with these claims and header members changed; None omits a member."""
    sound = json.loads(_decode(person.token.split(".")[1]))
    return str(entra.emulator.admin.mint(TokenRequest(claims={**sound, **(claims or {})}, header=header or {})))


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@MANY
@given(data=st.data(), name=st.sampled_from(sorted(HEADERS)))
def test_a_signature_holds_for_no_other_header(ada, entra, assert_refused, data, name):
    value = data.draw(HEADERS[name].filter(lambda value: value not in ("RS256", "JWT")))

    assert_refused(sign(entra, ada, header={name: value}))


no_number = junk.filter(lambda value: not isinstance(value, int | float) or isinstance(value, bool))
PAST, FUTURE = st.integers(-(2**70), 1_700_000_000), st.integers(4_000_000_000, 2**70)
CLAIMS = {
    **dict.fromkeys(("aud", "iss", "tid", "oid", "ver"), junk),
    "sub": junk.filter(lambda value: not isinstance(value, str) or not value),
    "exp": no_number | PAST,
    "nbf": no_number | FUTURE,
    "iat": no_number | FUTURE,
}
PERMISSIONS = {"azp": junk, "scp": junk, "idtyp": st.just("app")}


@MANY
@given(data=st.data(), name=st.sampled_from(sorted(CLAIMS)))
def test_a_claim_that_is_not_as_it_must_be_is_refused(ada, entra, assert_refused, data, name):
    assert_refused(sign(entra, ada, {name: data.draw(CLAIMS[name])}))


@MANY
@given(data=st.data(), name=st.sampled_from(sorted(PERMISSIONS)))
def test_a_sound_token_without_our_permission_is_forbidden(ada, entra, assert_refused, data, name):
    assert_refused(sign(entra, ada, {name: data.draw(PERMISSIONS[name])}), 403, "insufficient_scope")


def test_an_unchanged_token_is_accepted(ada, entra, http):
    """So the refusals above are due to the changes."""
    assert _get(http, ada.token).status == 200
    assert _get(http, sign(entra, ada)).status == 200
