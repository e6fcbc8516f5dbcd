"""The public keys of token signatures: fetched in the background from one address, and each cached on its own."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.deadline import Deadline
from shared.errors import Inconclusive, InvalidToken, Unavailable
from shared.http_client import HttpClient, NoResponse, Request
from shared.log import get_logger


UNKNOWN_KID: Final = "unknown_kid"
_NAME: Final = "signing-keys"  # of threads

# Microsoft's values for code that caches Entra's keys ("Signing key rollover", 2024-10) with two exceptions. KEEP_FOR:
# with 24 hours, keys about to be refreshed when an outage begins would last only 23 hours of it. The pause between
# fetches: with five minutes, valid tokens of a new key would be refused.
REFRESH_AFTER: Final = 3600.0
KEEP_FOR: Final = 24 * 3600.0 + REFRESH_AFTER
GONE_AFTER: Final = 3600.0  # from the first to the last response without the key
FETCH_PAUSE: Final = 10.0
FETCH_BURST: Final = 3
ABSENT_FOR: Final = 60.0

FETCH_SECONDS: Final = 3.0
WAITERS_WHEN_WARM: Final = 4  # unknown kids must not occupy the thread pool
MAX_KEY_SET_BYTES: Final = 512 * 1024
MAX_KEYS: Final = 1000
MIN_KEY_BITS: Final = 2048


class KeysNotFetched(Exception):
    """There is no usable key set; the text is a short stable code for the log."""


class Fetch(Protocol):
    """Returns the body of a URL, or raises KeysNotFetched."""

    def __call__(self, url: str, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key; `issuer`, Entra's own member of a JWK, limits the tokens that it may sign: `{tenantid}` is any tenant."""

    key: jwt.PyJWK
    issuer: str | None

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Whether it is the RS256 signature of the data; the algorithm follows from the key, never from a token."""
        return self.key.Algorithm.verify(data, self.key.key, signature)


@dataclass(frozen=True, slots=True)
class KeySet:
    """A response: its usable keys by id, and all its ids, usable or not."""

    by_kid: Mapping[str, SigningKey]
    all_kids: frozenset[str]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A cached key, with monotonic times. `missing_since` is the first response without it since it was last seen."""

    key: SigningKey
    seen_at: float
    missing_since: float | None = None


def merge_keys(known: Mapping[str, KnownKey], key_set: KeySet, at: float) -> Mapping[str, KnownKey]:
    """The keys after a response that was requested at `at`.

    An incomplete response removes no key at once: a key is removed after an hour of responses without it. An
    unreadable key stays unchanged, and a key without an issuer keeps its earlier one.
    """
    merged = {}
    for kid, each in known.items():
        since = None if kid in key_set.all_kids else at if each.missing_since is None else each.missing_since
        if at - each.seen_at <= KEEP_FOR and (since is None or at - since < GONE_AFTER):
            merged[kid] = replace(each, missing_since=since)
    for kid, key in key_set.by_kid.items():
        before = known.get(kid)
        issuer = key.issuer or (None if before is None else before.key.issuer)
        merged[kid] = KnownKey(replace(key, issuer=issuer), at)
    return MappingProxyType(merged)


class _TokenBucket:
    """Limits fetches: FETCH_BURST at once, then one every FETCH_PAUSE seconds."""

    def __init__(self) -> None:
        self._full_at = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until the next fetch is allowed; zero or less if it is allowed now."""
        return self._full_at - (FETCH_BURST - 1) * FETCH_PAUSE - now

    def take(self, now: float) -> bool:
        if self.wait(now) > 0:
            return False
        self._full_at = max(now, self._full_at) + FETCH_PAUSE
        return True


@dataclass(slots=True)
class _FetchRun:
    """A fetch; `succeeded` is set when its keys are cached."""

    began_at: float
    done: threading.Event = field(default_factory=threading.Event)
    succeeded: bool = False


class SigningKeys:
    """The keys by id. A known id is a dictionary look-up; fetches run one at a time on a thread of their own."""

    def __init__(
        self, url: str, *, monotonic: Callable[[], float] = time.monotonic, fetch: Fetch | None = None
    ) -> None:
        """`monotonic` is in seconds; the first fetch is for the first token."""
        self._url = url
        self._monotonic = monotonic
        self._fetch = fetch or fetch_keys
        self._known: Mapping[str, KnownKey] = MappingProxyType({})
        self._fetched_at = float("-inf")  # the start of the last successful fetch
        self._unknown_until: Mapping[str, float] = MappingProxyType({})  # the end of each refusal without a fetch
        self._limit = _TokenBucket()
        self._running: _FetchRun | None = None
        self._lock = threading.Lock()
        self._waiters = threading.BoundedSemaphore(WAITERS_WHEN_WARM)

    def get(self, kid: str) -> SigningKey:
        """The key with that id.

        Raises:
            InvalidToken: a key set requested since this call began, or for the same id within a minute, lacks the key.
            Inconclusive: the key cannot be looked up now.
            Unavailable: there are no keys at all.
        """
        now = self._monotonic()
        known = self._find(kid, now)
        if known is None:
            return self._fetch_and_find(kid, now)
        if now - self._fetched_at > REFRESH_AFTER:
            self._start(now)
        return known

    def _find(self, kid: str, now: float) -> SigningKey | None:
        known = self._known.get(kid)
        return known.key if known is not None and now - known.seen_at <= KEEP_FOR else None

    def _fetch_and_find(self, kid: str, now: float) -> SigningKey:
        if self._unknown_until.get(kid, now) > now:
            raise InvalidToken(UNKNOWN_KID)
        run, is_own = self._start(now)
        if run is not None:
            self._wait_for(run, now)
        is_complete = is_own and run is not None and run.succeeded  # before the look-up: the keys are cached then
        now = self._monotonic()
        if (known := self._find(kid, now)) is not None:
            return known
        if not is_complete:  # an earlier fetch may have missed a key that was published meanwhile
            raise self._unavailable(now)
        self._note_unknown(kid, now)
        raise InvalidToken(UNKNOWN_KID)

    def _is_warm(self, now: float) -> bool:
        return now - self._fetched_at <= KEEP_FOR

    def _unavailable(self, now: float) -> Unavailable:
        wait = FETCH_SECONDS if self._running is not None else self._limit.wait(now)
        seconds = max(1, math.ceil(wait))
        if self._is_warm(now):
            return Inconclusive(
                "This sign-in cannot be checked right now. Nothing was changed; try again in a moment.",
                reason=UNKNOWN_KID,
                code="signing_key_unknown",
                retry_after_seconds=seconds,
            )
        return Unavailable(
            "Sign-ins cannot be checked right now. Nothing was changed; try again in a moment.",
            code="signing_keys_unavailable",
            retry_after_seconds=seconds,
        )

    def _note_unknown(self, kid: str, now: float) -> None:
        """Each id has cost a fetch, so their number is limited as well."""
        with self._lock:
            others = {each: until for each, until in self._unknown_until.items() if until > now}
            self._unknown_until = MappingProxyType({**others, kid: now + ABSENT_FOR})

    def _wait_for(self, run: _FetchRun, now: float) -> None:
        if not self._is_warm(now):
            run.done.wait(FETCH_SECONDS)
        elif self._waiters.acquire(blocking=False):
            try:
                run.done.wait(FETCH_SECONDS)
            finally:
                self._waiters.release()

    def _start(self, now: float) -> tuple[_FetchRun | None, bool]:
        """The fetch in progress, and whether this call started it; no fetch if the limit is reached.

        The lock is never held while waiting.
        """
        with self._lock:
            if self._running is not None or not self._limit.take(now):
                return self._running, False
            run = _FetchRun(now)
            thread = threading.Thread(target=self._refresh, args=(run,), name=_NAME, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no thread: cached keys stay in use, and a later caller tries again
                get_logger().warning("signing_keys_not_fetched", reason="no_thread")
                return None, False
            self._running = run
            return run, True

    def _refresh(self, run: _FetchRun) -> None:
        try:
            key_set = parse_key_set(self._fetch(self._url))
            self._known = merge_keys(self._known, key_set, run.began_at)
            self._fetched_at = run.began_at
            run.succeeded = True
            get_logger().info("signing_keys_fetched", count=len(key_set.by_kid))
        except KeysNotFetched as error:
            get_logger().warning("signing_keys_not_fetched", reason=str(error))
        finally:
            with self._lock:
                self._running = None
            run.done.set()


def parse_key_set(body: bytes) -> KeySet:
    """The RSA signing keys of a JWKS document; of weak, private and broken keys only the ids.

    Raises:
        KeysNotFetched: it is not a key set, or has no usable key.
    """
    try:
        items = json.loads(body)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeysNotFetched("not_a_key_set") from None
    if not isinstance(items, list):
        raise KeysNotFetched("not_a_key_set")
    keys = {item["kid"]: key for item in items[:MAX_KEYS] if (key := _parse_key(item)) is not None}
    if not keys:
        raise KeysNotFetched("no_usable_key")
    kids = (item.get("kid") for item in items[:MAX_KEYS] if isinstance(item, dict))
    return KeySet(MappingProxyType(keys), frozenset(kid for kid in kids if isinstance(kid, str)))


def _parse_key(item: Any) -> SigningKey | None:  # noqa: ANN401 - any JSON
    """None for an unusable key."""
    if not isinstance(item, dict) or item.get("kty") != "RSA" or item.get("use", "sig") != "sig":
        return None
    kid, issuer = item.get("kid"), item.get("issuer")
    if not isinstance(kid, str) or not (issuer is None or isinstance(issuer, str)):
        return None
    try:
        key = jwt.PyJWK(item, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    strong = isinstance(key.key, RSAPublicKey) and key.key.key_size >= MIN_KEY_BITS
    return SigningKey(key, issuer) if strong else None


def fetch_keys(url: str, /) -> bytes:
    """GET of at most 512 KiB within 3 seconds, without redirects.

    Raises:
        KeysNotFetched: there is no complete response with status 200 in that time.
    """
    with closing(HttpClient(_NAME, url, max_bytes=MAX_KEY_SET_BYTES)) as client:
        response = client.send(Request("GET", url), Deadline.after(FETCH_SECONDS))
    if isinstance(response, NoResponse):
        raise KeysNotFetched(response.reason)
    if response.status != HTTPStatus.OK:
        raise KeysNotFetched(f"http_{response.status}")
    return response.body
