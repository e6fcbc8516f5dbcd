"""Privacy preferences: restriction, objection, withdrawal of consent, and the nominee. Each change is audited.

Restriction, objection and withdrawal of consent have the same effect: no new tracking, no display to others, and the
data stays. The person still counts in a month's bill, by the contract.
"""

from collections.abc import Mapping
from dataclasses import replace

from privacy.rights import store as rights_store
from privacy.rights.store import Nominee, Rights
from privacy.rules import Right
from shared import audit
from shared.audit import Action
from shared.http.idempotency import redact
from shared.restore.model import PrivacyChangeKind
from shared.restore.store import add_change
from shared.tenancy.model import User
from shared.work import Actor, Work
from timers.entries import stop_if_running


def change(work: Work, user: User, wanted: Mapping[Right, bool]) -> Rights:
    """Exercises or lifts a user's rights. A running timer is stopped, and its time is kept."""
    tx, tenant_id, now = work.tx, work.tenant.id, work.now
    before = rights_store.read(tx, tenant_id, user.id)
    for right, is_wanted in wanted.items():
        if is_wanted == (before.since(right) is not None):
            continue
        rights_store.set_right(tx, tenant_id, user.id, right, now if is_wanted else None)
        kind = PrivacyChangeKind(right.value)
        add_change(tx, tenant_id, kind, user.public_id, public_id=work.new_id(), in_force=is_wanted, at=now)
        after = {"right": right.value, "status": "inForce" if is_wanted else "lifted"}
        audit.record(work, Action.RIGHT_CHANGED, subject=user.id, after=after)
        if is_wanted:
            stop_if_running(replace(work, actor=Actor.user(user.id)), user.id, end_inferred=True)
            redact(tx, tenant_id, user.public_id, but_of=user.id)
    return rights_store.read(tx, tenant_id, user.id)


def set_nominee(work: Work, user: User, name: str, contact: str) -> None:
    """Sets a user's nominee, in place of a former one."""
    rights_store.set_nominee(work.tx, work.tenant.id, user.id, Nominee(name, contact, work.now))
    audit.record(work, Action.NOMINEE_NAMED, subject=user.id)


def remove_nominee(work: Work, user: User) -> None:
    """Removes a user's nominee, if there is one."""
    if rights_store.remove_nominee(work.tx, work.tenant.id, user.id):
        audit.record(work, Action.NOMINEE_REMOVED, subject=user.id)


def read_nominee(work: Work, user_id: int) -> Nominee | None:
    """A user's nominee, for an operator after an identity check. Reading it is audited."""
    audit.record(work, Action.NOMINEE_READ, subject=user_id)
    return rights_store.find_nominee(work.tx, work.tenant.id, user_id)
