"""What people ask for through the product: their own erasure, or as a super admin a member's or the organisation's."""

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from privacy import person_store
from privacy.person_store import Person
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.service import NewId
from privacy.requests.store import Request
from privacy.rules import Channel, Scope
from shared.errors import FieldError, Forbidden, InvalidRequest, NotFound
from shared.tenancy.model import Caller
from shared.work import Actor


@dataclass(frozen=True, slots=True)
class Asked:
    """What to erase. `confirm` says it again: the person's e-mail address, or the organisation's slug."""

    scope: Scope
    user: uuid.UUID | None
    confirm: str


def ask(
    tx: sa.Connection, caller: Caller, subject: Asked, *, sees_everyone: bool, now: dt.datetime, new_id: NewId
) -> tuple[Request, bool]:
    """The open request, and whether it is new: a token has shown who asks, so it is verified at once.

    Raises:
        NotFound: there is no such person for the caller.
        Forbidden: the whole organisation takes a super admin.
        InvalidRequest: `confirm` is not what it should be.
        Conflict: it is the last super admin.
    """
    by = caller.user.id
    if subject.scope is Scope.TENANT:
        if not sees_everyone:
            raise Forbidden(
                "Only a super admin can have the whole organisation erased. Ask one of yours.", code="role_required"
            )
        _require_confirmed(subject, caller.tenant.slug, "the slug of your organisation")
        channel = Channel.SUPER_ADMIN
        request, is_new = requests_service.of_tenant(
            tx, caller.tenant.id, channel=channel, by=by, now=now, new_id=new_id
        )
    else:
        person = whose(tx, caller, subject.user, sees_everyone=sees_everyone)
        _require_confirmed(subject, person.email, "the e-mail address of the person")
        channel = Channel.SELF if person.id == by else Channel.SUPER_ADMIN
        request, is_new = requests_service.of_person(tx, person, channel=channel, by=by, now=now, new_id=new_id)
    if is_new:
        request = requests_service.verify(tx, request, actor=Actor.user(by), now=now, new_id=new_id)
    return request, is_new


def mine(tx: sa.Connection, caller: Caller, *, sees_everyone: bool, most: int) -> list[Request]:
    """The newest requests about the caller; for a super admin, of the whole organisation."""
    user_id = None if sees_everyone else caller.user.id
    return requests_store.newest(tx, caller.tenant.id, user_id=user_id, most=most)


def withdraw(
    tx: sa.Connection,
    caller: Caller,
    public_id: uuid.UUID | None,
    *,
    sees_everyone: bool,
    now: dt.datetime,
    new_id: NewId,
) -> Request:
    """Takes a request back. A person's own is theirs alone to take back, and nobody takes back somebody else's.

    Raises:
        NotFound: there is none that the caller may see.
        Forbidden: somebody else has made it.
        Conflict: it is done or taken back already.
    """
    found = None if public_id is None else requests_store.find(tx, caller.tenant.id, public_id, hold=True)
    own = found is not None and found.subject_user_id == caller.user.id
    if found is None or not (own or sees_everyone):
        raise NotFound("There is no such request.")
    by_super_admin = found.channel is Channel.SUPER_ADMIN and sees_everyone
    if found.requested_by != caller.user.id and not by_super_admin:
        raise Forbidden("Only whoever made this request can take it back.", code="not_yours")
    actor = Actor.user(caller.user.id)
    return requests_service.withdraw(tx, found, actor=actor, now=now, new_id=new_id)


def whose(tx: sa.Connection, caller: Caller, wanted: uuid.UUID | None, *, sees_everyone: bool) -> Person:
    """The person who is meant: the caller, unless a super admin names a member.

    Raises:
        NotFound: there is no such person for the caller.
    """
    if wanted is None or wanted == caller.user.public_id:
        return person_store.by_row(tx, caller.tenant.id, caller.user.id)
    person = person_store.find(tx, caller.tenant.id, wanted) if sees_everyone else None
    if person is None or person.erased_at is not None:
        raise NotFound("There is no such person in your organisation.")
    return person


def _require_confirmed(subject: Asked, expected: str, what: str) -> None:
    if subject.confirm.strip().casefold() != expected.casefold():
        raise InvalidRequest(
            "Erasing cannot be undone. Repeat in confirm what is to be erased.",
            code="not_confirmed",
            errors=[FieldError("/confirm", f"must be {what}")],
        )
