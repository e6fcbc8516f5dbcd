"""PostgreSQL as the app finds it in tests: behind row-level security, with the grants of `ops grant-access`."""

import sqlalchemy as sa

from devcloud import postgres
from ops import grant_access
from ops.row_level_security import statements as rls_statements


def put_up(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in [
            *rls_statements.create("postgresql"),
            *rls_statements.set_state("postgresql", is_enabled=True),
        ]:
            connection.exec_driver_sql(statement)
    engine.dispose()


def app_role(url: str) -> str:
    """The URL of a migrated database as the app enters it."""
    name = "timetracker_app"
    entered = postgres.make_role(url, name)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in grant_access.postgresql(connection, name):
            connection.exec_driver_sql(statement)
    engine.dispose()
    return entered
