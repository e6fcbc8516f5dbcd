"""Buyers in new directories, and their browsers on the landing page."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests
import sqlalchemy as sa

from devcloud.emulators.entra import clients, people
from devcloud.emulators.entra.faults import Fault
from devcloud.emulators.entra.people import FABRIKAM, Directory
from devcloud.emulators.entra.people import Person as Account
from shared.app import App
from shared.db.row_level_security import ALL_TENANTS
from shared.settings import Settings
from tests.support.entra import Entra
from tests.support.marketplace import Marketplace
from tests.support.world import FakeClock, Http, Person, new_id


CHOICES = {"timeZone": "Europe/Berlin", "organization": "contoso"}
LANDING = "/api/marketplace/landing"
LANDING_CLIENT_ID = clients.LANDING.id
LANDING_CLIENT_SECRET = str(clients.LANDING.secret)


@dataclass
class Page(HTMLParser):
    """A page as in a browser: title, text, links, buttons, and the form of a confirmation."""

    status: int
    url: str
    html: str
    headers: Any
    title: str = ""
    action: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _link: str | None = None
    _select: str | None = None
    _form: tuple[str, dict[str, str]] | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self._texts))

    @property
    def heading(self) -> str:
        return self.title.partition(" · ")[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        self._open.append(tag)
        if tag == "form":
            self._form = (given["action"], {})
        if self._form is not None:
            self._field(tag, given, self._form[1])
        if tag == "a":
            self._link = given["href"]

    def _field(self, tag: str, given: dict[str, str], fields: dict[str, str]) -> None:
        if tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
            fields[given["name"]] = given.get("value", "")
        if tag == "select":
            self._select = given["name"]
            fields[given["name"]] = ""
        if tag == "option" and "selected" in given and self._select:
            fields[self._select] = given["value"]

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "button" and self._form is not None:
            self.buttons[data] = self._form
        if self._open and self._open[-1] == "title":
            self.title += data
        elif self._open and self._open[-1] not in {"style", "option"}:
            self._texts.append(data.strip())
        if self._link is not None:
            self.links[data] = self._link

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if tag == "a":
            self._link = None
        if tag == "form" and self._form is not None:
            if self._form[0].endswith("/activate"):
                self.action, self.fields = self._form
            self._form = None


@dataclass
class Browser:
    """Keeps cookies, follows links, sends forms, and picks an account at Entra."""

    base: str
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, url: str) -> Page:
        return _page(self.session.get(urljoin(self.base, url), timeout=30))

    def open_link(self, token: str) -> requests.Response:
        """Opens the Marketplace's link; returns Entra's page, with the whole request in its address."""
        return self.session.get(f"{self.base}{LANDING}", params={"token": token}, timeout=30)

    def pick(self, entra_page: requests.Response, account: Account) -> Page:
        return _page(self.session.post(entra_page.url, data={"person": account.oid}, timeout=30))

    def open(self, token: str, account: Account) -> Page:
        """The page of a purchase, after the sign-in."""
        return self.pick(self.open_link(token), account)

    def submit(self, page: Page, **changes: str) -> Page:
        """Sends the page's form with a buyer's choices."""
        fields = {**page.fields, **CHOICES, **changes}
        return _page(self.session.post(urljoin(page.url, page.action), data=fields, timeout=60))

    def press(self, page: Page, button: str) -> Page:
        """Sends the form of a button without fields."""
        action, fields = page.buttons[button]
        return _page(self.session.post(urljoin(page.url, action), data=fields, timeout=60))


def _page(answer: requests.Response) -> Page:
    return Page(answer.status_code, answer.url, answer.text, answer.headers)


@dataclass(frozen=True)
class Firm:
    """A directory with two members and a guest."""

    directory: Directory
    buyer: Account
    colleague: Account
    guest: Account

    @property
    def tid(self) -> str:
        return self.directory.tid

    @property
    def key(self) -> uuid.UUID:
        return uuid.UUID(self.tid)


def new_firm() -> Firm:
    tid = new_id()
    directory = Directory(tid, "Contoso", f"{tid[:8]}.example")
    accounts = (_account("ada", directory), _account("ben", directory), _account("gus", directory, FABRIKAM))
    return Firm(directory, *accounts)


def _account(short: str, directory: Directory, home: Directory | None = None) -> Account:
    oid, home = new_id(), home or directory
    return Account(f"{short}-{oid[:8]}", f"Person {oid[:4]}", f"{short}.{oid[:8]}@{home.domain}", oid, directory, home)


def register_in_entra(monkeypatch: Any, firm: Firm) -> Firm:  # noqa: ANN401 - pytest's own
    """Adds the firm's people to the emulators' list for the test."""
    monkeypatch.setattr(people, "PEOPLE", (*people.PEOPLE, firm.buyer, firm.colleague, firm.guest))
    monkeypatch.setitem(people.DIRECTORIES, firm.tid, firm.directory)
    return firm


def extension_user(http: Http, entra: Entra, clock: FakeClock, account: Account) -> Person:
    """The same person with the extension's token for the API."""
    who = {"tid": account.directory.tid, "oid": account.oid, "name": account.name, "email": account.email}
    return Person(http, **who, token=entra.token(**who, at=clock()))


def sign_up(person: Person) -> Person:
    """Starts the trial of their directory."""
    made = person.post(
        "tenants", {"name": "Contoso", "azureDevOpsOrganization": "contoso", "timeZone": CHOICES["timeZone"]}
    )
    assert made.status == 201, made.raw
    return person


def buy(marketplace: Marketplace, firm: Firm, **purchase: Any) -> tuple[str, str]:  # noqa: ANN401 - of a purchase
    """Buys for the firm; returns the subscription's id and a token for its landing page."""
    subscription = marketplace.buy(**{"person": firm.buyer.oid, **purchase})
    return subscription, marketplace.purchase_token(subscription)


def rows(app: App, table: sa.Table, **where: Any) -> list[Any]:  # noqa: ANN401 - values of columns
    """The rows with these values, by primary key."""
    with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        conditions = [table.c[name] == value for name, value in where.items()]
        return list(tx.execute(sa.select(table).where(*conditions).order_by(*table.primary_key.columns)))


@contextmanager
def token_response(entra: Entra, body: str) -> Iterator[None]:
    """Sets Entra's response to the next code."""
    entra.emulator.faults.set({"token": Fault(status=200, body=body, times=1)})
    yield
    entra.emulator.faults.clear()


def with_settings(app: App, settings: Settings) -> App:
    """The app with other settings."""
    return replace(app, settings=settings)
