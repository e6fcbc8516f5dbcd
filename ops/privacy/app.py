"""The app as commands have it that work on people's data: the operator's database, and the action log where it is."""

import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import typer
from rich.text import Text

from ops.app import app_on
from ops.database import Database, opened
from ops.exits import Unusable
from ops.output import aside
from ops.personal import given
from privacy import person_store
from privacy.person_store import Person
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from shared.app import App


_NEEDED: Final = ("ENTRA_AUTHORITY", "ACTION_LOG_TABLE_ENDPOINT")


@contextmanager
def opened_app(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[App, Database]]:
    """The app and the database.

    Raises:
        Unusable: the database cannot be used.
        Refused: a rule of the product says no.
    """
    with opened(environment, *_NEEDED) as database, app_on(database) as app:
        yield app, database


def find_person(app: App, tenant_id: int, name: str) -> Person:
    """The person that the operator names by id or e-mail address, `-` for one on standard input.

    Raises:
        Unusable: there is nobody of that name, or there are several.
    """
    name = given(name)
    with app.transaction(reads_only=True) as tx:
        try:
            one = person_store.find(tx, tenant_id, uuid.UUID(name))
            found = [] if one is None else [one]
        except ValueError:
            found = person_store.find_by_address(tx, tenant_id, name.strip())
    if not found:
        raise Unusable("nobody in this tenant has that id or address; see: python -m ops users list TENANT")
    if len(found) > 1:
        raise Unusable(
            f"{len(found)} accounts have that address: {', '.join(map(_told_apart, found))}; nothing was changed; "
            "name one by its id"
        )
    return found[0]


def _told_apart(person: Person) -> str:
    kind = "an invitation" if person.object_id is None else "signed in"
    return f"{person.public_id} ({kind}, {'open' if person.is_active else 'closed'})"


def find_request(app: App, name: str) -> tuple[str, Request] | None:
    """A tenant's slug and the request with this id; None when it is no request's."""
    with app.transaction(reads_only=True) as tx:
        every = requests_store.everywhere(tx, closed_too=True)
    return next(((slug, request) for slug, request in every if str(request.public_id) == name.lower()), None)


def require_yes(question: str, *, yes: bool) -> None:
    """Goes on when the operator says so.

    Raises:
        Refused: the operator says no.
        Unusable: there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Unusable("there is no terminal to ask on; nothing was changed; give --yes to go on without asking")
    aside().print(Text(f"{question} [y/N] "), end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise typer.Abort
