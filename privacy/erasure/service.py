"""The steps of an erasure. Each finds its work in the data, so that any of them may be interrupted and done again."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable

import sqlalchemy as sa

from privacy import person_store
from privacy.erasure import mention_store, text_store
from privacy.erasure.mention_rules import Mentions, Naming
from privacy.person_store import Person
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.requests.store import Request
from privacy.rules import Hold, State, pseudonym
from shared import audit
from shared.audit import Action
from shared.db.records import open_records
from shared.http.idempotency import redact_where
from shared.tenancy.store import lock_tenant
from shared.work import SERVICE, Work
from tenants import give_seat_back, set_active
from timers.entries import stop_if_running


NewId = Callable[[], uuid.UUID]


def begin(
    tx: sa.Connection, tenant_id: int, public_id: uuid.UUID, *, now: dt.datetime, new_id: NewId
) -> Request | None:
    """Holds a request whose time has come; None when there is nothing to do for it any more, or not yet.

    The tenant is held first, as whoever decides about its people does, and whoever closes its months.
    """
    lock_tenant(tx, tenant_id)
    request = requests_store.find(tx, tenant_id, public_id, hold=True)
    if request is None or requests_store.legal_hold(tx, tenant_id) is not None:
        return None
    if request.state is State.ON_HOLD and request.hold is not None and not request.hold.is_legal:
        request = requests_service.release(tx, request, actor=SERVICE, now=now, new_id=new_id)
    is_due = request.scheduled_for is not None and request.scheduled_for <= now
    return request if request.state is State.SCHEDULED and is_due else None


def close_account(tx: sa.Connection, request: Request, *, now: dt.datetime, new_id: NewId) -> bool:
    """Closes the person's account, so that they add nothing more; False, and on hold, for the last super admin."""
    assert request.subject_user_id is not None  # noqa: S101 - the flow asks it of persons only
    person = person_store.by_row(tx, request.tenant_id, request.subject_user_id, hold=True)
    if requests_service.is_last_super_admin(tx, person):
        reason = Hold.LAST_SUPER_ADMIN
        requests_service.hold(tx, request, reason, actor=SERVICE, now=now, new_id=new_id)
        return False
    close(tx, person, now=now, new_id=new_id)
    return True


def close(tx: sa.Connection, person: Person, *, now: dt.datetime, new_id: NewId) -> None:
    """As a deactivation: the timer stops at this instant and its time is kept, the seat is free."""
    tenant = lock_tenant(tx, person.tenant_id)
    stop_if_running(Work(tx, tenant, SERVICE, now, new_id), person.id, end_inferred=True)
    if set_active(tx, person.tenant_id, person.id, active=False, now=now):
        give_seat_back(tx, person.tenant_id, now=now)
        audit.record_row(
            tx,
            person.tenant_id,
            Action.USER_DEACTIVATED,
            actor=SERVICE,
            at=now,
            row_id=new_id(),
            subject_user_id=person.id,
            before={"isActive": True},
            after={"isActive": False},
        )


def mentions_of(tx: sa.Connection, person: Person, unique: uuid.UUID) -> Mentions:
    """By what the text of others may name the person, and the pseudonym that is to stand there."""
    if person.object_id is None:
        # Nobody claimed the account: no directory gave its address, which is what the inviter wrote.
        own = Naming((str(person.public_id),), (), None)
    else:
        own = Naming((str(person.public_id), str(person.object_id)), (person.email,), person.directory_name)
    colleagues = [
        Naming((), (each.email,), each.directory_name, each.display_name)
        for each in person_store.colleagues(tx, person)
    ]
    return Mentions.of(own, colleagues, pseudonym(unique))


def columns() -> Iterable[str]:
    """The names of the columns with text."""
    return text_store.COLUMNS


def remove_some_words(tx: sa.Connection, person: Person, column: str, *, after: int) -> int | None:
    """One batch of the person's own text, so that no transaction is long; the row after which to go on, or None."""
    with open_records(tx):
        return text_store.remove_own(tx, column, person.tenant_id, person.id, after=after)


def erase_person(tx: sa.Connection, person: Person, mentions: Mentions, *, now: dt.datetime, new_id: NewId) -> bool:
    """Puts the pseudonym in the place of the person, in every row and mention in the organization, and lists them.

    A second time changes nothing, and is False.
    """
    if person.erased_at is not None:
        return False
    tenant_id = person.tenant_id
    kept = mention_store.kept(tx, tenant_id, person.id)
    with open_records(tx):
        for column in columns():
            after: int | None = 0
            while after is not None:
                after = text_store.remove_own(tx, column, tenant_id, person.id, after=after)
            text_store.replace_mentions(tx, column, tenant_id, person.id, mentions, kept=kept)
        addresses, new_public = mentions.addresses, new_id()
        person_store.erase(tx, person, mentions.pseudonym, addresses=addresses, public_id=new_public, now=now)
    text_store.blank_copies(tx, tenant_id, mentions)
    redact_where(tx, tenant_id, mentions.patterns, mentions.name_in, but_of=person.id)
    requests_store.list_erased(tx, tenant_id, person.public_id, now=now)
    return True


def finish(tx: sa.Connection, request: Request, *, now: dt.datetime, new_id: NewId) -> bool:
    """The request is done, on record; False when another process has done it."""
    done = requests_store.move(tx, request, State.DONE, ended=now)
    if done:
        requests_service.record(tx, request, Action.ERASURE_DONE, actor=SERVICE, now=now, new_id=new_id)
    return done
