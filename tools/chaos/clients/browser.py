"""A buyer's browser on the landing page: it signs in, reads the form, and sends it with the buyer's choices."""

from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import requests

from tools.chaos.clients.person import ORGANIZATION


ACTIVE: Final = "Your subscription is active"
_CHOICES: Final = {"timeZone": "Europe/Berlin", "organization": ORGANIZATION}
_TIMEOUT_SECONDS: Final = 20


class _ConfirmationForm(HTMLParser):
    """The confirmation form of a page, if any: its address and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form" and attributes["action"].endswith("/activate"):
            self.action = attributes["action"]
        elif tag == "input" and "name" in attributes:
            self.fields[attributes["name"]] = attributes.get("value", "")


def confirm_purchase(landing_url: str, oid: str) -> bool:
    """Opens the Marketplace's link, signs in and confirms; True if the page says that the subscription is active.

    Raises:
        requests.RequestException: a response was lost.
    """
    with requests.Session() as browser:
        picker = browser.get(landing_url, timeout=_TIMEOUT_SECONDS)
        page = browser.post(picker.url, data={"person": oid}, timeout=_TIMEOUT_SECONDS)
        if ACTIVE in page.text:
            return True  # an earlier visit has activated it
        form = _ConfirmationForm(page.text)
        if not form.action:
            return False
        confirmation = browser.post(
            urljoin(page.url, form.action), data={**form.fields, **_CHOICES}, timeout=_TIMEOUT_SECONDS
        )
        return ACTIVE in confirmation.text
