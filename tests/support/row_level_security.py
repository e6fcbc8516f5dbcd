"""Row-level security and a role for the app in the tests' PostgreSQL databases."""

import sqlalchemy as sa

from devcloud import postgres
from ops import grant_access
from ops.row_level_security import statements as rls_statements


def enable(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in [
            *rls_statements.create("postgresql"),
            *rls_statements.set_state("postgresql", is_enabled=True),
        ]:
            connection.exec_driver_sql(statement)
    engine.dispose()


def app_role(url: str) -> str:
    """The URL of a migrated database with the app's role and grants."""
    name = "timetracker_app"
    role_url = postgres.make_role(url, name)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in grant_access.postgresql(connection, name):
            connection.exec_driver_sql(statement)
    engine.dispose()
    return role_url
