"""The steps of an erasure. Each finds pending work in the data, so it can be interrupted and repeated."""

import uuid
from collections.abc import Iterable

import sqlalchemy as sa

from privacy import person_store
from privacy.erasure import mention_store, text_store
from privacy.erasure.mention_rules import Identifiers, Redaction
from privacy.person_store import Person
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import Hold, State, pseudonym
from shared import audit
from shared.audit import Action
from shared.db.records import open_records
from shared.http.idempotency import redact_where
from shared.work import Work
from tenants import give_seat_back, set_active
from timers.entries import stop_if_running


def begin(work: Work, public_id: uuid.UUID) -> Request | None:
    """Locks a request that is due; None if there is nothing to do, or not yet.

    The transaction has locked the tenant before, as each change of its people and each close of a month does.
    """
    tx, tenant_id = work.tx, work.tenant.id
    request = requests_store.find(tx, tenant_id, public_id, lock=True)
    if request is None or requests_store.read_legal_hold(tx, tenant_id) is not None:
        return None
    if request.state is State.ON_HOLD and request.hold is not None and not request.hold.is_legal:
        request = requests_service.release(work, request)
    is_due = request.scheduled_for is not None and request.scheduled_for <= work.now
    return request if request.state is State.SCHEDULED and is_due else None


def close_account_of(work: Work, request: Request) -> bool:
    """Closes the account of a request's person; False for the last super admin, with the request put on hold."""
    assert request.subject_user_id is not None  # noqa: S101 - only for requests about a person
    person = person_store.read(work.tx, request.tenant_id, request.subject_user_id, lock=True)
    if requests_service.is_last_super_admin(work.tx, person):
        requests_service.hold(work, request, Hold.LAST_SUPER_ADMIN)
        return False
    close_account(work, person)
    return True


def close_account(work: Work, person: Person) -> None:
    """Deactivates an account: its timer stops now with its time kept, and its seat becomes free."""
    stop_if_running(work, person.id, end_inferred=True)
    if set_active(work.tx, person.tenant_id, person.id, active=False, now=work.now):
        give_seat_back(work.tx, person.tenant_id, now=work.now)
        before, after = {"isActive": True}, {"isActive": False}
        audit.record(work, Action.USER_DEACTIVATED, subject=person.id, before=before, after=after)


def build_redaction(tx: sa.Connection, person: Person, unique: uuid.UUID) -> Redaction:
    """The identifiers that others' text may mention, and the pseudonym for them."""
    if person.object_id is None:
        # An unclaimed invitation: its address was written by the inviter and not given by a directory.
        own = Identifiers((str(person.public_id),), (), None)
    else:
        own = Identifiers((str(person.public_id), str(person.object_id)), (person.email,), person.directory_name)
    colleagues = [
        Identifiers((), (each.email,), each.directory_name, each.display_name)
        for each in person_store.list_colleagues(tx, person)
    ]
    return Redaction.of(own, colleagues, pseudonym(unique))


def text_columns() -> Iterable[str]:
    """The names of the columns with free text."""
    return text_store.TEXT_COLUMNS


def remove_own_text(tx: sa.Connection, person: Person, column: str, *, after: int) -> int | None:
    """Removes one batch of the person's own text; returns the last row, or None at the end."""
    with open_records(tx):
        return text_store.remove_own_text(tx, column, person.tenant_id, person.id, after=after)


def erase_person(work: Work, person: Person, redaction: Redaction) -> bool:
    """Replaces the person by the pseudonym in every row and mention of the organization, and lists the erasure.

    Returns False, without a change, if the person was erased before.
    """
    if person.erased_at is not None:
        return False
    tx, tenant_id, now = work.tx, person.tenant_id, work.now
    kept = mention_store.list_kept(tx, tenant_id, person.id)
    with open_records(tx):
        for column in text_columns():
            after: int | None = 0
            while after is not None:
                after = text_store.remove_own_text(tx, column, tenant_id, person.id, after=after)
            text_store.replace_mentions(tx, column, tenant_id, person.id, redaction, kept=kept)
        addresses, new_public = redaction.addresses, work.new_id()
        person_store.replace_identity(
            tx, person, redaction.pseudonym, addresses=addresses, public_id=new_public, now=now
        )
    text_store.blank_work_items(tx, tenant_id, redaction)
    redact_where(tx, tenant_id, redaction.patterns, redaction.matches, but_of=person.id)
    requests_store.add_erasure(tx, tenant_id, person.public_id, now=now)
    return True


def finish(work: Work, request: Request) -> bool:
    """Completes a request; False if another process has done so."""
    done = requests_store.move(work.tx, request, State.DONE, ended=work.now)
    if done:
        requests_service.record(work, request, Action.ERASURE_DONE)
    return done
