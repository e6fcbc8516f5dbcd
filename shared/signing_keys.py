"""The public keys that tokens are signed with: fetched from one address, kept, and never waited for when known."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.errors import InvalidToken, Unavailable
from shared.log import get_logger


# Microsoft's numbers for code that keeps Entra's keys itself ("Signing key rollover", 2024-10), but for KEEP_FOR: kept
# for 24 hours from when they were fetched, keys that were due anyway as an outage began would outlive 23 hours of it.
REFRESH_AFTER: Final = 3600.0
KEEP_FOR: Final = 24 * 3600.0 + REFRESH_AFTER
UNKNOWN_KID_PAUSE: Final = 300.0

FAILURE_PAUSE: Final = 30.0
COLD_FAILURE_PAUSE: Final = 5.0  # nobody can be served without keys, and Retry-After says as much
FETCH_SECONDS: Final = 3.0
WAITERS_WHEN_WARM: Final = 4  # senders of unknown kids must not occupy the thread pool
MAX_ANSWER_BYTES: Final = 512 * 1024
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
class _KeySet:
    by_kid: Mapping[str, SigningKey]
    fetched_at: float


_NO_KEYS: Final = _KeySet(MappingProxyType({}), float("-inf"))


class SigningKeys:
    """kid -> key. A known kid is a dictionary look-up; every fetch runs on its own thread, one at a time."""

    def __init__(
        self, url: str, *, monotonic: Callable[[], float] = time.monotonic, fetch: Fetch | None = None
    ) -> None:
        """`monotonic` is in seconds; nothing is fetched before the first token arrives."""
        self._url = url
        self._monotonic = monotonic
        self._fetch = fetch or fetch_over_http
        self._current = _NO_KEYS
        self._tried_at = float("-inf")
        self._failed = False
        self._running: threading.Event | None = None
        self._starting = threading.Lock()
        self._waiters = threading.BoundedSemaphore(WAITERS_WHEN_WARM)

    def get(self, kid: str) -> SigningKey:
        """The key of that id.

        Raises:
            InvalidToken: the key set has no such key.
            Unavailable: there is no key set that is not too old, or a new one is on its way.
        """
        now = self._monotonic()
        known = self._find(kid, now)
        if known is None:
            self._wait_for_fetch(now)
            return self._get_now(kid)
        if now - self._current.fetched_at > REFRESH_AFTER and self._may_fetch(now):
            self._start(now)
        return known

    def _find(self, kid: str, now: float) -> SigningKey | None:
        keys = self._current
        return keys.by_kid.get(kid) if now - keys.fetched_at <= KEEP_FOR else None

    def _get_now(self, kid: str) -> SigningKey:
        now = self._monotonic()
        if (known := self._find(kid, now)) is not None:
            return known
        if self._running is not None or not self._is_warm(now):
            raise Unavailable(
                "Sign-ins cannot be checked right now. Nothing was changed; try again in a moment.",
                code="signing_keys_unavailable",
            )
        raise InvalidToken("unknown_kid")

    def _is_warm(self, now: float) -> bool:
        return now - self._current.fetched_at <= KEEP_FOR

    def _may_fetch(self, now: float) -> bool:
        pause = FAILURE_PAUSE if self._failed else UNKNOWN_KID_PAUSE
        if not self._is_warm(now):
            pause = COLD_FAILURE_PAUSE if self._failed else 0.0
        return now - self._tried_at >= pause

    def _wait_for_fetch(self, now: float) -> None:
        running = self._start(now)
        if running is None:
            return
        if not self._is_warm(now):
            running.wait(FETCH_SECONDS)
        elif self._waiters.acquire(blocking=False):
            try:
                running.wait(FETCH_SECONDS)
            finally:
                self._waiters.release()

    def _start(self, now: float) -> threading.Event | None:
        """The fetch in progress, started when one is due; the lock is never held while anything is waited for."""
        with self._starting:
            if self._running is not None or not self._may_fetch(now):
                return self._running
            self._tried_at, self._failed = now, True  # until it has succeeded
            done = threading.Event()
            thread = threading.Thread(target=self._refresh, args=(done,), name="signing-keys", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread to be had: the keys at hand serve on, and a later caller tries again
                get_logger().warning("signing_keys_not_fetched", reason="no_thread")
                return None
            self._running = done
            return done

    def _refresh(self, done: threading.Event) -> None:
        try:
            keys = parse_key_set(self._fetch(self._url))
            self._current, self._failed = _KeySet(keys, self._monotonic()), False
            get_logger().info("signing_keys_fetched", count=len(keys))
        except KeysNotFetched as error:
            get_logger().warning("signing_keys_not_fetched", reason=str(error))
        finally:
            with self._starting:
                self._running = None
            done.set()


def parse_key_set(answer: bytes) -> Mapping[str, SigningKey]:
    """The RSA signing keys of a JWKS document; keys that are weak, private or broken are left out.

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
    return MappingProxyType(keys)


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
    """GET without redirects, at most 512 KiB, and no reading on after 3 seconds.

    Only the head of an answer may trickle for longer, each byte within half of that; callers are let go all the same.

    Raises:
        KeysNotFetched: anything but a whole 200 in that time.
    """
    import requests  # noqa: PLC0415 - slow to import; the first request need not wait for it elsewhere
    import urllib3  # noqa: PLC0415 - likewise

    deadline = time.monotonic() + FETCH_SECONDS
    options: dict[str, Any] = {"timeout": FETCH_SECONDS / 2, "allow_redirects": False, "stream": True}
    try:
        with requests.get(url, headers={"Accept": "application/json"}, **options) as response:  # noqa: S113 - in options
            if response.status_code != requests.codes.ok:
                raise KeysNotFetched(f"http_{response.status_code}")
            answer = b""
            # One network read at a time: reading a whole piece would let a trickle outlast the deadline.
            while piece := response.raw.read1(65_536, decode_content=True):
                answer += piece
                if len(answer) > MAX_ANSWER_BYTES:
                    raise KeysNotFetched("too_large")
                if time.monotonic() > deadline:
                    raise KeysNotFetched("too_slow")
            return answer
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise KeysNotFetched(type(error).__name__) from error
