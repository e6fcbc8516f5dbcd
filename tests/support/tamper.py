"""Changes to records that the database refuses, for tests of what finds broken records."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from shared.db.records import RULES
from shared.db.records_triggers import protect, unprotect


@contextmanager
def unprotected(tx: sa.Connection) -> Iterator[None]:
    """Without triggers on the records, until it ends or the transaction does; the tables' owner alone may do it."""
    for table in RULES:
        unprotect(tx, table)
    yield
    protect(tx)


@contextmanager
def tampering(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction without triggers on the records."""
    with engine.begin() as tx, unprotected(tx):
        yield tx
