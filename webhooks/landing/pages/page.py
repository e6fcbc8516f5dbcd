"""A page for people: one document without scripts or anything of somebody else's, and the headers that keep it so."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from shared.errors import ApiError
from shared.http.operation import HTML
from shared.http.problem import log_error
from shared.http.reply import Reply
from webhooks.landing.pages.html import Content, Html, element, joined
from webhooks.landing.pages.style import STYLE


PRODUCT: Final = "TimeTracker for Azure DevOps"
# Where these are named, they are a link.
_PLACES: Final = {
    "Azure portal": "https://portal.azure.com/",
    "Microsoft 365 admin center": "https://admin.microsoft.com/",
}
_PLACE: Final = re.compile(f"({'|'.join(_PLACES)})")
_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# Chromium holds redirects after a form against form-action as well; ours stay on this origin.
_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Content-Type": HTML,  # the platform adds that it is UTF-8
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def page(
    status: int,
    title: str,
    *content: Content,
    headers: Mapping[str, str] | None = None,
    has_errors: bool = False,
) -> Reply:
    """A whole page; the title is its heading, too. `has_errors`: a form that was sent and cannot be taken."""
    body = element(
        "body",
        element("header", element("p", _MARK, PRODUCT, class_="product")),
        element("main", element("h1", title), *content),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("title", f"{'Error: ' if has_errors else ''}{title} · {PRODUCT}"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("meta", name="color-scheme", content="light dark"),
        element("style", Html(STYLE)),
    )
    document = joined(Html("<!doctype html>\n"), element("html", head, body, lang="en"), "\n")
    return Reply(status, document.encode(), {**_HEADERS, **(headers or {})})


def paragraphs(*texts: Content) -> Html:
    return joined(
        *(element("p", text if isinstance(text, Html) else linked(text)) for text in texts if text is not None)
    )


def linked(text: str) -> Html:
    """The text with links to the places of Microsoft's that it names."""
    return joined(*(_link(each) if each in _PLACES else each for each in _PLACE.split(text)))


def _link(place: str) -> Html:
    return element("a", place, href=_PLACES[place], rel="noreferrer")


def note(kind: str, *content: Content) -> Html:
    """A box that stands out: `good`, `warn` or `bad`, which its text must say as well."""
    return element("div", *content, class_=f"note {kind}", role="alert" if kind == "bad" else "status")


def button_link(text: str, address: str) -> Html:
    return element("p", element("a", text, href=address, class_="button"))


def help_from(contact: str) -> Html | None:
    """Whom to ask, by the vendor's setting; nothing where it is not set."""
    return element("p", "Help: ", _reached(contact), class_="fine") if contact else None


def refusal(
    error: Exception,
    *,
    operation: str,
    request_id: str,
    caller: Mapping[str, str] = MappingProxyType({}),
    contact: str = "",
    links: Iterable[tuple[str, str]] = (),
) -> Reply:
    """What went wrong and what to do, where a program would get a problem document.

    `caller` is as in `log_error`, `links` are texts and addresses of the next steps, `contact` is the vendor's.
    """
    failure = log_error(error, operation=operation, request_id=request_id, caller=caller)
    content = [
        note("bad", paragraphs(failure.detail)),
        _listed(failure),
        *(button_link(*each) for each in links),
        element("p", "If you ask for help, quote this number: ", element("code", request_id), class_="fine"),
        help_from(contact),
    ]
    return page(failure.status, failure.title, *content, headers=failure.headers)


def _reached(contact: str) -> Content:
    if contact.startswith("https://"):
        return element("a", contact, href=contact, rel="noreferrer")
    is_mail = re.fullmatch(r"[^\s@]+@[^\s@]+", contact) is not None
    return element("a", contact, href=f"mailto:{contact}") if is_mail else contact


def _listed(error: ApiError) -> Html | None:
    if not error.errors:
        return None
    return element("ul", *(element("li", f"{each.pointer}: {each.detail}") for each in error.errors))


_MARK: Final = element("span", class_="mark", aria_hidden="true")
