"""The app with the action log, for commands about people, and the people and requests that commands name."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from ops.app import open_app
from ops.arguments import read_person
from ops.database import Database, open_database
from ops.errors import ItemNotFound, WrongUsage
from privacy import person_store
from privacy.person_store import Person
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from shared.app import App


_NEEDED: Final = ("ENTRA_AUTHORITY", "ACTION_LOG_TABLE_ENDPOINT")


@contextmanager
def open_privacy_app(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[App, Database]]:
    """The app and the database.

    Raises:
        ServiceUnavailable: the database cannot be used.
        CommandRejected: a rule of the product rejected the command.
    """
    with open_database(environment, *_NEEDED) as database, open_app(database) as app:
        yield app, database


def find_person(app: App, tenant_id: int, name: str) -> Person:
    """The person by id or e-mail address; `-` reads it from standard input.

    Raises:
        ItemNotFound: nobody has it.
        WrongUsage: several accounts have the address.
    """
    name = read_person(name)
    with app.transaction(reads_only=True) as tx:
        try:
            person = person_store.find(tx, tenant_id, uuid.UUID(name))
            found = [] if person is None else [person]
        except ValueError:
            found = person_store.find_by_address(tx, tenant_id, name.strip())
    if not found:
        raise ItemNotFound("nobody in this tenant has that id or address; see: ops users list TENANT")
    if len(found) > 1:
        raise WrongUsage(
            f"{len(found)} accounts have that address: {', '.join(map(_describe, found))}; nothing was changed; "
            "use the id of one"
        )
    return found[0]


def _describe(person: Person) -> str:
    kind = "an invitation" if person.object_id is None else "signed in"
    return f"{person.public_id} ({kind}, {'active' if person.is_active else 'inactive'})"


def find_request(app: App, name: str) -> tuple[str, Request] | None:
    """The request with this id and the slug of its tenant; None if there is none."""
    with app.transaction(reads_only=True) as tx:
        requests = requests_store.list_all(tx, include_closed=True)
    return next(((slug, request) for slug, request in requests if str(request.public_id) == name.lower()), None)
