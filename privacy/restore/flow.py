"""Repeats erasures, restrictions and objections after a restore of the database."""

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
from shared.jobs import job_work, transact
from shared.restore.model import PrivacyChange, PrivacyChangeKind
from shared.work import OPERATOR, Work


class RepeatResult(StrEnum):
    """The result of repeating one erasure."""

    UNKNOWN = "unknown"  # the tenant is not in the database
    ALREADY_ERASED = "erased"
    DONE = "done"
    WAITING = "waits"  # for a reason that ends by itself, or for a legal hold
    REFUSED = "refused"  # the last super admin


_RIGHTS: Final = {PrivacyChangeKind(right.value): right for right in Right}


def repeat_erasures(app: App, subjects: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> Counter[RepeatResult]:
    """Erases the subjects that are in the database again, by the public ids of tenant and subject. Idempotent."""
    return Counter(_repeat_erasure(app, tenant, subject) for tenant, subject in subjects)


def apply_rights(app: App, changes: Iterable[PrivacyChange], *, since: Iterable[PrivacyChange] = ()) -> int:
    """Applies the last change of each right from the restore store; returns the number of changed rights.

    `since` are changes of this database that are not in the store yet. They were made after the restore, so they take
    precedence over older changes.
    """
    latest: dict[tuple[uuid.UUID, uuid.UUID, Right], PrivacyChange] = {}
    for each in sorted(changes, key=lambda change: (change.at, change.in_force)):
        if each.kind in _RIGHTS:
            latest[each.tenant, each.subject, _RIGHTS[each.kind]] = each
    for each in since:
        if each.kind not in _RIGHTS:
            continue
        key = each.tenant, each.subject, _RIGHTS[each.kind]
        if key in latest and each.at >= latest[key].at:
            del latest[key]
    return sum(_apply(app, each, right) for (_, _, right), each in latest.items())


def _repeat_erasure(app: App, tenant: uuid.UUID, subject: uuid.UUID) -> RepeatResult:
    tenant_id = transact(app, ALL_TENANTS, lambda tx: restore_store.find_tenant(tx, tenant), reads_only=True)
    if tenant_id is None:
        return RepeatResult.UNKNOWN
    try:
        person = None if subject == tenant else subject
        request = transact(app, tenant_id, lambda tx: _find_or_request(app, tx, tenant_id, person))
    except Conflict:
        return RepeatResult.REFUSED
    if request is None:
        return RepeatResult.ALREADY_ERASED
    is_done = erasure_flow.execute(app, tenant_id, request.public_id)
    return RepeatResult.DONE if is_done else RepeatResult.WAITING


def _find_or_request(app: App, tx: sa.Connection, tenant_id: int, subject: uuid.UUID | None) -> Request | None:
    """The verified request to erase a person, or without a subject the tenant; None if they are erased already.

    Raises:
        Conflict: the last super admin.
    """
    work = job_work(app, tx, tenant_id, actor=OPERATOR, locks_tenant=True)
    if subject is None:
        if requests_store.is_erased(tx, tenant_id):
            return None
        request, _ = requests_service.request_tenant_erasure(work, Channel.OPERATOR)
    else:
        person = person_store.find(tx, tenant_id, subject)
        if person is None or person.erased_at is not None:
            return None
        request, _ = requests_service.request_person_erasure(work, person, Channel.OPERATOR)
    if request.state is State.REQUESTED:  # also one of the backup, not verified
        return requests_service.verify(work, request)
    return request


def _apply(app: App, change: PrivacyChange, right: Right) -> bool:
    def apply(tx: sa.Connection) -> bool:
        caller = restore_store.lock_person(tx, change.tenant, change.subject)
        if caller is None:
            return False
        before = rights_store.read(tx, caller.tenant.id, caller.user.id)
        if (before.since(right) is not None) == change.in_force:
            return False
        work = Work(tx, caller.tenant, OPERATOR, app.now(), app.new_id)
        rights_service.change(work, caller.user, {right: change.in_force})
        return True

    return transact(app, ALL_TENANTS, apply)
