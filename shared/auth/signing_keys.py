"""The public keys that tokens are signed with: fetched from one address, kept each by itself, never waited for."""

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

# Microsoft's numbers for code that keeps Entra's keys itself ("Signing key rollover", 2024-10), but for KEEP_FOR: kept
# for 24 hours from when they were fetched, keys that were due anyway as an outage began would outlive 23 hours of it;
# and but for the pause between fetches, as five minutes of it would refuse valid tokens of a key that is new.
REFRESH_AFTER: Final = 3600.0
KEEP_FOR: Final = 24 * 3600.0 + REFRESH_AFTER
GONE_AFTER: Final = 3600.0  # of answers without the key, the first and the last of them so far apart
FETCH_PAUSE: Final = 10.0
FETCH_BURST: Final = 3
ABSENT_FOR: Final = 60.0

FETCH_SECONDS: Final = 3.0
WAITERS_WHEN_WARM: Final = 4  # senders of unknown kids must not occupy the thread pool
MAX_KEY_SET_BYTES: Final = 512 * 1024
MAX_KEYS: Final = 1000
MIN_KEY_BITS: Final = 2048


class KeysNotFetched(Exception):
    """The address did not give a usable key set; the text is a short stable code for the log."""


class Fetch(Protocol):
    """Gets the answer of a URL, or raises KeysNotFetched."""

    def __call__(self, url: str, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key; `issuer` is Entra's own member of a JWK: whose tokens the key may sign, `{tenantid}` for any tenant."""

    key: jwt.PyJWK
    issuer: str | None

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether that is the RS256 signature of the data; the algorithm is bound to the key, never to a token."""
        return self.key.Algorithm.verify(data, self.key.key, signature)


@dataclass(frozen=True, slots=True)
class KeySet:
    """One answer: its usable keys by id, and every id that it names, usable or not."""

    by_kid: Mapping[str, SigningKey]
    named: frozenset[str]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key at hand; times are monotonic seconds. `missing_since` is the first answer without it since it was seen."""

    key: SigningKey
    seen_at: float
    missing_since: float | None = None


def merged(known: Mapping[str, KnownKey], answer: KeySet, at: float) -> Mapping[str, KnownKey]:
    """The keys after an answer that was asked for at `at`.

    A thin answer takes nothing away at once: a key stays until every answer of an hour was without it. One that is
    named but cannot be read stays as it is, and one that does not say its issuer any more keeps the one it had.
    """
    kept = {}
    for kid, each in known.items():
        since = None if kid in answer.named else at if each.missing_since is None else each.missing_since
        if at - each.seen_at <= KEEP_FOR and (since is None or at - since < GONE_AFTER):
            kept[kid] = replace(each, missing_since=since)
    for kid, key in answer.by_kid.items():
        before = known.get(kid)
        issuer = key.issuer or (None if before is None else before.key.issuer)
        kept[kid] = KnownKey(replace(key, issuer=issuer), at)
    return MappingProxyType(kept)


class _Bucket:
    """Tokens for fetches: FETCH_BURST at most, and a new one every FETCH_PAUSE seconds."""

    def __init__(self) -> None:
        self._full_at = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until there is a token; nothing or less where there is one."""
        return self._full_at - (FETCH_BURST - 1) * FETCH_PAUSE - now

    def take(self, now: float) -> bool:
        if self.wait(now) > 0:
            return False
        self._full_at = max(now, self._full_at) + FETCH_PAUSE
        return True


@dataclass(slots=True)
class _Run:
    """A fetch; `answered` is set once its keys are at hand."""

    began_at: float
    done: threading.Event = field(default_factory=threading.Event)
    answered: bool = False


class SigningKeys:
    """kid -> key. A known kid is a dictionary look-up; every fetch runs on its own thread, one at a time."""

    def __init__(
        self, url: str, *, monotonic: Callable[[], float] = time.monotonic, fetch: Fetch | None = None
    ) -> None:
        """`monotonic` is in seconds; nothing is fetched before the first token arrives."""
        self._url = url
        self._monotonic = monotonic
        self._fetch = fetch or fetch_over_http
        self._known: Mapping[str, KnownKey] = MappingProxyType({})
        self._answered_at = float("-inf")  # when the last answer was asked for
        self._absent: Mapping[str, float] = MappingProxyType({})  # until when an id is taken for none of Entra's
        self._bucket = _Bucket()
        self._running: _Run | None = None
        self._starting = threading.Lock()
        self._waiters = threading.BoundedSemaphore(WAITERS_WHEN_WARM)

    def get(self, kid: str) -> SigningKey:
        """The key of that id.

        Raises:
            InvalidToken: a key set that was asked for after this call began has no such key, or one that was asked for
                for the same id within the last minute.
            Inconclusive: whether there is such a key could not be asked for now.
            Unavailable: there are no keys at all.
        """
        now = self._monotonic()
        known = self._find(kid, now)
        if known is None:
            return self._ask(kid, now)
        if now - self._answered_at > REFRESH_AFTER:
            self._start(now)
        return known

    def _find(self, kid: str, now: float) -> SigningKey | None:
        known = self._known.get(kid)
        return known.key if known is not None and now - known.seen_at <= KEEP_FOR else None

    def _ask(self, kid: str, now: float) -> SigningKey:
        if self._absent.get(kid, now) > now:
            raise InvalidToken(UNKNOWN_KID)
        run, is_own = self._start(now)
        if run is not None:
            self._wait(run, now)
        is_answered = is_own and run is not None and run.answered  # before the look-up, as what it brings is at hand
        now = self._monotonic()
        if (known := self._find(kid, now)) is not None:
            return known
        if not is_answered:  # one that began before this call may have been answered before the key was published
            raise self._not_now(now)
        self._note_absent(kid, now)
        raise InvalidToken(UNKNOWN_KID)

    def _is_warm(self, now: float) -> bool:
        return now - self._answered_at <= KEEP_FOR

    def _not_now(self, now: float) -> Unavailable:
        wait = FETCH_SECONDS if self._running is not None else self._bucket.wait(now)
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

    def _note_absent(self, kid: str, now: float) -> None:
        """Each noted id has cost a fetch, so the bucket bounds how many there are in a minute."""
        with self._starting:
            others = {each: until for each, until in self._absent.items() if until > now}
            self._absent = MappingProxyType({**others, kid: now + ABSENT_FOR})

    def _wait(self, run: _Run, now: float) -> None:
        if not self._is_warm(now):
            run.done.wait(FETCH_SECONDS)
        elif self._waiters.acquire(blocking=False):
            try:
                run.done.wait(FETCH_SECONDS)
            finally:
                self._waiters.release()

    def _start(self, now: float) -> tuple[_Run | None, bool]:
        """The fetch in progress, and whether this call began it; the lock is never held while anything is waited for.

        None where the bucket is empty.
        """
        with self._starting:
            if self._running is not None or not self._bucket.take(now):
                return self._running, False
            run = _Run(now)
            thread = threading.Thread(target=self._refresh, args=(run,), name=_NAME, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread to be had: the keys at hand serve on, and a later caller tries again
                get_logger().warning("signing_keys_not_fetched", reason="no_thread")
                return None, False
            self._running = run
            return run, True

    def _refresh(self, run: _Run) -> None:
        try:
            answer = parse_key_set(self._fetch(self._url))
            self._known = merged(self._known, answer, run.began_at)
            self._answered_at = run.began_at
            run.answered = True
            get_logger().info("signing_keys_fetched", count=len(answer.by_kid))
        except KeysNotFetched as error:
            get_logger().warning("signing_keys_not_fetched", reason=str(error))
        finally:
            with self._starting:
                self._running = None
            run.done.set()


def parse_key_set(answer: bytes) -> KeySet:
    """The RSA signing keys of a JWKS document; keys that are weak, private or broken are only named.

    Raises:
        KeysNotFetched: it is not a key set, or no key of it is usable.
    """
    try:
        listed = json.loads(answer)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeysNotFetched("not_a_key_set") from None
    if not isinstance(listed, list):
        raise KeysNotFetched("not_a_key_set")
    keys = {item["kid"]: key for item in listed[:MAX_KEYS] if (key := _usable(item)) is not None}
    if not keys:
        raise KeysNotFetched("no_usable_key")
    kids = (item.get("kid") for item in listed[:MAX_KEYS] if isinstance(item, dict))
    return KeySet(MappingProxyType(keys), frozenset(kid for kid in kids if isinstance(kid, str)))


def _usable(item: Any) -> SigningKey | None:  # noqa: ANN401 - whatever the answer holds
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


def fetch_over_http(url: str, /) -> bytes:
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
