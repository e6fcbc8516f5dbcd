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
from privacy.requests.service import NewId
from privacy.requests.store import Request
from privacy.rules import OPEN, State
from shared.audit import Action
from shared.errors import Conflict, NotFound
from shared.tenancy.model import Caller
from shared.work import Actor


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
    request = _open(tx, caller, public_id)
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


def choose(
    tx: sa.Connection,
    caller: Caller,
    public_id: uuid.UUID | None,
    stays: Mapping[uuid.UUID, bool],
    *,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Has mentions stay at the erasure, or be replaced after all. The erasure does not wait for it.

    Raises:
        NotFound: there is no such request, or no such mention any more.
        Conflict: the request is done, or was taken back.
    """
    request = _open(tx, caller, public_id)
    places = {_id(request, place): place for place in _places(tx, request)}
    if not stays.keys() <= places.keys():
        raise NotFound("One of these mentions is not there any more. Read the list again.")
    assert request.subject_user_id is not None  # noqa: S101 - whoever has mentions is a person
    subject, by = request.subject_user_id, caller.user.id
    keep = [places[each] for each, stay in stays.items() if stay]
    mention_store.keep(tx, caller.tenant.id, subject, keep, by=by, now=now)
    mention_store.replace(tx, caller.tenant.id, subject, [places[each] for each, stay in stays.items() if not stay])
    action, changed = Action.ERASURE_MENTIONS_CHOSEN, len(stays)
    requests_service.record(tx, request, action, actor=Actor.user(by), now=now, new_id=new_id, changed=changed)


def _open(tx: sa.Connection, caller: Caller, public_id: uuid.UUID | None) -> Request:
    found = None if public_id is None else requests_store.find(tx, caller.tenant.id, public_id)
    if found is None:
        raise NotFound("There is no such request.")
    if found.state not in OPEN:
        how = "is carried out" if found.state is State.DONE else "was taken back"
        raise Conflict(f"This erasure {how}. There is nothing to choose any more.", code="request_state")
    return found


def _places(tx: sa.Connection, request: Request) -> Iterable[Place]:
    if request.subject_user_id is None:  # of a whole organization nothing is left that would name anybody
        return ()
    person = person_store.by_row(tx, request.tenant_id, request.subject_user_id)
    mentions = erasure_service.mentions_of(tx, person, request.public_id)
    return text_store.places(tx, request.tenant_id, person.id, mentions)


def _kept(tx: sa.Connection, request: Request) -> set[tuple[str, int]]:
    subject = request.subject_user_id
    return set() if subject is None else mention_store.kept(tx, request.tenant_id, subject)


def _id(request: Request, place: Place) -> uuid.UUID:
    """Of this request alone, and no row number."""
    return uuid.uuid5(request.public_id, f"{place.table}/{place.row}")
