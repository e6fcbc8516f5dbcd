"""The app's own access tokens for the Marketplace: by client secret, or by managed identity if there is none."""

import json
import threading
import time
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from billing.marketplace.errors import MarketplaceUnauthorized, MarketplaceUnavailable, UnreadableResponse
from billing.marketplace.model import RESOURCE
from shared.deadline import AbandonableThreads, Deadline, DeadlinePassed
from shared.http_client import HttpClient, NoResponse, Request


if TYPE_CHECKING:
    from azure.identity import ManagedIdentityCredential


SCOPE: Final = f"{RESOURCE}/.default"
_RENEW_BEFORE: Final = 300.0
_REQUEST_SECONDS: Final = 5.0
_REFUSED: Final = {400, 401, 403}


class TokenSource(Protocol):
    def get(self, deadline: Deadline) -> str:
        """A token that is valid for at least some minutes.

        Raises:
            MarketplaceUnauthorized: Entra issues none, since the secret is wrong or has expired.
            MarketplaceUnavailable: there is none in time.
            UnreadableResponse: the response contains no token.
        """

    def close(self) -> None: ...


class SecretTokens:
    """By client credentials, cached until shortly before they expire; one thread fetches, the others wait for it.

    azure-identity accepts no authority on plain http, not even on loopback, and has no deadline over all its attempts.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: str,
        *,
        http: HttpClient,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is the token endpoint of the app's own directory."""
        self._url, self._http, self._monotonic = url, http, monotonic
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": SCOPE,
        }
        self._token, self._valid_until = "", float("-inf")
        self._fetching = threading.Lock()

    def get(self, deadline: Deadline) -> str:
        if self._monotonic() < self._valid_until:
            return self._token
        if not self._fetching.acquire(timeout=deadline.left):
            raise MarketplaceUnavailable("token_too_slow")
        try:
            if self._monotonic() >= self._valid_until:
                self._fetch(deadline.at_most(_REQUEST_SECONDS))
            return self._token
        finally:
            self._fetching.release()

    def close(self) -> None:
        """The HTTP client is not its own."""

    def _fetch(self, deadline: Deadline) -> None:
        requested_at = self._monotonic()
        response = self._http.send(Request.post_form(self._url, self._form), deadline)
        if isinstance(response, NoResponse):
            raise MarketplaceUnavailable(f"token_{response.reason}")
        if response.status in _REFUSED:
            raise MarketplaceUnauthorized(response.status, "token")
        if response.status != HTTPStatus.OK:
            raise MarketplaceUnavailable(f"token_http_{response.status}")
        try:
            document = json.loads(response.body)
            token, seconds = document["access_token"], float(document["expires_in"])  # some endpoints write a string
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UnreadableResponse("unreadable token") from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise UnreadableResponse("unreadable token")
        self._token, self._valid_until = token, requested_at + max(0.0, seconds - _RENEW_BEFORE)


class IdentityTokens:
    """By the managed identity whose client id is in Partner Center; azure-identity caches and renews them."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._threads = AbandonableThreads("marketplace-token", 2)

    @cached_property
    def _credential(self) -> "ManagedIdentityCredential":
        from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - slow to import, and not always needed

        return ManagedIdentityCredential(client_id=self._client_id)

    def get(self, deadline: Deadline) -> str:
        """On a thread of its own, since the attempts of azure-identity may outlast the deadline."""
        try:
            return self._threads.run(self._fetch, deadline)
        except DeadlinePassed:
            raise MarketplaceUnavailable("token_too_slow") from None

    def close(self) -> None:
        if "_credential" in self.__dict__:
            self._credential.close()

    def _fetch(self) -> str:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - as above

        try:
            token: str = self._credential.get_token(SCOPE).token
        except AzureError as error:
            raise MarketplaceUnavailable(f"token_{type(error).__name__}") from None
        return token
