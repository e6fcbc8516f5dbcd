"""Erases one person: their text in short transactions, then their identity in one.

After an interruption the next run continues. Until the last transaction the account is only closed; after it no data
leads to the person.
"""

from functools import partial
from typing import Final

import sqlalchemy as sa

from privacy import person_store
from privacy.erasure import service as erasure_service
from privacy.erasure.mention_rules import Redaction
from privacy.person_store import Person
from shared.app import App
from shared.jobs import job_work, transact
from tenants.actions import log as action_log
from tenants.invitations import merged_into


_MAX_PAGE_LENGTH: Final = 200  # of a page in the action log


def erase(app: App, tenant_id: int, user_id: int) -> bool:
    """Erases a closed account and those merged into it; False if it was erased before."""
    for merged in transact(app, tenant_id, lambda tx: merged_into(tx, tenant_id, user_id), reads_only=True):
        erase(app, tenant_id, merged)
    unique = app.new_id()

    def read(tx: sa.Connection) -> tuple[Person, Redaction]:
        person = person_store.read(tx, tenant_id, user_id)
        return person, erasure_service.build_redaction(tx, person, unique)

    person, redaction = transact(app, tenant_id, read, reads_only=True)
    if person.erased_at is not None:
        return False
    for column in erasure_service.text_columns():
        _remove_text(app, person, column)
    _redact_actions(app, person, redaction)

    def erase_identity(tx: sa.Connection) -> bool:
        """With the tenant locked, so that no month is closed at the same time, and a second process finds it done."""
        work = job_work(app, tx, tenant_id, locks_tenant=True)
        current = person_store.read(tx, tenant_id, user_id, lock=True)
        return erasure_service.erase_person(work, current, erasure_service.build_redaction(tx, current, unique))

    return transact(app, tenant_id, erase_identity)


def _remove_text(app: App, person: Person, column: str) -> None:
    """Removes the person's own text from a column, in short transactions."""
    after: int | None = 0
    while after is not None:
        remove = partial(erasure_service.remove_own_text, person=person, column=column, after=after)
        after = transact(app, person.tenant_id, remove)


def _redact_actions(app: App, person: Person, redaction: Redaction) -> None:
    """Blanks the pages of the person's actions, and redacts mentions of the person in all others."""

    def page(user_id: int, page: str) -> str:
        return "" if user_id == person.id else redaction.redact(page, _MAX_PAGE_LENGTH)

    action_log.of(app).rewrite(person.tenant_id, page)
