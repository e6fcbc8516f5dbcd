"""Requests for erasure: made, verified, scheduled, held, released, withdrawn. Each step is on the audit log."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from privacy.person_store import Person
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import DUE, PAUSE, WHY, Channel, Hold, Scope, State
from shared import audit, notices
from shared.audit import Action
from shared.errors import Conflict
from shared.notices import NoticeKind
from shared.tenancy.model import Role
from shared.tenancy.store import lock_tenant
from shared.work import OPERATOR, SERVICE, Actor
from tenants import count_other_super_admins


NewId = Callable[[], uuid.UUID]


def of_person(
    tx: sa.Connection, person: Person, *, channel: Channel, by: int | None, now: dt.datetime, new_id: NewId
) -> tuple[Request, bool]:
    """The open request to erase a person, and whether it is new.

    Raises:
        Conflict: `last_super_admin`.
    """
    lock_tenant(tx, person.tenant_id)
    found = requests_store.find_open(tx, person.tenant_id, person.id)
    if found is not None:
        return found, False
    if is_last_super_admin(tx, person):
        raise Conflict(
            "This is the last super admin. Make somebody else a super admin first, or ask for the whole "
            "organisation to be erased.",
            code="last_super_admin",
        )
    return _made(tx, person.tenant_id, person.id, channel=channel, by=by, now=now, new_id=new_id), True


def of_tenant(
    tx: sa.Connection, tenant_id: int, *, channel: Channel, by: int | None, now: dt.datetime, new_id: NewId
) -> tuple[Request, bool]:
    """The open request to erase a whole organisation, and whether it is new."""
    lock_tenant(tx, tenant_id)
    found = requests_store.find_open(tx, tenant_id, None)
    if found is not None:
        return found, False
    return _made(tx, tenant_id, None, channel=channel, by=by, now=now, new_id=new_id), True


def verify(tx: sa.Connection, request: Request, *, actor: Actor, now: dt.datetime, new_id: NewId) -> Request:
    """Says that whoever asked is who they say: by their token, or as an operator has checked.

    Then it is scheduled, or waits for as long as the organisation is under a legal hold.

    Raises:
        Conflict: it is verified, done or withdrawn already.
    """
    _move(tx, request, State.VERIFIED, verified=now)
    record(tx, request, Action.ERASURE_VERIFIED, actor=actor, now=now, new_id=new_id)
    return _go_on(tx, again(tx, request), now=now, new_id=new_id)


def hold(
    tx: sa.Connection, request: Request, reason: Hold, *, actor: Actor, now: dt.datetime, new_id: NewId
) -> Request:
    """Has a request wait, for a reason that whoever asked is told.

    Raises:
        Conflict: it is done, withdrawn or on hold already; a legal hold takes the place of one that ends by itself.
    """
    if request.hold is not None and (request.hold.is_legal or not reason.is_legal):
        raise _not_now(request)
    return _wait(tx, request, reason, actor=actor, now=now, new_id=new_id)


def release(tx: sa.Connection, request: Request, *, actor: Actor, now: dt.datetime, new_id: NewId) -> Request:
    """Has a request that was held go on.

    Raises:
        Conflict: it is not on hold.
    """
    if request.state is not State.ON_HOLD:
        raise _not_now(request)
    record(tx, request, Action.ERASURE_RELEASED, actor=actor, now=now, new_id=new_id)
    if request.verified_at is None:
        _move(tx, request, State.REQUESTED)
        return again(tx, request)
    return _go_on(tx, request, now=now, new_id=new_id)


def hold_all(tx: sa.Connection, tenant_id: int, reason: Hold, *, now: dt.datetime, new_id: NewId) -> None:
    """Puts a whole organisation under a legal hold: nothing of it is erased or expires, and whoever waits is told."""
    lock_tenant(tx, tenant_id)
    requests_store.set_legal_hold(tx, tenant_id, reason=reason.value, at=now)
    after = {"reason": reason.value}
    audit.record_row(tx, tenant_id, Action.LEGAL_HOLD_SET, actor=OPERATOR, at=now, row_id=new_id(), after=after)
    for request in requests_store.scheduled(tx, tenant_id):
        hold(tx, request, Hold.ORGANISATION_HELD, actor=OPERATOR, now=now, new_id=new_id)


def release_all(tx: sa.Connection, tenant_id: int, *, now: dt.datetime, new_id: NewId) -> None:
    """Lifts the legal hold of an organisation, and of the requests that waited for it.

    Raises:
        Conflict: there is none.
    """
    lock_tenant(tx, tenant_id)
    if requests_store.legal_hold(tx, tenant_id) is None:
        raise Conflict("This organisation is not held.", code="request_state")
    requests_store.set_legal_hold(tx, tenant_id, reason=None, at=None)
    audit.record_row(tx, tenant_id, Action.LEGAL_HOLD_LIFTED, actor=OPERATOR, at=now, row_id=new_id())
    for request in requests_store.held_for(tx, tenant_id, Hold.ORGANISATION_HELD):
        release(tx, request, actor=OPERATOR, now=now, new_id=new_id)


def withdraw(tx: sa.Connection, request: Request, *, actor: Actor, now: dt.datetime, new_id: NewId) -> Request:
    """Takes a request back, while it is not done.

    Raises:
        Conflict: it is done, or was taken back before.
    """
    _move(tx, request, State.WITHDRAWN, ended=now)
    record(tx, request, Action.ERASURE_WITHDRAWN, actor=actor, now=now, new_id=new_id)
    return again(tx, request)


def is_last_super_admin(tx: sa.Connection, person: Person) -> bool:
    """Whether nobody would be left to run the organisation; its row must be held for it to stay so."""
    if person.role is not Role.SUPER_ADMIN or not person.is_active:
        return False
    return count_other_super_admins(tx, person.tenant_id, person.id) == 0


def record(
    tx: sa.Connection,
    request: Request,
    action: Action,
    *,
    actor: Actor,
    now: dt.datetime,
    new_id: NewId,
    **more: Any,  # noqa: ANN401 - fields of the audit log
) -> None:
    audit.record_row(
        tx,
        request.tenant_id,
        action,
        actor=actor,
        at=now,
        row_id=new_id(),
        subject_user_id=request.subject_user_id,
        after={"request": request.public_id, "scope": request.scope.value, **more},
    )


def again(tx: sa.Connection, request: Request) -> Request:
    found = requests_store.find(tx, request.tenant_id, request.public_id)
    assert found is not None, "requests are never removed while they are open"  # noqa: S101 - an invariant of ours
    return found


def _made(
    tx: sa.Connection,
    tenant_id: int,
    user_id: int | None,
    *,
    channel: Channel,
    by: int | None,
    now: dt.datetime,
    new_id: NewId,
) -> Request:
    public_id = new_id()
    requests_store.add(
        tx,
        {
            "tenant_id": tenant_id,
            "public_id": public_id,
            "kind": Scope.TENANT.value if user_id is None else Scope.PERSON.value,
            "subject_user_id": user_id,
            "channel": channel.value,
            "requested_by": by,
            "state": State.REQUESTED.value,
            "requested_at": now,
            "due_at": now + DUE,
        },
    )
    request = requests_store.find(tx, tenant_id, public_id)
    assert request is not None, "it was made in this transaction"  # noqa: S101 - an invariant of ours
    actor = OPERATOR if by is None else Actor.user(by)
    record(tx, request, Action.ERASURE_REQUESTED, actor=actor, now=now, new_id=new_id, channel=channel.value)
    return request


def _go_on(tx: sa.Connection, request: Request, *, now: dt.datetime, new_id: NewId) -> Request:
    """At once for an operator, who has spoken with them; else after a pause in which it can be taken back.

    While the organisation is under a legal hold it waits for that to end.
    """
    if requests_store.legal_hold(tx, request.tenant_id) is not None:
        return _wait(tx, request, Hold.ORGANISATION_HELD, actor=SERVICE, now=now, new_id=new_id)
    wait = dt.timedelta(0) if request.channel is Channel.OPERATOR else PAUSE
    since = request.verified_at or now
    due = max(now, since + wait)
    _move(tx, request, State.SCHEDULED, due=due)
    if request.scheduled_for is None:  # once: what waited for a hold is scheduled again
        details = {"scope": request.scope.value, "dueAt": due}
        about, by, kind = request.subject_user_id, request.requested_by, NoticeKind.ERASURE_SCHEDULED
        notices.record_row(tx, request.tenant_id, kind, now, row_id=new_id(), about=about, by=by, details=details)
    return again(tx, request)


def _wait(
    tx: sa.Connection, request: Request, reason: Hold, *, actor: Actor, now: dt.datetime, new_id: NewId
) -> Request:
    _move(tx, request, State.ON_HOLD, hold=reason)
    record(tx, request, Action.ERASURE_HELD, actor=actor, now=now, new_id=new_id, reason=reason.value)
    return again(tx, request)


def _move(
    tx: sa.Connection,
    request: Request,
    state: State,
    **values: Any,  # noqa: ANN401 - handed on
) -> None:
    if not requests_store.move(tx, request, state, **values):
        raise _not_now(request)


def _not_now(request: Request) -> Conflict:
    why = "" if request.hold is None else f" {WHY[request.hold]}"
    return Conflict(f"The request is {request.state} by now.{why} Look at it again.", code="request_state")
