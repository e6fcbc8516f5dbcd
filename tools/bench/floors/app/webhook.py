"""What the floor asks the Marketplace about an event: its operation and the subscription, on kept connections."""

import functools
import http.client
import json
import os
import threading
import urllib.request
from typing import Any
from urllib.parse import urlsplit


_VERSION = "2018-08-31"
_asking = threading.local()
_fetching = threading.Lock()


def row(event: dict[str, Any]) -> tuple[str, str, str, int]:
    """What Microsoft has for an event: operation, subscription, its status, and the seats that are asked for."""
    path = f"{urlsplit(os.environ['FLOOR_MARKETPLACE_URL']).path}/saas/subscriptions/{event['subscriptionId']}"
    operation = _asked(f"{path}/operations/{event['id']}")
    subscription = _asked(path)
    return operation["id"], subscription["id"], subscription["saasSubscriptionStatus"], operation["quantity"]


def _asked(path: str) -> dict[str, Any]:
    if not hasattr(_asking, "connection"):
        _asking.connection = http.client.HTTPConnection(
            urlsplit(os.environ["FLOOR_MARKETPLACE_URL"]).netloc, timeout=10
        )
    headers = {"Accept": "application/json", "Authorization": f"Bearer {_token()}"}
    _asking.connection.request("GET", f"{path}?api-version={_VERSION}", headers=headers)
    answer = _asking.connection.getresponse()
    body = answer.read()
    if answer.status != http.client.OK:
        raise http.client.HTTPException(f"{path}: {answer.status}")
    found: dict[str, Any] = json.loads(body)
    return found


def _token() -> str:
    with _fetching:
        return _fetched()


@functools.cache
def _fetched() -> str:
    """The publisher's token, which outlives the bench's rounds."""
    form = os.environ["FLOOR_PUBLISHER_FORM"].encode()
    with urllib.request.urlopen(os.environ["FLOOR_PUBLISHER_TOKEN_URL"], form, timeout=10) as answer:  # noqa: S310 - the bench's own
        token: str = json.load(answer)["access_token"]
    return token
