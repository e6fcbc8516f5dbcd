import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.db.schema import metadata
from tests.support.cases import check_all
from tests.support.migrations import alembic


ROOT = Path(__file__).resolve().parents[2]
# The rows of these are the tenants themselves, of somebody who may have none, or about all; every other table's belong
# to one.
WITHOUT_TENANT = {"tenants", "installation", "landing_visits"}
TABLES = list(metadata.sorted_tables)


def sql_server():
    dialect = mssql.dialect()
    dialect.server_version_info = (16, 0, 0, 0)  # type: ignore[assignment]
    dialect._setup_version_attributes()
    return dialect


def test_the_migrations_make_exactly_the_tables(database_url):
    alembic(database_url, "check")


@pytest.mark.skip_on(
    "mssql", reason="SQLAlchemy reads no CHECK there; tests/azure compares those of the printed script"
)
def test_the_checks_in_the_database_are_those_of_the_tables(engine):
    inspector = sa.inspect(engine)
    for table in TABLES:
        made = {check["name"] for check in inspector.get_check_constraints(table.name)}

        assert made == {c.name for c in table.constraints if isinstance(c, sa.CheckConstraint)}, table.name


def test_the_migrations_go_back_and_forth(another_database):
    url = another_database("there_and_back")
    for step in (("downgrade", "base"), ("upgrade", "head"), ("check",)):
        alembic(url, *step)


def test_a_migration_keeps_the_rows_that_are_there(tmp_path):
    url = f"sqlite:///{tmp_path}/with_rows.db"
    alembic(url, "upgrade", "872a54654399")
    with closing(sqlite3.connect(tmp_path / "with_rows.db")) as connection, connection:
        connection.execute(
            "INSERT INTO tenants (public_id, entra_tenant_id, slug, name, organization, plan_kind, status, time_zone,"
            " seats_used, version, created_at, updated_at)"
            " VALUES (?, ?, 'c', 'Contoso', 'contoso', 'trial', 'active', 'UTC', 0, 1, 'x', 'x')",
            (f"{1:032x}", f"{2:032x}"),
        )
        connection.execute("INSERT INTO projects (tenant_id, organization, name, name_key) VALUES (1, 'o', 'n', 'k')")
    alembic(url, "upgrade", "head")
    with closing(sqlite3.connect(tmp_path / "with_rows.db")) as connection, connection:
        kept = connection.execute(
            "SELECT t.name, p.name FROM tenants t JOIN projects p ON p.tenant_id = t.id"
        ).fetchall()

    assert kept == [("Contoso", "n")]


def test_the_migrations_print_sql_for_azure_sql():
    command = [sys.executable, "-m", "alembic", "upgrade", "head", "--sql"]
    environment = {**os.environ, "DATABASE_URL": "mssql+pyodbc://server/database"}
    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert printed.returncode == 0, printed.stderr
    assert "id BIGINT NOT NULL IDENTITY" in printed.stdout
    assert "DATETIMEOFFSET(3)" in printed.stdout
    assert "work_date DATE NOT NULL" in printed.stdout


def test_every_table_and_index_compiles_for_azure_sql():
    def holds(table: sa.Table) -> None:
        dialect = sql_server()

        statements = [str(CreateTable(table).compile(dialect=dialect))]
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes]

        assert all(statement.strip().startswith("CREATE ") for statement in statements)

    check_all(holds, TABLES, at_least=30)


def test_a_tenants_rows_cannot_point_into_another_tenant():
    def holds(key: sa.ForeignKeyConstraint) -> None:
        columns = [column.name for column in key.columns]
        targets = [element.column.name for element in key.elements]

        assert columns[0] == "tenant_id", key.name
        assert targets[0] in {"tenant_id", "id"}, key.name
        assert targets[0] == "tenant_id" or key.referred_table.name == "tenants"

    of_tenants = (table for table in TABLES if table.name not in WITHOUT_TENANT)
    check_all(holds, (key for table in of_tenants for key in table.foreign_key_constraints), at_least=35)


def test_no_guid_is_a_clustered_key():
    def holds(table: sa.Table) -> None:
        assert not any(isinstance(column.type, sa.Uuid) for column in table.primary_key.columns)

    check_all(holds, TABLES, at_least=30)


def test_text_has_a_length():
    def holds(table: sa.Table) -> None:
        unbounded = {"idempotency_keys.body"}
        loose = {
            f"{table.name}.{column.name}"
            for column in table.columns
            if isinstance(column.type, sa.String) and column.type.length is None
        }

        assert loose <= unbounded

    check_all(holds, TABLES, at_least=30)
