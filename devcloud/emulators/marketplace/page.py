"""The page of the Marketplace: buy, change, suspend, reinstate, renew, cancel, in plain HTML without scripts."""

from html import escape
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.people import PEOPLE, VENDOR
from devcloud.emulators.marketplace.admin import Admin
from devcloud.emulators.marketplace.catalog import PLANS, find_plan, plans_of
from devcloud.emulators.marketplace.errors import MarketplaceError
from devcloud.emulators.marketplace.model import Status, Subscription
from devcloud.emulators.marketplace.operations import Operations
from devcloud.html_page import CONTENT_TYPE, HEADERS, html_page


_COMMANDS: Final = {"buy", "link", "change", "suspend", "reinstate", "renew", "unsubscribe"}
_HEADERS: Final = {**HEADERS, "Referrer-Policy": "same-origin"}  # no-referrer would send forms with the origin "null"
_STATES: Final[dict[Status, str]] = {
    "PendingFulfillmentStart": "Bought, not yet activated",
    "Subscribed": "Active",
    "Suspended": "Suspended",
    "Unsubscribed": "Cancelled",
}


class Page:
    """The page's buttons use the same commands as programs."""

    def __init__(self, url: str, admin: Admin, operations: Operations) -> None:
        self._admin, self._operations = admin, operations
        self._origins = {url, f"http://localhost:{urlsplit(url).port}"}

    def handle(self, request: Request, command: str | None) -> Response:
        if command is None:
            return self._shop()
        if request.headers.get("Origin", "") not in self._origins:
            return self._shop("This was not sent by this page.", 403)
        if command not in _COMMANDS:
            return self._shop("There is no such button.", 404)
        given: dict[str, Any] = {name: value for name, value in request.form.items() if value}
        if (seats := str(given.get("quantity", ""))).isdecimal():
            given["quantity"] = int(seats)
        try:
            done = self._admin.execute(f"POST {command}", given)
        except MarketplaceError as error:
            return self._shop(error.message, error.status)
        except ValidationError:
            return self._shop("The form cannot be read.", 400)
        return redirect(done.get("landingUrl", "/"), 303)

    def _shop(self, alert: str = "", status: int = 200) -> Response:
        with self._operations.reading() as state:
            sold = "\n".join(self._section(each) for each in reversed(state.subscriptions.values()))
        notice = f'<p role="alert">{escape(alert)}</p>' if alert else ""
        content = (
            "<p>The local replacement of the Azure Marketplace. A purchase costs nothing, and opens the landing page."
            "</p>\n"
            f"{notice}\n{_buying()}\n{sold}"
        )
        return Response(html_page("Marketplace emulator", content), status, _HEADERS, content_type=CONTENT_TYPE)

    def _section(self, sold: Subscription) -> str:
        hidden = f'<input type="hidden" name="subscription" value="{escape(sold.id)}">'
        seats = "" if sold.quantity is None else f", {sold.quantity} {'seat' if sold.quantity == 1 else 'seats'}"
        is_over = sold.ends_on is None or sold.status == "Unsubscribed"
        term = "" if is_over else f" · until {sold.ends_on:%-d %B %Y}"
        buttons = [
            _form("link", "Manage account", hidden),
            *(_form(verb, verb.capitalize(), hidden) for verb in _verbs(sold)),
        ]
        if sold.status == "Subscribed":
            plans = [(plan.id, plan.name) for plan in plans_of(sold.offer_id) if plan.id != sold.plan_id]
            if plans:
                buttons.append(_form("change", "Change plan", hidden + _select("plan", "Plan", plans)))
            if sold.quantity is not None:
                buttons.append(_form("change", "Change seats", hidden + _number("Seats")))
        plan = find_plan(sold.plan_id).name
        pending = len(self._operations.outstanding(sold.id))
        waiting = " · a change waits for the publisher's answer" if pending else ""
        return (
            f"<section><h2>{escape(sold.name)}</h2>"
            f"<p>{_STATES[sold.status]}{term} · {escape(plan)}{seats} · {escape(sold.beneficiary.email)}{waiting}</p>"
            f"{''.join(buttons)}</section>"
        )


def _verbs(sold: Subscription) -> tuple[str, ...]:
    match sold.status:
        case "Subscribed":
            return ("suspend", "renew", "unsubscribe")
        case "Suspended":
            return ("reinstate", "unsubscribe")
        case "PendingFulfillmentStart":
            return ("unsubscribe",)
        case "Unsubscribed":
            return ()


def _buying() -> str:
    people = [
        (person.short, f"{person.name}, {person.email}, for {person.directory.name}")
        for person in PEOPLE
        if person.directory != VENDOR
    ]
    plans = [(plan.id, plan.name) for plan in PLANS]
    terms = _select("term", "Term", [("P1M", "1 month"), ("P1Y", "1 year")])
    seats = _number("Seats (plans per seat)")
    fields = _select("person", "Buyer", people) + _select("plan", "Plan", plans) + terms + seats
    return f"<section><h2>Buy TimeTracker</h2>{_form('buy', 'Buy and set up', fields)}</section>"


def _form(command: str, button: str, fields: str) -> str:
    return (
        f'<form class="row" method="post" action="/command/{command}">{fields}<button>{escape(button)}</button></form>'
    )


def _select(name: str, label: str, options: list[tuple[str, str]]) -> str:
    listed = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options)
    return f'<label>{label}<select name="{name}">{listed}</select></label>'


def _number(label: str) -> str:
    return f'<label>{label}<input name="quantity" type="number" min="1" max="1000"></label>'
