"""The app's own tokens for the Marketplace: by client secret, or by managed identity when there is no secret."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

import requests

from billing.marketplace.deadline import Flow
from billing.marketplace.errors import NotAuthorized, Unreachable, Unreadable
from billing.marketplace.model import RESOURCE


if TYPE_CHECKING:
    from azure.identity import ManagedIdentityCredential


SCOPE: Final = f"{RESOURCE}/.default"
_RENEW_BEFORE: Final = 300.0
_LONGEST_TRY: Final = 5.0
_REFUSED: Final = {400, 401, 403}


class TokenSource(Protocol):
    def get(self, flow: Flow) -> str:
        """A token that is good for some minutes at least.

        Raises:
            NotAuthorized: Entra gives us none, since the secret is wrong or has expired.
            Unreachable: there is none in time.
            Unreadable: the answer is no token.
        """

    def close(self) -> None: ...


class SecretTokens:
    """By client credentials, kept until shortly before their end; one thread fetches, the others wait for it.

    azure-identity takes no authority on plain http, not even on loopback, and knows no deadline over all its tries.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: str,
        *,
        session: requests.Session,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is the token endpoint of the app's own directory."""
        self._url, self._session, self._monotonic = url, session, monotonic
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": SCOPE,
        }
        self._token, self._good_until = "", float("-inf")
        self._fetching = threading.Lock()

    def get(self, flow: Flow) -> str:
        if self._monotonic() < self._good_until:
            return self._token
        if not self._fetching.acquire(timeout=max(0.0, flow.left())):
            raise Unreachable("token_too_slow")
        try:
            if self._monotonic() >= self._good_until:
                self._fetch(flow)
            return self._token
        finally:
            self._fetching.release()

    def close(self) -> None:
        """The session belongs to whoever gave it."""

    def _fetch(self, flow: Flow) -> None:
        asked_at, timeout = self._monotonic(), min(_LONGEST_TRY, flow.left())
        if timeout <= 0:
            raise Unreachable("token_too_slow")
        try:
            answer = self._session.post(self._url, data=self._form, timeout=timeout, allow_redirects=False)
        except (requests.RequestException, OSError) as error:
            raise Unreachable(f"token_{type(error).__name__}") from None
        if answer.status_code in _REFUSED:
            raise NotAuthorized(answer.status_code, "token")
        if answer.status_code != requests.codes.ok:
            raise Unreachable(f"token_http_{answer.status_code}")
        try:
            told = answer.json()
            token, seconds = told["access_token"], float(told["expires_in"])  # some endpoints write it as a text
        except (ValueError, KeyError, TypeError):
            raise Unreadable("unreadable token") from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Unreadable("unreadable token")
        self._token, self._good_until = token, asked_at + max(0.0, seconds - _RENEW_BEFORE)


class IdentityTokens:
    """By the managed identity whose client id stands in Partner Center; azure-identity keeps and renews them."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="marketplace-token")

    @cached_property
    def _credential(self) -> "ManagedIdentityCredential":
        from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - slow to import, and not always needed

        return ManagedIdentityCredential(client_id=self._client_id)

    def get(self, flow: Flow) -> str:
        """On a thread of its own, since its tries may take longer than the flow has."""
        future = self._threads.submit(self._ask)
        try:
            return future.result(max(0.0, flow.left()))
        except TimeoutError:
            future.cancel()
            raise Unreachable("token_too_slow") from None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if "_credential" in self.__dict__:
            self._credential.close()

    def _ask(self) -> str:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - as above

        try:
            token: str = self._credential.get_token(SCOPE).token
        except AzureError as error:
            raise Unreachable(f"token_{type(error).__name__}") from None
        return token
