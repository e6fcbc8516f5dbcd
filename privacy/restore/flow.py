"""After a restore: erases again the people who are back, and puts restrictions and objections into force again."""

import uuid
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from privacy import person_store
from privacy.erasure import flow as erasure_flow
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.restore import store as restore_store
from privacy.rights import service as rights_service
from privacy.rights import store as rights_store
from privacy.rules import Channel, Right, State
from shared.app import App
from shared.db.row_level_security import ALL_TENANTS
from shared.errors import Conflict
from shared.jobs import transact
from shared.restore.model import PrivacyChange, PrivacyChangeKind
from shared.tenancy.store import lock_tenant
from shared.work import OPERATOR, Work


class Again(StrEnum):
    """What became of somebody on the list of who is erased."""

    UNKNOWN = "unknown"  # the database never had the tenant
    ERASED = "erased"  # as they were
    DONE = "done"  # they were back
    WAITS = "waits"  # on hold, for a reason that ends by itself or that an operator set
    REFUSED = "refused"  # the last super admin


_RIGHTS: Final = {PrivacyChangeKind(right.value): right for right in Right}


def erase_again(app: App, listed: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> Counter[Again]:
    """Erases, of tenants and subjects by their public ids, whoever is back; to do it again changes nothing."""
    return Counter(_erase_again(app, tenant, subject) for tenant, subject in listed)


def apply_rights(app: App, changes: Iterable[PrivacyChange], *, since: Iterable[PrivacyChange] = ()) -> int:
    """Puts people's rights as they said last, by the store outside; how many were changed.

    `since` are changes that this database has and the store was not told of: whoever said something after the restore
    means that.
    """
    latest: dict[tuple[uuid.UUID, uuid.UUID, Right], PrivacyChange] = {}
    for each in sorted(changes, key=lambda change: (change.at, change.in_force)):
        if each.kind in _RIGHTS:
            latest[each.tenant, each.subject, _RIGHTS[each.kind]] = each
    for each in since:
        found = latest.get((each.tenant, each.subject, right)) if (right := _RIGHTS.get(each.kind)) else None
        if right is not None and found is not None and each.at >= found.at:
            del latest[each.tenant, each.subject, right]
    return sum(_apply(app, each, right) for (_, _, right), each in latest.items())


def _erase_again(app: App, tenant: uuid.UUID, subject: uuid.UUID) -> Again:
    tenant_id = transact(app, ALL_TENANTS, lambda tx: restore_store.find_tenant(tx, tenant), reads_only=True)
    if tenant_id is None:
        return Again.UNKNOWN
    try:
        whole = subject == tenant
        request = transact(app, tenant_id, lambda tx: _find_or_request(app, tx, tenant_id, None if whole else subject))
    except Conflict:
        return Again.REFUSED
    if request is None:
        return Again.ERASED
    return Again.DONE if erasure_flow.carry_out(app, tenant_id, request.public_id) else Again.WAITS


def _find_or_request(app: App, tx: sa.Connection, tenant_id: int, subject: uuid.UUID | None) -> Request | None:
    """The verified request to erase a person, or without a subject the tenant; None for who is erased.

    Raises:
        Conflict: the last super admin.
    """
    work = Work(tx, lock_tenant(tx, tenant_id), OPERATOR, app.now(), app.new_id)
    if subject is None:
        if requests_store.is_erased(tx, tenant_id):
            return None
        request, _ = requests_service.request_tenant_erasure(work, Channel.OPERATOR)
    else:
        person = person_store.find(tx, tenant_id, subject)
        if person is None or person.erased_at is not None:
            return None
        request, _ = requests_service.request_person_erasure(work, person, Channel.OPERATOR)
    if request.state is State.REQUESTED:  # also one that the backup had, unverified
        return requests_service.verify(work, request)
    return request


def _apply(app: App, change: PrivacyChange, right: Right) -> bool:
    def apply(tx: sa.Connection) -> bool:
        caller = restore_store.hold_person(tx, change.tenant, change.subject)
        if caller is None:
            return False
        before = rights_store.read(tx, caller.tenant.id, caller.user.id)
        if (before.since(right) is not None) == change.in_force:
            return False
        work = Work(tx, caller.tenant, OPERATOR, app.now(), app.new_id)
        rights_service.change(work, caller.user, {right: change.in_force})
        return True

    return transact(app, ALL_TENANTS, apply)
