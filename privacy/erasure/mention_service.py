"""The mentions of a person that their erasure would replace, and which of them a super admin wants to stay."""

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from privacy import person_store
from privacy.catalogue.columns import CATALOGUE
from privacy.erasure import mention_store, text_store
from privacy.erasure import service as erasure_service
from privacy.erasure.text_store import Place
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import OPEN, State
from shared.audit import Action
from shared.errors import Conflict, NotFound
from shared.tenancy.model import Caller
from shared.work import Work


MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Mention:
    """A row in whose text others name the person; when it is of and whose it is, unless that is hidden."""

    id: uuid.UUID
    section: str  # of an export
    at: dt.datetime | None
    user_id: uuid.UUID | None
    stays: bool


def listed(tx: sa.Connection, caller: Caller, public_id: uuid.UUID | None) -> tuple[list[Mention], bool]:
    """The first mentions that an open erasure would replace, and whether these are all; never their text.

    Raises:
        NotFound: there is no such request.
        Conflict: it is done, or was taken back.
    """
    request = _open(tx, caller.tenant.id, public_id)
    places = list(itertools.islice(_places(tx, request), MOST + 1))
    kept = _kept(tx, request)
    people = person_store.shown(tx, caller.tenant.id, caller.user.id, {place.user_id for place in places})
    found = []
    for place in places[:MOST]:
        is_shown = place.user_id is None or place.user_id in people
        whose = None if place.user_id is None else people.get(place.user_id)
        section, at = CATALOGUE[place.table].section or place.table, place.at if is_shown else None
        stays = (place.table, place.row) in kept
        found.append(Mention(_id(request, place), section, at, whose, stays))
    return found, len(places) <= MOST


def choose(work: Work, public_id: uuid.UUID | None, stays: Mapping[uuid.UUID, bool]) -> None:
    """Excludes mentions from the erasure, or includes them again. The erasure does not wait for it.

    Raises:
        NotFound: there is no such request, or no such mention any more.
        Conflict: the request is done or withdrawn.
    """
    tx, tenant_id = work.tx, work.tenant.id
    request = _open(tx, tenant_id, public_id)
    places = {_id(request, place): place for place in _places(tx, request)}
    if not stays.keys() <= places.keys():
        raise NotFound("One of these mentions no longer exists. Reload the list.")
    assert request.subject_user_id is not None  # noqa: S101 - only people have mentions
    subject, by = request.subject_user_id, work.actor.user_id
    assert by is not None  # noqa: S101 - only the API offers it
    keep = [places[each] for each, stay in stays.items() if stay]
    mention_store.keep(tx, tenant_id, subject, keep, by=by, now=work.now)
    mention_store.replace(tx, tenant_id, subject, [places[each] for each, stay in stays.items() if not stay])
    requests_service.record(work, request, Action.ERASURE_MENTIONS_CHOSEN, changed=len(stays))


def _open(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID | None) -> Request:
    found = None if public_id is None else requests_store.find(tx, tenant_id, public_id)
    if found is None:
        raise NotFound("There is no such request.")
    if found.state not in OPEN:
        state = "done" if found.state is State.DONE else "withdrawn"
        raise Conflict(f"This erasure is {state}, so its mentions can no longer be chosen.", code="request_state")
    return found


def _places(tx: sa.Connection, request: Request) -> Iterable[Place]:
    if request.subject_user_id is None:  # no text of an erased organization is left
        return ()
    person = person_store.by_row(tx, request.tenant_id, request.subject_user_id)
    mentions = erasure_service.build_mentions(tx, person, request.public_id)
    return text_store.places(tx, request.tenant_id, person.id, mentions)


def _kept(tx: sa.Connection, request: Request) -> set[tuple[str, int]]:
    subject = request.subject_user_id
    return set() if subject is None else mention_store.kept(tx, request.tenant_id, subject)


def _id(request: Request, place: Place) -> uuid.UUID:
    """Of this request alone, and no row number."""
    return uuid.uuid5(request.public_id, f"{place.table}/{place.row}")
