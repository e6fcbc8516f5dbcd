"""Erasure requests made through the API: one's own erasure, or by a super admin a member's or the organization's."""

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from privacy import person_store
from privacy.person_store import Person
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import Channel, Scope
from shared.errors import FieldError, Forbidden, InvalidRequest, NotFound
from shared.tenancy import people
from shared.tenancy.model import Caller, User
from shared.work import Work


@dataclass(frozen=True, slots=True)
class ErasureSubject:
    """The subject of an erasure. `confirm` repeats it: the person's e-mail address, or the organization's slug."""

    scope: Scope
    user: uuid.UUID | None
    confirm: str


def submit(work: Work, user: User, wanted: ErasureSubject, *, sees_everyone: bool) -> tuple[Request, bool]:
    """The open request, and whether it is new. It is verified at once, by the caller's token.

    Raises:
        NotFound: there is no such person for the caller.
        Forbidden: only a super admin can request the organization's erasure.
        InvalidRequest: `confirm` does not repeat the subject.
        Conflict: it is the last super admin.
    """
    if wanted.scope is Scope.TENANT:
        if not sees_everyone:
            raise Forbidden(
                "Only a super admin can request the erasure of the whole organization. Ask a super admin.",
                code="role_required",
            )
        _require_confirmed(wanted, work.tenant.slug, "the slug of your organization")
        request, is_new = requests_service.request_tenant_erasure(work, Channel.SUPER_ADMIN)
    else:
        person = find_person(work.tx, Caller(work.tenant, user), wanted.user, sees_everyone=sees_everyone)
        _require_confirmed(wanted, person.email, "the e-mail address of the person")
        channel = Channel.SELF if person.id == user.id else Channel.SUPER_ADMIN
        request, is_new = requests_service.request_person_erasure(work, person, channel)
    if is_new:
        request = requests_service.verify(work, request)
    return request, is_new


def list_newest(tx: sa.Connection, caller: Caller, *, sees_everyone: bool, limit: int) -> list[Request]:
    """The newest requests about the caller; for a super admin, those of the whole organization."""
    user_id = None if sees_everyone else caller.user.id
    return requests_store.list_newest(tx, caller.tenant.id, user_id=user_id, limit=limit)


def withdraw(work: Work, user: User, public_id: uuid.UUID | None, *, sees_everyone: bool) -> Request:
    """Withdraws a request. Only the requester can do that; a super admin also those of other super admins.

    Raises:
        NotFound: the caller can see no such request.
        Forbidden: another person has made it.
        Conflict: it is done or withdrawn already.
    """
    tx, tenant_id = work.tx, work.tenant.id
    found = None if public_id is None else requests_store.find(tx, tenant_id, public_id, lock=True)
    own = found is not None and found.subject_user_id == user.id
    if found is None or not (own or sees_everyone):
        raise NotFound("There is no such request.")
    by_super_admin = found.channel is Channel.SUPER_ADMIN and sees_everyone
    if found.requested_by != user.id and not by_super_admin:
        raise Forbidden("Only the person who made this request can withdraw it.", code="not_yours")
    return requests_service.withdraw(work, found)


def find_person(tx: sa.Connection, caller: Caller, wanted: uuid.UUID | None, *, sees_everyone: bool) -> Person:
    """The caller, or the member that a super admin names.

    Unlike `people.resolve` also with restricted processing, since the rights over one's data stay.

    Raises:
        NotFound: there is no such person for the caller.
    """
    if wanted is None or wanted == caller.user.public_id:
        return person_store.read(tx, caller.tenant.id, caller.user.id)
    person = person_store.find(tx, caller.tenant.id, wanted) if sees_everyone else None
    if person is None or person.erased_at is not None:
        raise people.not_found()
    return person


def _require_confirmed(wanted: ErasureSubject, expected: str, name: str) -> None:
    if wanted.confirm.strip().casefold() != expected.casefold():
        raise InvalidRequest(
            f"An erasure cannot be undone. Confirm it with {name}.",
            code="not_confirmed",
            errors=[FieldError("/confirm", f"must be {name}")],
        )
