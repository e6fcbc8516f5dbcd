"""The sign-in page: a heading and one button per person, in plain HTML that needs no script and no other file."""

from collections.abc import Iterable
from html import escape
from typing import Final

from werkzeug.wrappers import Response

from devcloud.emulators.entra.people import Person


_STYLE: Final = """
:root { color-scheme: light dark; --line: #8a8a8a; --soft: #f3f2f1; --text: #1b1a19; --quiet: #55534f; --go: #005a9e }
@media (prefers-color-scheme: dark) {
  :root { --line: #8a8886; --soft: #2b2a29; --text: #f3f2f1; --quiet: #c8c6c4; --go: #6cb8f6 }
}
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--text) }
main { max-width: 26rem; margin: 8vh auto; padding: 0 1.25rem }
h1 { font-size: 1.5rem; margin: 0 0 .25rem }
p { margin: 0 0 1.25rem; color: var(--quiet) }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem }
button { width: 100%; padding: .7rem 1rem; font: inherit; text-align: left; color: inherit; background: var(--soft);
  border: 1px solid var(--line); border-radius: 6px; cursor: pointer }
button:hover { border-color: var(--go) }
button:focus-visible { outline: 3px solid var(--go); outline-offset: 2px }
button span { display: block; font-size: .875rem; color: var(--quiet) }
"""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}


def sign_in_page(client: str, people: Iterable[Person], *, hinted: Person | None) -> Response:
    """The form posts back to its own address, so the request's parameters travel with it."""
    ordered = sorted(people, key=lambda person: person != hinted)
    buttons = "\n".join(f"<li>{_button(person, focused=person == hinted)}</li>" for person in ordered)
    return _page(
        "Sign in",
        f"<p>to continue to {escape(client)}. These people are made up; pick one.</p>\n"
        f'<form method="post"><ul aria-label="People">\n{buttons}\n</ul></form>',
    )


def error_page(told: str) -> Response:
    return _page("Sign-in is not possible", f'<p role="alert">{escape(told)}</p>', status=400)


def signed_out_page() -> Response:
    return _page("You are signed out", "<p>You can close this window.</p>")


def _button(person: Person, *, focused: bool) -> str:
    kind = f"guest in {person.directory.name}, from {person.home.name}" if person.is_guest else person.directory.name
    return (
        f'<button name="person" value="{escape(person.oid)}"{" autofocus" if focused else ""}>{escape(person.name)}'
        f"<span>{escape(person.email)} · {escape(kind)}</span></button>"
    )


def _page(title: str, content: str, *, status: int = 200) -> Response:
    html = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{content}\n</main>\n</body>\n</html>\n"
    )
    return Response(html, status, _HEADERS, content_type="text/html; charset=utf-8")
