"""The second wall between tenants, as the tests on PostgreSQL have it: up."""

import sqlalchemy as sa

from ops import wall_statements


def put_up(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in [*wall_statements.build("postgresql"), *wall_statements.put("postgresql", up=True)]:
            connection.exec_driver_sql(statement)
    engine.dispose()
