"""The pages of sign-in: one button per person, and a start page that lists them, in plain HTML without scripts."""

from collections.abc import Iterable
from html import escape

from werkzeug.wrappers import Response

from devcloud.emulators.entra.people import PEOPLE, Person
from devcloud.html_page import CONTENT_TYPE, HEADERS, html_page, html_table


def start_page(url: str) -> Response:
    """The people that can sign in, and how to get a token for one of them."""
    rows = [
        (
            f"<code>{escape(person.short)}</code>",
            escape(person.name),
            escape(person.email),
            escape(person.directory.name) + (f", guest from {escape(person.home.name)}" if person.is_guest else ""),
        )
        for person in PEOPLE
    ]
    authority = f" --authority {escape(url)}"
    return _page(
        "Microsoft Entra emulator",
        "<p>The local replacement of Microsoft's sign-in. Its people are made up, and its tokens open nothing but the "
        "product on this machine.</p>\n"
        f"<p>An access token for a person: <code>.venv/bin/python -m devcloud token ada{authority}</code></p>\n"
        f'<p><a href="/common/v2.0/.well-known/openid-configuration">OpenID configuration</a></p>\n'
        f"<h2>People</h2>\n{html_table('People', ('Short name', 'Name', 'E-mail', 'Directory'), rows)}",
        is_narrow=False,
    )


def sign_in_page(client: str, people: Iterable[Person], *, preselected: Person | None) -> Response:
    """The form posts back to its own address, so the request's parameters travel with it."""
    ordered = sorted(people, key=lambda person: person != preselected)
    buttons = "\n".join(f"<li>{_button(person, focused=person == preselected)}</li>" for person in ordered)
    return _page(
        "Sign in",
        f'<p class="quiet">to continue to {escape(client)}. This is the Microsoft Entra emulator: these people are '
        "made up. Pick one.</p>\n"
        f'<form method="post"><ul class="choices" aria-label="People">\n{buttons}\n</ul></form>',
    )


def device_page(people: Iterable[Person]) -> Response:
    """A field for the code that a program shows, and a button for each person."""
    buttons = "\n".join(f"<li>{_button(person, focused=False)}</li>" for person in people)
    return _page(
        "Enter code",
        '<p class="quiet">Enter the code that your program shows. This is the Microsoft Entra emulator: these people '
        "are made up. Pick one.</p>\n"
        '<form method="post"><p><label for="code">Code</label> <input id="code" name="code" required autofocus '
        f'autocomplete="off"></p>\n<ul class="choices" aria-label="People">\n{buttons}\n</ul></form>',
    )


def signed_in_page(client: str) -> Response:
    return _page("You have signed in", f"<p>You can close this window and go back to {escape(client)}.</p>")


def error_page(reason: str) -> Response:
    return _page("Sign-in is not possible", f'<p role="alert">{escape(reason)}</p>', status=400)


def signed_out_page() -> Response:
    return _page("You are signed out", "<p>You can close this window.</p>")


def _button(person: Person, *, focused: bool) -> str:
    kind = f"guest in {person.directory.name}, from {person.home.name}" if person.is_guest else person.directory.name
    return (
        f'<button name="person" value="{escape(person.oid)}"{" autofocus" if focused else ""}>{escape(person.name)}'
        f"<span>{escape(person.email)} · {escape(kind)}</span></button>"
    )


def _page(title: str, content: str, *, status: int = 200, is_narrow: bool = True) -> Response:
    headers = {**HEADERS, "Referrer-Policy": "no-referrer"}
    return Response(html_page(title, content, is_narrow=is_narrow), status, headers, content_type=CONTENT_TYPE)
