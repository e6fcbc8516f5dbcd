"""Lists the mentions that an erasure would replace, and stores a super admin's exceptions."""

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from privacy import person_store
from privacy.catalog.columns import CATALOG
from privacy.erasure import mention_store, text_store
from privacy.erasure import service as erasure_service
from privacy.erasure.text_store import MentionRow
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import OPEN, State
from shared.audit import Action
from shared.errors import Conflict, NotFound
from shared.tenancy.model import Caller
from shared.work import Work


MAX_LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class ListedMention:
    """A row of another person that mentions the subject; `at` and `user_id` are None if hidden from the viewer."""

    id: uuid.UUID
    section: str  # of an export
    at: dt.datetime | None
    user_id: uuid.UUID | None
    stays: bool


def list_mentions(tx: sa.Connection, caller: Caller, public_id: uuid.UUID | None) -> tuple[list[ListedMention], bool]:
    """The first mentions that an open erasure would replace, without their text, and whether these are all.

    Raises:
        NotFound: there is no such request.
        Conflict: it is done or withdrawn.
    """
    request = _require_open(tx, caller.tenant.id, public_id)
    rows = list(itertools.islice(_find_rows(tx, request), MAX_LISTED + 1))
    kept = _list_kept(tx, request)
    people = person_store.list_visible_ids(tx, caller.tenant.id, caller.user.id, {row.user_id for row in rows})
    mentions = []
    for row in rows[:MAX_LISTED]:
        is_visible = row.user_id is None or row.user_id in people
        user_id = None if row.user_id is None else people.get(row.user_id)
        section, at = CATALOG[row.table].section or row.table, row.at if is_visible else None
        stays = (row.table, row.row) in kept
        mentions.append(ListedMention(_mention_id(request, row), section, at, user_id, stays))
    return mentions, len(rows) <= MAX_LISTED


def choose(work: Work, public_id: uuid.UUID | None, stays: Mapping[uuid.UUID, bool]) -> None:
    """Excludes mentions from the erasure, or includes them again. The erasure does not wait for it.

    Raises:
        NotFound: there is no such request, or no such mention.
        Conflict: the request is done or withdrawn.
    """
    tx, tenant_id = work.tx, work.tenant.id
    request = _require_open(tx, tenant_id, public_id)
    rows = {_mention_id(request, row): row for row in _find_rows(tx, request)}
    if not stays.keys() <= rows.keys():
        raise NotFound("One of these mentions no longer exists. Reload the list.")
    assert request.subject_user_id is not None  # noqa: S101 - only people have mentions
    subject, by = request.subject_user_id, work.actor.user_id
    assert by is not None  # noqa: S101 - only the API offers it
    keep = [rows[each] for each, stay in stays.items() if stay]
    mention_store.keep(tx, tenant_id, subject, keep, by=by, now=work.now)
    mention_store.stop_keeping(tx, tenant_id, subject, [rows[each] for each, stay in stays.items() if not stay])
    requests_service.record(work, request, Action.ERASURE_MENTIONS_CHOSEN, changed=len(stays))


def _require_open(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID | None) -> Request:
    found = None if public_id is None else requests_store.find(tx, tenant_id, public_id)
    if found is None:
        raise NotFound("There is no such request.")
    if found.state not in OPEN:
        state = "done" if found.state is State.DONE else "withdrawn"
        raise Conflict(f"This erasure is {state}, so its mentions can no longer be chosen.", code="request_state")
    return found


def _find_rows(tx: sa.Connection, request: Request) -> Iterable[MentionRow]:
    if request.subject_user_id is None:  # an erased organization has no text
        return ()
    person = person_store.read(tx, request.tenant_id, request.subject_user_id)
    redaction = erasure_service.build_redaction(tx, person, request.public_id)
    return text_store.find_mentions(tx, request.tenant_id, person.id, redaction)


def _list_kept(tx: sa.Connection, request: Request) -> set[tuple[str, int]]:
    subject = request.subject_user_id
    return set() if subject is None else mention_store.list_kept(tx, request.tenant_id, subject)


def _mention_id(request: Request, row: MentionRow) -> uuid.UUID:
    """An id that is valid for this request only, and does not show the row number."""
    return uuid.uuid5(request.public_id, f"{row.table}/{row.row}")
