"""Erases one person: text in short transactions, then, in one, who they were.

Interrupted anywhere, the next run goes on: what is done is found done. Until the last transaction the account is only
closed; from it on nothing leads to the person any more.
"""

from functools import partial
from typing import Final

import sqlalchemy as sa

from privacy import person_store
from privacy.erasure import service as erasure_service
from privacy.erasure.mention_rules import Mentions
from privacy.person_store import Person
from shared.app import App
from shared.jobs import transact
from shared.tenancy.store import lock_tenant
from tenants.actions import log as action_log
from tenants.invitations import merged_into


_PAGE: Final = 200  # characters of a page in the action log


def erase(app: App, tenant_id: int, user_id: int) -> bool:
    """Erases somebody whose account is closed, and what was merged into it; False when they were erased before."""
    for merged in transact(app, tenant_id, lambda tx: merged_into(tx, tenant_id, user_id), reads_only=True):
        erase(app, tenant_id, merged)
    unique = app.new_id()

    def look(tx: sa.Connection) -> tuple[Person, Mentions]:
        person = person_store.by_row(tx, tenant_id, user_id)
        return person, erasure_service.mentions_of(tx, person, unique)

    person, mentions = transact(app, tenant_id, look, reads_only=True)
    if person.erased_at is not None:
        return False
    for column in erasure_service.columns():
        _remove_text(app, person, column)
    _forget_actions(app, person, mentions)

    def last(tx: sa.Connection) -> bool:
        """With the tenant held: no month is closed meanwhile, and of two processes the second finds it done."""
        lock_tenant(tx, tenant_id)
        current = person_store.by_row(tx, tenant_id, user_id, hold=True)
        mentions = erasure_service.mentions_of(tx, current, unique)
        return erasure_service.erase_person(tx, current, mentions, now=app.now(), new_id=app.new_id)

    return transact(app, tenant_id, last)


def _remove_text(app: App, person: Person, column: str) -> None:
    """Removes the person's own text from a column, a batch in each transaction, so that none is long."""
    after: int | None = 0
    while after is not None:
        remove = partial(erasure_service.remove_some_words, person=person, column=column, after=after)
        after = transact(app, person.tenant_id, remove)


def _forget_actions(app: App, person: Person, mentions: Mentions) -> None:
    """Blanks the pages of the person's actions, and takes what names them out of everybody's."""

    def page(user_id: int, page: str) -> str:
        return "" if user_id == person.id else mentions.without(page, _PAGE)

    action_log.of(app).rewrite(person.tenant_id, page)
