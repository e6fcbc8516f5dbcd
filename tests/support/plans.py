"""The plan of a statement, as text."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event


def plan_of(engine: sa.Engine, statement: sa.Select[Any], parameters: dict[str, Any]) -> str:
    """The plan on SQLite or PostgreSQL, which may not read a whole table nor sort, if there is another way."""
    prefix = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    with engine.connect() as tx:
        if engine.dialect.name == "postgresql":
            for way in ("seqscan", "sort", "bitmapscan", "incremental_sort"):
                tx.exec_driver_sql(f"SET LOCAL enable_{way} = off")

        @event.listens_for(tx, "before_cursor_execute", retval=True)
        def _explain(_tx: object, _cursor: object, text: str, given: object, *_: object) -> tuple[str, object]:
            return prefix + text, given

        cursor = tx.execute(statement, parameters).cursor
        assert cursor is not None
        return "\n".join(str(row[-1]) for row in cursor.fetchall())
