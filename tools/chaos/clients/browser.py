"""A buyer's browser on the landing page: it signs in, reads the form, and sends it with the buyer's choices."""

from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import requests

from tools.chaos.clients.person import ORGANIZATION


ACTIVE: Final = "Your subscription is active"
_CHOICES: Final = {"timeZone": "Europe/Berlin", "organization": ORGANIZATION}
_SECONDS: Final = 20


class _Form(HTMLParser):
    """The form of a confirmation, where a page has one: where it goes, and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given["action"].endswith("/activate"):
            self.action = given["action"]
        elif tag == "input" and "name" in given:
            self.fields[given["name"]] = given.get("value", "")


def confirm(landing_url: str, oid: str) -> bool:
    """Walks from the Marketplace's link to the page that says it is active; whether that page came.

    Raises:
        requests.RequestException: an answer was lost on the way.
    """
    with requests.Session() as browser:
        picking = browser.get(landing_url, timeout=_SECONDS)
        shown = browser.post(picking.url, data={"person": oid}, timeout=_SECONDS)
        if ACTIVE in shown.text:
            return True  # an earlier visit had come through
        form = _Form(shown.text)
        if not form.action:
            return False
        done = browser.post(urljoin(shown.url, form.action), data={**form.fields, **_CHOICES}, timeout=_SECONDS)
        return ACTIVE in done.text
