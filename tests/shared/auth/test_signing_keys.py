import base64
import gzip
import json
import logging
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from devcloud.emulators.entra.faults import Fault
from devcloud.emulators.entra.keyring import SigningKeyPair, base64url
from devcloud.emulators.entra.server import Entra, running
from shared.auth import signing_keys
from shared.auth.signing_keys import KeysNotFetched, SigningKeys, fetch_keys, parse_key_set
from shared.errors import InvalidToken, Unavailable


HOUR = 3600


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def tick(self, seconds: float):
        self.seconds += seconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with running(tmp_path_factory.mktemp("entra"), port=0) as entra:
        yield entra


@pytest.fixture
def entra(server: Entra):
    yield server
    server.faults.clear()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(entra: Entra, clock: Clock):
    return SigningKeys(keys_url(entra), monotonic=clock)


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture):
    """Level and one field of each log line of an event."""
    caplog.set_level(logging.INFO, "timetracker")

    def lines(event: str, said: str):
        entries = [json.loads(record.message) for record in caplog.records if record.name == "timetracker"]
        return [(line["level"], line.get(said)) for line in entries if line["event"] == event]

    return lines


def keys_url(entra: Entra):
    return f"{entra.url}/common/discovery/v2.0/keys"


def fetches(entra: Entra):
    return entra.faults.hits().get("keys", 0)


def inject_fault(entra: Entra, **fault: Any):  # noqa: ANN401 - as Fault checks them
    entra.faults.set({"keys": Fault(**fault)})


def refused(keys: SigningKeys, kid: str):
    with pytest.raises(InvalidToken) as caught:
        keys.get(kid)
    return caught.value.reason


def unavailable(keys: SigningKeys, kid: str):
    """The code, and the seconds after which to ask again."""
    with pytest.raises(Unavailable) as caught:
        keys.get(kid)
    return caught.value.code, int(caught.value.headers["Retry-After"])


def until(condition: Callable[[], object], seconds: float = 20.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def key_or_reason(keys: SigningKeys, kid: str):
    try:
        return keys.get(kid)
    except InvalidToken as error:
        return error.reason
    except Unavailable as error:
        return error.code


@contextmanager
def endpoint(answer: Callable[[Callable[[bytes], object], threading.Event], None]) -> Iterator[str]:
    """The address of a server that writes its response byte by byte; the event is set at the end of the test."""
    over = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            with suppress(OSError):
                answer(self.wfile.write, over)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            over.set()
            server.shutdown()


def test_twenty_threads_at_a_cold_start_cost_one_fetch(entra: Entra, keys: SigningKeys, log_lines):
    inject_fault(entra, delay=0.2)
    before, kid = fetches(entra), entra.keys.current.kid

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(keys.get, [kid] * 20))

    assert [keys.get(kid)] * 20 == found
    assert fetches(entra) - before == 1
    assert log_lines("signing_keys_fetched", "count") == [("info", len(entra.keys.published))]


def test_a_known_key_is_found_without_another_fetch_for_an_hour(entra: Entra, keys: SigningKeys, clock: Clock):
    keys.get(entra.keys.current.kid)
    before = fetches(entra)
    clock.tick(HOUR)

    for _ in range(100):
        keys.get(entra.keys.current.kid)

    until(lambda: keys._running is None)
    assert before == fetches(entra)


def test_unknown_kids_cost_three_fetches_at_once_and_then_one_in_ten_seconds(
    entra: Entra, keys: SigningKeys, clock: Clock
):
    keys.get(entra.keys.current.kid)
    before = fetches(entra)

    first = [refused(keys, "first"), refused(keys, "second")]
    outcomes = {unavailable(keys, f"early-{number}") for number in range(500)}
    at_once = fetches(entra) - before
    clock.tick(9)
    outcomes |= {unavailable(keys, f"later-{number}") for number in range(500)}
    too_soon = fetches(entra) - before
    clock.tick(1)

    assert [*first, refused(keys, "third")] == ["unknown_kid"] * 3
    assert outcomes == {("signing_key_unknown", 10), ("signing_key_unknown", 1)}
    assert (at_once, too_soon, fetches(entra) - before) == (2, 2, 3)


def test_an_unknown_kid_is_refused_for_a_minute_without_a_fetch_and_then_fetched_again(
    entra: Entra, keys: SigningKeys, clock: Clock
):
    refused(keys, "absent")
    before = fetches(entra)

    for seconds in (0, 30, 29.5):
        clock.tick(seconds)
        assert refused(keys, "absent") == "unknown_kid"
    remembered = fetches(entra)
    clock.tick(0.5)
    refused(keys, "absent")

    assert (remembered, fetches(entra)) == (before, before + 1)


def test_a_refused_kid_is_accepted_as_soon_as_a_response_has_it(entra: Entra, keys: SigningKeys):
    former, kid = entra.keys.published, entra.keys.rotate(drop_old=False).kid
    entra.keys.published, published = former, entra.keys.published
    refused(keys, kid)
    entra.keys.published = published
    refused(keys, "another")

    assert keys.get(kid)


def test_a_flood_of_unknown_kids_is_cached_no_further_than_the_fetches_of_a_minute(keys: SigningKeys, clock: Clock):
    for number in range(3000):
        clock.tick(0.1)
        with suppress(InvalidToken, Unavailable):
            keys.get(f"flood-{number}")

    assert 1 < len(keys._unknown_until) <= 9


def test_a_kid_is_not_refused_by_a_fetch_that_began_before(entra: Entra, keys: SigningKeys):
    keys.get(entra.keys.current.kid)
    former, kid = entra.keys.published, entra.keys.rotate(drop_old=False).kid
    entra.keys.published, published = former, entra.keys.published
    inject_fault(entra, hang=True)
    before = fetches(entra)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(refused, keys, "somebody's")
        until(lambda: fetches(entra) > before)
        second = pool.submit(unavailable, keys, kid)
        until(lambda: keys._waiters._value == 2)
        entra.faults.clear()
        found = first.result(), second.result()[0]
    entra.keys.published = published

    assert found == ("unknown_kid", "signing_key_unknown")
    assert keys.get(kid)


def test_during_an_outage_no_kid_is_refused_and_known_ones_stay_in_use(
    entra: Entra, keys: SigningKeys, clock: Clock, log_lines
):
    keys.get(entra.keys.current.kid)
    before = fetches(entra)
    clock.tick(301)
    inject_fault(entra, status=500)

    outcomes = {unavailable(keys, f"down-{number}")[0] for number in range(300)}

    assert outcomes == {"signing_key_unknown"}
    assert fetches(entra) - before == 3
    assert keys.get(entra.keys.current.kid)
    assert log_lines("signing_keys_not_fetched", "reason") == [("warning", "http_500")] * 3


def test_due_keys_are_fetched_every_ten_seconds_of_an_outage(entra: Entra, keys: SigningKeys, clock: Clock):
    kid = entra.keys.current.kid
    keys.get(kid)
    clock.tick(HOUR + 1)
    inject_fault(entra, status=503)
    before = fetches(entra)

    for _ in range(100):
        keys.get(kid)
        until(lambda: keys._running is None)
        clock.tick(1)

    assert fetches(entra) - before == 3 + 9


def test_a_rotated_key_is_fetched_and_the_former_one_stays_valid(entra: Entra, keys: SigningKeys, clock: Clock):
    former = entra.keys.current.kid
    keys.get(former)
    clock.tick(301)

    newer = entra.keys.rotate(drop_old=False).kid

    assert keys.get(newer)
    assert keys.get(former)


def test_a_withdrawn_key_is_removed_after_an_hour_of_responses_without_it(
    entra: Entra, keys: SigningKeys, clock: Clock
):
    withdrawn = entra.keys.current.kid
    keys.get(withdrawn)
    newer = entra.keys.rotate(drop_old=True).kid
    clock.tick(301)

    keys.get(newer)  # the first answer without it
    clock.tick(HOUR - 1)
    refused(keys, "nobody's")
    still = keys.get(withdrawn)
    clock.tick(1)
    refused(keys, "nobody else's")

    assert still
    assert refused(keys, withdrawn) == "unknown_kid"
    assert keys.get(newer)


def test_two_incomplete_responses_followed_by_an_outage_remove_no_key(entra: Entra, keys: SigningKeys, clock: Clock):
    kid = entra.keys.current.kid
    keys.get(kid)
    other = entra.keys.unpublished.jwk("issuer")
    inject_fault(entra, status=200, body=json.dumps({"keys": [other]}))
    for _ in range(2):
        refused(keys, "nobody's")
        clock.tick(60)
    inject_fault(entra, status=503)

    clock.tick(24 * HOUR)

    assert keys.get(kid)


@pytest.mark.parametrize(
    "thin",
    [
        lambda _: {"keys": []},
        lambda key: {"keys": [{name: value for name, value in key.items() if name != "n"}]},
        lambda key: {"keys": [{**key, "kid": None}]},
        lambda _: {},
        lambda _: {"keys": None},
    ],
    ids=["empty", "no modulus", "no id", "no keys", "null"],
)
def test_responses_without_a_usable_key_remove_no_key(
    entra: Entra, keys: SigningKeys, clock: Clock, thin: Callable[[dict[str, str]], object]
):
    kid = entra.keys.current.kid
    keys.get(kid)
    inject_fault(entra, status=200, body=json.dumps(thin(entra.keys.current.jwk("issuer"))))

    for _ in range(24):
        clock.tick(HOUR)
        assert keys.get(kid)
        until(lambda: keys._running is None)
    clock.tick(HOUR)
    assert keys.get(kid)
    clock.tick(1)

    assert unavailable(keys, kid)[0] == "signing_keys_unavailable"


def test_an_unreadable_key_is_not_missing(entra: Entra, keys: SigningKeys, clock: Clock):
    kid, other = entra.keys.current.kid, entra.keys.unpublished.jwk("issuer")
    keys.get(kid)
    inject_fault(entra, status=200, body=json.dumps({"keys": [other, {"kid": kid, "kty": "RSA"}]}))

    for _ in range(20):
        clock.tick(HOUR + 1)
        assert keys.get(kid)
        until(lambda: keys._running is None)


def test_a_key_without_an_issuer_keeps_its_earlier_one(entra: Entra, keys: SigningKeys):
    kid = entra.keys.current.kid
    issuer = keys.get(kid).issuer
    plain = {name: value for name, value in entra.keys.current.jwk("").items() if name != "issuer"}
    inject_fault(entra, status=200, body=json.dumps({"keys": [plain]}))
    refused(keys, "nobody's")

    assert issuer is not None
    assert keys.get(kid).issuer == issuer


def test_a_withdrawn_key_is_removed_without_a_request_for_a_new_one(entra: Entra, keys: SigningKeys, clock: Clock):
    withdrawn = entra.keys.current.kid
    keys.get(withdrawn)
    entra.keys.rotate(drop_old=True)

    for _ in range(2):
        clock.tick(HOUR + 1)
        assert keys.get(withdrawn)
        until(lambda: keys._running is None)

    assert withdrawn not in keys._known


@pytest.fixture
def long_fetches(monkeypatch):
    """Limits a fetch to a minute, so that a waiting caller would be noticed."""
    monkeypatch.setattr(signing_keys, "FETCH_SECONDS", 60.0)


@pytest.mark.usefixtures("long_fetches")
def test_keys_are_refreshed_after_an_hour_in_the_background(entra: Entra, keys: SigningKeys, clock: Clock):
    kid = entra.keys.current.kid
    keys.get(kid)
    before = fetches(entra)
    clock.tick(HOUR + 1)
    inject_fault(entra, hang=True)

    assert keys.get(kid)
    assert keys._running is not None
    until(lambda: fetches(entra) == before + 1)
    entra.faults.clear()
    until(lambda: keys._fetched_at == clock())


@pytest.mark.usefixtures("long_fetches")
def test_known_keys_stay_fast_while_the_endpoint_hangs_for_many_unknown_keys(
    entra: Entra, keys: SigningKeys, clock: Clock
):
    kid = entra.keys.current.kid
    keys.get(kid)
    clock.tick(HOUR + 1)
    inject_fault(entra, hang=True)

    def storm(number: int):
        try:
            keys.get(f"hanging-{number}")
        except (InvalidToken, Unavailable) as error:
            return error

    with ThreadPoolExecutor(16) as pool:
        storming = [pool.submit(storm, number) for number in range(64)]
        served = [keys.get(kid) for _ in range(2000)]
        still_fetching = keys._running is not None
        entra.faults.clear()

    assert sum(future.result() is not None for future in storming) == 64
    assert (len(served), still_fetching) == (2000, True)


def test_no_more_than_four_callers_wait_for_unknown_kids(entra: Entra, keys: SigningKeys, clock: Clock):
    keys.get(entra.keys.current.kid)
    inject_fault(entra, hang=True)
    before = fetches(entra)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(key_or_reason, keys, f"waits-{number}") for number in range(4)]
        until(lambda: keys._waiters._value == 0 and fetches(entra) > before)
        fetching = [thread for thread in threading.enumerate() if thread.name == "signing-keys"]

        clock.tick(31)
        one_too_many = unavailable(keys, "one too many")

        entra.faults.clear()
        outcomes = Counter(future.result() for future in waiting)
    assert outcomes == {"unknown_kid": 1, "signing_key_unknown": 3}  # one caller asked before the fetch
    assert one_too_many == ("signing_key_unknown", 3)
    assert fetches(entra) - before == 1
    assert {thread.daemon for thread in fetching} == {True}  # a host that ends need not wait for them


def test_keys_due_for_a_refresh_survive_an_outage_of_24_hours_and_no_longer_one(
    entra: Entra, keys: SigningKeys, clock: Clock
):
    kid = entra.keys.current.kid
    keys.get(kid)
    clock.tick(HOUR)  # a process with requests never has older keys
    inject_fault(entra, status=500)
    before = fetches(entra)

    for seconds in (*[HOUR] * 23, 59 * 60, 60):
        clock.tick(seconds)
        assert keys.get(kid)
    until(lambda: fetches(entra) > before and keys._running is None)
    assert unavailable(keys, "nobody's")[0] == "signing_key_unknown"
    clock.tick(1)
    with pytest.raises(Unavailable) as caught:
        keys.get(kid)

    assert caught.value.code == "signing_keys_unavailable"
    assert caught.value.status == 503


def test_keys_come_back_after_an_outage(entra: Entra, keys: SigningKeys, clock: Clock):
    inject_fault(entra, status=500)
    outcomes = [unavailable(keys, entra.keys.current.kid) for _ in range(4)]
    entra.faults.clear()

    before = fetches(entra)
    clock.tick(9)
    too_soon = unavailable(keys, entra.keys.current.kid), fetches(entra) - before
    clock.tick(1)

    assert keys.get(entra.keys.current.kid)
    assert outcomes == [("signing_keys_unavailable", seconds) for seconds in (1, 1, 10, 10)]
    assert too_soon == (("signing_keys_unavailable", 1), 0)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 500}, "http_500"),
        ({"status": 200, "body": "<html>maintenance</html>"}, "not_a_key_set"),
        ({"status": 200, "body": "[" * 100_000}, "not_a_key_set"),
        ({"status": 200, "body": '{"keys": []}'}, "no_usable_key"),
        ({"status": 200, "body": '{"keys": {"kid": 1}}'}, "not_a_key_set"),
        ({"status": 200, "body": "[]"}, "not_a_key_set"),
        ({"status": 302, "headers": {"Location": "/organizations/discovery/v2.0/keys"}}, "http_302"),
    ],
    ids=["500", "html", "deep", "empty", "no list", "no object", "redirect"],
)
def test_without_keys_nobody_has_to_sign_in_again_and_the_reason_is_logged(
    entra: Entra, keys: SigningKeys, log_lines, fault: dict[str, Any], reason: str
):
    inject_fault(entra, **fault)
    before = fetches(entra)

    with pytest.raises(Unavailable) as caught:
        keys.get(entra.keys.current.kid)

    assert caught.value.code == "signing_keys_unavailable"
    assert fetches(entra) - before == 1
    assert log_lines("signing_keys_not_fetched", "reason") == [("warning", reason)]


def test_without_a_thread_known_keys_stay_in_use_and_a_later_caller_fetches(
    entra: Entra, keys: SigningKeys, clock: Clock, log_lines
):
    new, kid = SigningKeys(keys_url(entra), monotonic=clock), entra.keys.current.kid
    keys.get(kid)
    clock.tick(HOUR + 1)
    usual = threading.stack_size(1 << 46)  # of so large a stack no system has one

    try:
        keys.get(kid)
        with pytest.raises(Unavailable) as caught:
            new.get(kid)
    finally:
        threading.stack_size(usual)

    assert new.get(kid)
    assert caught.value.code == "signing_keys_unavailable"
    assert log_lines("signing_keys_not_fetched", "reason") == [("warning", "no_thread")] * 2


def test_a_compressed_key_set_is_read(entra: Entra):
    jwk = entra.keys.current.jwk("issuer")
    packed = gzip.compress(json.dumps({"keys": [jwk]}).encode())

    def answer(write: Callable[[bytes], object], _over: threading.Event):
        write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + packed)

    with endpoint(answer) as url:
        assert SigningKeys(url).get(jwk["kid"])


def test_a_key_set_of_more_than_half_a_mebibyte_is_not_read(entra: Entra, keys: SigningKeys):
    jwk = entra.keys.current.jwk("issuer")
    padded = json.dumps({"keys": [jwk]}) + " " * 512 * 1024
    inject_fault(entra, status=200, body=padded)

    with pytest.raises(Unavailable):
        keys.get(jwk["kid"])
    with pytest.raises(KeysNotFetched, match=r"\Atoo_large\Z"):
        fetch_keys(keys_url(entra))


def shorten_fetches(monkeypatch):
    """Limits a fetch to a third of a second instead of three."""
    monkeypatch.setattr(signing_keys, "FETCH_SECONDS", 0.3)


def test_a_cold_start_at_an_endpoint_that_never_answers_is_refused_after_one_fetch(
    entra: Entra, keys: SigningKeys, monkeypatch
):
    shorten_fetches(monkeypatch)
    inject_fault(entra, hang=True)
    before = fetches(entra)

    assert unavailable(keys, entra.keys.current.kid)[0] == "signing_keys_unavailable"
    assert fetches(entra) - before == 1


def trickle(write: Callable[[bytes], object], over: threading.Event):
    """Writes without an end, until the reader closes."""
    while not over.wait(0.1):
        write(b" ")


def test_an_endpoint_that_trickles_without_an_end_is_given_up(monkeypatch):
    def answer(write: Callable[[bytes], object], over: threading.Event):
        write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        trickle(write, over)

    shorten_fetches(monkeypatch)
    with endpoint(answer) as url, pytest.raises(KeysNotFetched, match=r"\Atoo_slow\Z"):
        fetch_keys(url)


def test_a_fetch_ends_in_time_also_if_its_endpoint_trickles_without_an_end(
    entra: Entra, keys: SigningKeys, clock: Clock, monkeypatch
):
    heads = []

    def answer(write: Callable[[bytes], object], over: threading.Event):
        heads.append(write(b"HTTP/1.1 200 OK\r\nX-Slow:"))
        trickle(write, over)

    keys.get(entra.keys.current.kid)
    clock.tick(300)
    shorten_fetches(monkeypatch)
    with endpoint(answer) as keys._url, ThreadPoolExecutor(2) as pool:
        fetching = [keys, SigningKeys(keys._url)]
        outcomes = list(pool.map(lambda each: unavailable(each, "unknown")[0], fetching))
        until(lambda: [each._running for each in fetching] == [None, None], seconds=2)

    assert outcomes == ["signing_key_unknown", "signing_keys_unavailable"]
    assert len(heads) == 2


def test_a_closed_port_is_an_outage():
    keys = SigningKeys("http://127.0.0.1:1/keys")

    with pytest.raises(Unavailable):
        keys.get("any")


def test_weak_private_foreign_and_broken_keys_are_ignored(entra: Entra):
    good = entra.keys.current.jwk("issuer")
    weak = SigningKeyPair(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505 - the weak one
    short = weak._private.public_key().public_numbers().n.to_bytes(128, "big")
    bad = [
        {**good, "kid": "weak", "n": base64url(short)},
        {**json.loads(RSAAlgorithm.to_jwk(entra.keys.current._private)), "kid": "private"},
        {**good, "kid": "encrypts", "use": "enc"},
        {**good, "kid": "broken", "n": "*"},
        {**good, "kid": "no modulus", "n": None},
        {**good, "kid": "symmetric", "kty": "oct", "k": "AQAB"},
        {**good, "kid": "odd issuer", "issuer": 7},
        {**good, "kid": 7},
        {"kty": "RSA"},
        None,
        "kid",
    ]

    parsed = parse_key_set(json.dumps({"keys": [*bad, good]}).encode())

    assert [good["kid"]] == list(parsed.by_kid)
    assert {"weak", "broken", "no modulus", good["kid"]} < parsed.all_kids


def test_a_key_without_use_or_issuer_is_accepted(entra: Entra):
    good = entra.keys.current.jwk("issuer")
    plain = {name: value for name, value in good.items() if name not in {"use", "issuer"}}
    parsed = parse_key_set(json.dumps({"keys": [plain]}).encode())

    assert good.keys() - plain.keys() == {"use", "issuer"}
    assert [(kid, key.issuer) for kid, key in parsed.by_kid.items()] == [(good["kid"], None)]


@pytest.mark.parametrize("alg", ["RS256", "RS512", "PS256", "HS256", "RSA-OAEP", "none"])
def test_every_key_verifies_rs256_for_any_declared_algorithm(entra: Entra, alg: str):
    pair = entra.keys.current
    [key] = parse_key_set(json.dumps({"keys": [{**pair.jwk("issuer"), "alg": alg}]}).encode()).by_kid.values()
    token, _, signature = pair.sign({}, {}).rpartition(".")

    assert key.verify(token.encode(), base64.urlsafe_b64decode(signature + "=="))
