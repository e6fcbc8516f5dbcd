"""A temporary installation row of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from shared.app import App
from shared.clock import new_id
from shared.db.schema import installation, restore_changes


@contextmanager
def own(engine: sa.Engine) -> Iterator[None]:
    """A new installation row without a stored mark; the former row is restored at the end."""
    with engine.connect() as tx:
        [before] = tx.execute(sa.select(installation)).mappings()
    change(engine, public_id=new_id(), mark=100, epoch=3)
    with engine.begin() as tx:
        tx.execute(restore_changes.delete())
    try:
        yield
    finally:
        change(engine, **before)


def change(engine: sa.Engine, **values: Any) -> None:  # noqa: ANN401 - any column value
    with engine.begin() as tx:
        tx.execute(installation.update().values(**values))


def with_store(app: App, endpoint: str) -> App:
    """The app with a restore store, like another process."""
    return replace(app, settings=app.settings.model_copy(update={"action_log_table_endpoint": endpoint}))
