"""The page of the shop: buy, change, suspend, reinstate, renew, cancel, in plain HTML that needs no script."""

from html import escape
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.people import PEOPLE, VENDOR
from devcloud.emulators.marketplace.admin import Admin
from devcloud.emulators.marketplace.catalogue import PLANS, plans_of
from devcloud.emulators.marketplace.model import Subscription
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.refusal import Refused


_ORDERS: Final = {"buy", "link", "change", "suspend", "reinstate", "renew", "unsubscribe"}
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8a8a8a }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1.25rem }
section { border-top: 1px solid var(--line); padding: 1rem 0 }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 0 }
form { display: inline-flex; flex-wrap: wrap; gap: .5rem; margin: .25rem 1rem .25rem 0; align-items: end }
label { display: grid; font-size: .875rem }
button, select, input { font: inherit; padding: .35rem .6rem }
:focus-visible { outline: 3px solid #2b88d8; outline-offset: 2px }
"""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send forms with the origin "null"
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """What the page's buttons order goes through the same door as the orders of programs."""

    def __init__(self, url: str, admin: Admin, operations: Operations) -> None:
        self._admin, self._operations = admin, operations
        self._origins = {url, f"http://localhost:{urlsplit(url).port}"}

    def answer(self, request: Request, order: str | None) -> Response:
        if order is None:
            return self._shop()
        if request.headers.get("Origin", "") not in self._origins:
            return self._shop("This was not sent by this page.", 403)
        if order not in _ORDERS:
            return self._shop("There is no such button.", 404)
        given: dict[str, Any] = {name: value for name, value in request.form.items() if value}
        if (seats := str(given.get("quantity", ""))).isdecimal():
            given["quantity"] = int(seats)
        try:
            done = self._admin.carry_out(f"POST {order}", given)
        except Refused as error:
            return self._shop(error.message, error.status)
        except ValidationError:
            return self._shop("The form cannot be read.", 400)
        return redirect(done.get("landingUrl", "/"), 303)

    def _shop(self, alert: str = "", status: int = 200) -> Response:
        with self._operations.looking() as state:
            sold = "\n".join(self._section(each) for each in reversed(state.subscriptions.values()))
        told = f'<p role="alert">{escape(alert)}</p>' if alert else ""
        html = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Marketplace</title>\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Marketplace</h1>\n{told}\n{_buying()}\n{sold}\n"
            "</main>\n</body>\n</html>\n"
        )
        return Response(html, status, _HEADERS, content_type="text/html; charset=utf-8")

    def _section(self, sold: Subscription) -> str:
        hidden = f'<input type="hidden" name="subscription" value="{escape(sold.id)}">'
        seats = "" if sold.quantity is None else f", {sold.quantity} seats"
        buttons = [
            _form("link", "Manage account", hidden),
            *(_form(verb, verb.capitalize(), hidden) for verb in _verbs(sold)),
        ]
        if sold.status == "Subscribed":
            plans = [(plan.id, plan.name) for plan in plans_of(sold.offer_id) if plan.id != sold.plan_id]
            buttons.append(_form("change", "Change plan", hidden + _select("plan", "Plan", plans)))
            if sold.quantity is not None:
                buttons.append(_form("change", "Change seats", hidden + _number()))
        pending = len(self._operations.outstanding(sold.id))
        waiting = f" · {pending} change waits for the publisher" if pending else ""
        return (
            f"<section><h2>{escape(sold.name)}</h2>"
            f"<p>{escape(sold.status)} · {escape(sold.plan_id)}{seats} · {escape(sold.beneficiary.email)}{waiting}</p>"
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
    fields = _select("person", "Who buys", people) + _select("plan", "Plan", plans) + terms + _number()
    return f"<section><h2>Buy TimeTracker</h2>{_form('buy', 'Buy and set up', fields)}</section>"


def _form(order: str, button: str, fields: str) -> str:
    return f'<form method="post" action="/order/{order}">{fields}<button>{escape(button)}</button></form>'


def _select(name: str, label: str, options: list[tuple[str, str]]) -> str:
    listed = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options)
    return f'<label>{label}<select name="{name}">{listed}</select></label>'


def _number() -> str:
    return '<label>Seats, if by seats<input name="quantity" type="number" min="1" max="1000"></label>'
