"""Closes PostgreSQL connections within a transaction, as a failover does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event


on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True, scope="module")


@contextmanager
def drop_connections(
    app_engine: sa.Engine | type[sa.Engine], engine: sa.Engine, beginning: str, *, times: int = 1
) -> Iterator[list[str]]:
    """Closes the app's connection just before the next `times` statements with this beginning; yields their list."""
    statements: list[str] = []

    def cut(connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(beginning) or len(statements) == times or connection.engine is engine:
            return
        statements.append(statement)
        driver: Any = connection.connection.driver_connection
        with engine.connect() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": driver.info.backend_pid})

    event.listen(app_engine, "before_cursor_execute", cut)
    try:
        yield statements
    finally:
        event.remove(app_engine, "before_cursor_execute", cut)
