"""What a person says about their data: stop its processing, go on, and who may act for them. All on the audit log.

Restriction, objection and the withdrawal of consent do the same here: nothing new is tracked, nobody else is shown
anything, and the data stays. The bill of a month counts the person as before: it is owed by contract.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from privacy.rights import store as rights_store
from privacy.rights.store import Nominee, Rights
from privacy.rules import Right
from shared import audit
from shared.audit import Action
from shared.http.idempotency import redact
from shared.restore.model import PrivacyChangeKind
from shared.restore.store import add_change
from shared.tenancy.model import Caller
from shared.work import OPERATOR, Actor, Work
from timers.entries import stop_if_running


NewId = Callable[[], uuid.UUID]


def change(
    tx: sa.Connection,
    caller: Caller,
    wanted: Mapping[Right, bool],
    *,
    now: dt.datetime,
    new_id: NewId,
    actor: Actor | None = None,
) -> Rights:
    """Brings rights into force or lifts them. A timer that runs is stopped, and its time kept.

    The person does it, unless an actor is named: an operator does it again after a restore.
    """
    tenant_id, user_id = caller.tenant.id, caller.user.id
    before = rights_store.read(tx, tenant_id, user_id)
    for right, is_wanted in wanted.items():
        if is_wanted == (before.since(right) is not None):
            continue
        rights_store.put(tx, tenant_id, user_id, right, now if is_wanted else None)
        kind, subject = PrivacyChangeKind(right.value), caller.user.public_id
        add_change(tx, tenant_id, kind, subject, public_id=new_id(), in_force=is_wanted, at=now)
        status = "inForce" if is_wanted else "lifted"
        said = {"right": right.value, "status": status}
        _record(tx, caller, Action.RIGHT_CHANGED, now=now, new_id=new_id, actor=actor, **said)
        if is_wanted:
            stop_if_running(Work(tx, caller.tenant, Actor.user(user_id), now, new_id), user_id, end_inferred=True)
            redact(tx, tenant_id, caller.user.public_id, but_of=user_id)
    return rights_store.read(tx, tenant_id, user_id)


def name_nominee(
    tx: sa.Connection, caller: Caller, name: str, contact: str, *, now: dt.datetime, new_id: NewId
) -> None:
    """Names who may exercise the caller's rights after them, in the place of whoever was named before."""
    rights_store.name(tx, caller.tenant.id, caller.user.id, Nominee(name, contact, now))
    _record(tx, caller, Action.NOMINEE_NAMED, now=now, new_id=new_id)


def remove_nominee(tx: sa.Connection, caller: Caller, *, now: dt.datetime, new_id: NewId) -> None:
    """Forgets the nominee; when there is none nothing happens."""
    if rights_store.remove(tx, caller.tenant.id, caller.user.id):
        _record(tx, caller, Action.NOMINEE_REMOVED, now=now, new_id=new_id)


def read_nominee(tx: sa.Connection, tenant_id: int, user_id: int, *, now: dt.datetime, new_id: NewId) -> Nominee | None:
    """For an operator who has checked who asks: whom a person named. That it was read goes on record."""
    audit.record_row(
        tx,
        tenant_id,
        Action.NOMINEE_READ,
        actor=OPERATOR,
        at=now,
        row_id=new_id(),
        subject_user_id=user_id,
    )
    return rights_store.nominee(tx, tenant_id, user_id)


def _record(
    tx: sa.Connection,
    caller: Caller,
    action: Action,
    *,
    now: dt.datetime,
    new_id: NewId,
    actor: Actor | None = None,
    **after: str,
) -> None:
    audit.record_row(
        tx,
        caller.tenant.id,
        action,
        actor=actor or Actor.user(caller.user.id),
        at=now,
        row_id=new_id(),
        subject_user_id=caller.user.id,
        after=after,
    )
