"""Erases one person: text in short transactions, then, in one, who they were.

Interrupted anywhere, the next run goes on: what is done is found done. Until the last transaction the account is only
closed; from it on nothing leads to the person any more.
"""

from functools import partial

import sqlalchemy as sa

from privacy import service_erasure, store_identity
from privacy.rules_words import Words
from privacy.store_identity import Person
from shared.app import App
from shared.jobs import transact
from shared.tenancy.store import hold_tenant
from shared.tenancy.store_invitations import merged_into


def erase(app: App, tenant_id: int, user_id: int) -> bool:
    """Erases somebody whose account is closed, and what was merged into it; False when they were erased before."""
    for merged in transact(app, tenant_id, lambda tx: merged_into(tx, tenant_id, user_id), reads_only=True):
        erase(app, tenant_id, merged)
    unique = app.new_id()

    def look(tx: sa.Connection) -> tuple[Person, Words]:
        person = store_identity.by_row(tx, tenant_id, user_id)
        return person, service_erasure.called(tx, person, unique)

    person, words = transact(app, tenant_id, look, reads_only=True)
    if person.erased_at is not None:
        return False
    for column in service_erasure.columns():
        while transact(app, tenant_id, partial(service_erasure.remove_some_words, person=person, column=column)):
            pass
    _forget_actions(app, person, words)

    def last(tx: sa.Connection) -> bool:
        """With the tenant held: no month is closed meanwhile, and of two processes the second finds it done."""
        hold_tenant(tx, tenant_id)
        current = store_identity.by_row(tx, tenant_id, user_id, hold=True)
        now_called = service_erasure.called(tx, current, unique)
        return service_erasure.erase_person(tx, current, now_called, now=app.now(), new_id=app.new_id)

    return transact(app, tenant_id, last)


def _forget_actions(app: App, person: Person, words: Words) -> None:
    """Blanks the pages of the person's actions, and takes their name out of everybody's."""

    def page(user_id: int, page: str) -> str:
        return "" if user_id == person.id else str(words.without(page))

    app.action_log.rewrite(person.tenant_id, page)
