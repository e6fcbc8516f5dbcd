"""The page at `/`, where Azure shows one as well: the functions of the app, for a person with a browser."""

from collections.abc import Iterable
from html import escape
from typing import Final

from devcloud.functions.worker import Function, HttpResponse
from devcloud.html_page import CONTENT_TYPE, HEADERS, html_page, html_table


_COLUMNS: Final = ("Function", "Methods", "Address")


def start_page(functions: Iterable[Function], prefix: str) -> HttpResponse:
    """The HTTP functions; those that a browser can open are links."""
    ordered = sorted((each for each in functions if each.is_http), key=lambda each: (each.route, each.name))
    rows = [
        (escape(each.name), escape(", ".join(sorted(each.methods or {"any"}))), _address(each, prefix))
        for each in ordered
    ]
    content = (
        "<p>These are the functions of the app. Most of them need an access token, and answer 401 without "
        f"one.</p>\n{html_table('Functions', _COLUMNS, rows)}"
    )
    body = html_page("Local Functions host", content).encode()
    return HttpResponse(200, [*HEADERS.items(), ("Content-Type", CONTENT_TYPE)], body)


def _address(function: Function, prefix: str) -> str:
    path = escape(f"/{prefix.strip('/')}/{function.route.strip('/')}".replace("//", "/"))
    is_link = "{" not in path and "GET" in (function.methods or {"GET"})
    return f'<a href="{path}">{path}</a>' if is_link else path
