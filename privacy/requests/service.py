"""The life of an erasure request: add, verify, schedule, hold, release, withdraw. Each step is audited."""

import datetime as dt
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from privacy.person_store import Person
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import DUE_AFTER, HOLD_TEXTS, WITHDRAWAL_PERIOD, Channel, Hold, Scope, State
from shared import audit, notices
from shared.audit import Action
from shared.errors import Conflict
from shared.notices import NoticeKind
from shared.tenancy.model import Role
from shared.tenancy.store import lock_tenant
from shared.work import SERVICE, Work
from tenants import count_other_super_admins


def request_person_erasure(work: Work, person: Person, channel: Channel) -> tuple[Request, bool]:
    """The open request to erase a person, and whether it is new.

    Raises:
        Conflict: `last_super_admin`.
    """
    lock_tenant(work.tx, work.tenant.id)
    found = requests_store.find_open(work.tx, work.tenant.id, person.id)
    if found is not None:
        return found, False
    if is_last_super_admin(work.tx, person):
        raise Conflict(
            "This is the last super admin. Make another person a super admin first, or request the erasure of the "
            "whole organization.",
            code="last_super_admin",
        )
    return _add(work, person.id, channel), True


def request_tenant_erasure(work: Work, channel: Channel) -> tuple[Request, bool]:
    """The open request to erase the whole organization, and whether it is new."""
    lock_tenant(work.tx, work.tenant.id)
    found = requests_store.find_open(work.tx, work.tenant.id, None)
    if found is not None:
        return found, False
    return _add(work, None, channel), True


def verify(work: Work, request: Request) -> Request:
    """Stores that the requester's identity is verified, by a token or by an operator, and schedules the erasure.

    Under a legal hold of the organization the request is on hold instead.

    Raises:
        Conflict: it is verified, done or withdrawn already.
    """
    _move(work.tx, request, State.VERIFIED, verified=work.now)
    record(work, request, Action.ERASURE_VERIFIED)
    return _schedule(work, reload(work.tx, request))


def hold(work: Work, request: Request, reason: Hold) -> Request:
    """Puts a request on hold; the requester sees the reason.

    Raises:
        Conflict: it is done, withdrawn or on hold already; a legal hold replaces one that ends by itself.
    """
    if request.hold is not None and (request.hold.is_legal or not reason.is_legal):
        raise _wrong_state(request)
    return _put_on_hold(work, request, reason)


def release(work: Work, request: Request) -> Request:
    """Ends the hold of a request, which continues.

    Raises:
        Conflict: it is not on hold.
    """
    if request.state is not State.ON_HOLD:
        raise _wrong_state(request)
    record(work, request, Action.ERASURE_RELEASED)
    if request.verified_at is None:
        _move(work.tx, request, State.REQUESTED)
        return reload(work.tx, request)
    return _schedule(work, request)


def set_legal_hold(work: Work, reason: Hold) -> None:
    """Puts the organization under a legal hold: no data is erased or expires, and scheduled requests are on hold."""
    tx, tenant_id = work.tx, work.tenant.id
    lock_tenant(tx, tenant_id)
    requests_store.set_legal_hold(tx, tenant_id, reason=reason.value, at=work.now)
    audit.record(work, Action.LEGAL_HOLD_SET, after={"reason": reason.value})
    for request in requests_store.list_scheduled(tx, tenant_id):
        hold(work, request, Hold.ORGANIZATION_HELD)


def lift_legal_hold(work: Work) -> None:
    """Lifts the legal hold of the organization, and of the requests that it holds.

    Raises:
        Conflict: there is none.
    """
    tx, tenant_id = work.tx, work.tenant.id
    lock_tenant(tx, tenant_id)
    if requests_store.read_legal_hold(tx, tenant_id) is None:
        raise Conflict("This organization is not under a legal hold.", code="request_state")
    requests_store.set_legal_hold(tx, tenant_id, reason=None, at=None)
    audit.record(work, Action.LEGAL_HOLD_LIFTED)
    for request in requests_store.list_held(tx, tenant_id, Hold.ORGANIZATION_HELD):
        release(work, request)


def withdraw(work: Work, request: Request) -> Request:
    """Withdraws a request that is not done.

    Raises:
        Conflict: it is done, or was withdrawn before.
    """
    _move(work.tx, request, State.WITHDRAWN, ended=work.now)
    record(work, request, Action.ERASURE_WITHDRAWN)
    return reload(work.tx, request)


def is_last_super_admin(tx: sa.Connection, person: Person) -> bool:
    """Whether the organization has no other super admin; stable only while the tenant is locked."""
    if person.role is not Role.SUPER_ADMIN or not person.is_active:
        return False
    return count_other_super_admins(tx, person.tenant_id, person.id) == 0


def record(
    work: Work,
    request: Request,
    action: Action,
    **details: Any,  # noqa: ANN401 - fields of the audit log
) -> None:
    after = {"request": request.public_id, "scope": request.scope.value, **details}
    audit.record(work, action, subject=request.subject_user_id, after=after)


def reload(tx: sa.Connection, request: Request) -> Request:
    found = requests_store.find(tx, request.tenant_id, request.public_id)
    assert found is not None, "open requests are never removed"  # noqa: S101 - an invariant of ours
    return found


def _add(work: Work, user_id: int | None, channel: Channel) -> Request:
    public_id = work.new_id()
    requests_store.add(
        work.tx,
        {
            "tenant_id": work.tenant.id,
            "public_id": public_id,
            "kind": Scope.TENANT.value if user_id is None else Scope.PERSON.value,
            "subject_user_id": user_id,
            "channel": channel.value,
            "requested_by": work.actor.user_id,
            "state": State.REQUESTED.value,
            "requested_at": work.now,
            "due_at": work.now + DUE_AFTER,
        },
    )
    request = requests_store.find(work.tx, work.tenant.id, public_id)
    assert request is not None, "it was added in this transaction"  # noqa: S101 - an invariant of ours
    record(work, request, Action.ERASURE_REQUESTED, channel=channel.value)
    return request


def _schedule(work: Work, request: Request) -> Request:
    """Schedules at once for an operator, after the identity check; else after the time for a withdrawal.

    Under a legal hold of the organization the request is on hold.
    """
    if requests_store.read_legal_hold(work.tx, request.tenant_id) is not None:
        return _put_on_hold(replace(work, actor=SERVICE), request, Hold.ORGANIZATION_HELD)
    pause = dt.timedelta(0) if request.channel is Channel.OPERATOR else WITHDRAWAL_PERIOD
    due = max(work.now, (request.verified_at or work.now) + pause)
    _move(work.tx, request, State.SCHEDULED, due=due)
    if request.scheduled_for is None:  # not again after a hold
        about, by = request.subject_user_id, request.requested_by
        details = {"scope": request.scope.value, "dueAt": due}
        notices.record(work, NoticeKind.ERASURE_SCHEDULED, about=about, by=by, details=details)
    return reload(work.tx, request)


def _put_on_hold(work: Work, request: Request, reason: Hold) -> Request:
    _move(work.tx, request, State.ON_HOLD, hold=reason)
    record(work, request, Action.ERASURE_HELD, reason=reason.value)
    return reload(work.tx, request)


def _move(
    tx: sa.Connection,
    request: Request,
    state: State,
    **values: Any,  # noqa: ANN401 - passed on
) -> None:
    if not requests_store.move(tx, request, state, **values):
        raise _wrong_state(request)


def _wrong_state(request: Request) -> Conflict:
    reason = "" if request.hold is None else f" {HOLD_TEXTS[request.hold]}"
    return Conflict(f"The request is {request.state} now.{reason} Reload it and try again.", code="request_state")
