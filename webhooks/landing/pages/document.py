"""A page as an HTTP response: HTML without scripts or other files, with headers that browsers enforce this by."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.http.operation import HTML
from shared.http.problem import log_error
from shared.http.reply import Reply


@dataclass(frozen=True, slots=True)
class Contact:
    """The vendor's contact, with the address of its link where it has one."""

    text: str
    address: str


def page(
    status: int,
    template: str,
    values: Mapping[str, object],
    *,
    contact: str,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A page by its template. `contact` is the vendor's, from the settings."""
    from webhooks.landing.pages import rendering  # noqa: PLC0415 - a cold start does without Jinja

    html = rendering.render(template, {**values, "contact": _contact(contact)})
    # Chromium also applies form-action to the redirects after a form; ours stay on this origin.
    policy = (
        f"default-src 'none'; style-src '{rendering.STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )
    strict = {
        "Content-Security-Policy": policy,
        "Content-Type": HTML,  # the platform adds the charset
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }
    return Reply(status, html.encode(), {**strict, **(headers or {})})


def error_page(
    error: Exception,
    *,
    operation: str,
    request_id: str,
    caller: Mapping[str, str] = MappingProxyType({}),
    contact: str = "",
    links: Iterable[tuple[str, str]] = (),
) -> Reply:
    """The page in the place of a problem document. `links` are texts and addresses of possible next steps."""
    failure = log_error(error, operation=operation, request_id=request_id, caller=caller)
    values = {
        "title": failure.title,
        "detail": failure.detail,
        "errors": failure.errors,
        "links": list(links),
        "request_id": request_id,
    }
    return page(failure.status, "error", values, contact=contact, headers=failure.headers)


def _contact(text: str) -> Contact:
    if text.startswith("https://"):
        return Contact(text, text)
    is_email = re.fullmatch(r"[^\s@]+@[^\s@]+", text) is not None
    return Contact(text, f"mailto:{text}" if is_email else "")
