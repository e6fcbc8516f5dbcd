"""The printed migrations against SQL Server's rules, which no parser knows and no other engine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
import sqlglot
from sqlglot import exp

from shared.db.schema import metadata
from tests.azure.test_statements import dialect, filtered_indexes, remove_qualifiers, unreadable
from tests.support.sql_server_rules import NOT_UNDERSTOOD, Schema, batches


ROOT = Path(__file__).resolve().parents[2]
MADE = """
CREATE TABLE tenants (id BIGINT NOT NULL IDENTITY, CONSTRAINT pk_tenants PRIMARY KEY (id))
GO
CREATE TABLE users (
    id BIGINT NOT NULL IDENTITY,
    tenant_id BIGINT NOT NULL,
    email NVARCHAR(100) NULL,
    name VARCHAR(50) NOT NULL,
    role VARCHAR(24) NOT NULL DEFAULT 'user',
    level INTEGER NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT uq_users_name UNIQUE (tenant_id, name),
    CONSTRAINT ck_users_role CHECK (role IN ('user', 'level')),
    CONSTRAINT fk_users_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id)
)
GO
CREATE UNIQUE INDEX ux_users_email ON users (tenant_id, email) WHERE email IS NOT NULL
GO
CREATE INDEX ix_users_level ON users (level)
"""
DROPS_A_DEFAULT = """declare @const_name varchar(256)
select @const_name = QUOTENAME([name]) from sys.default_constraints
where parent_object_id = object_id('users')
and col_name(parent_object_id, parent_column_id) = 'role'
exec('alter table users drop constraint ' + @const_name)"""


def print_migration(*words):
    command = [sys.executable, "-m", "alembic", *words, "--sql"]
    environment = {**os.environ, "DATABASE_URL": "mssql+pyodbc://server/timetracker"}
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return batches(made.stdout)


@pytest.fixture(scope="module")
def upgrade():
    return print_migration("upgrade", "head")


@pytest.fixture(scope="module")
def schema(upgrade):
    schema = Schema()
    assert [refused for batch in upgrade for refused in schema.run(batch)] == []
    return schema


def after(*statements):
    schema = Schema()
    assert [refused for batch in batches(MADE) for refused in schema.run(batch)] == []
    return [refused for each in statements for refused in schema.run(each)]


def test_the_migrations_are_t_sql(upgrade):
    made = [tree for batch in upgrade for tree in sqlglot.parse(batch, dialect="tsql")]

    assert len(upgrade) > 60
    assert not any(isinstance(tree, exp.Command) for tree in made)
    assert [found for batch in upgrade for found in unreadable(batch)] == []


def test_sql_server_takes_the_migrations_up_and_down(schema, upgrade):
    head = subprocess.run(
        [sys.executable, "-m", "alembic", "heads"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()[0]
    down = print_migration("downgrade", f"{head}:base")

    assert sum("ALTER COLUMN" in batch for batch in upgrade) > 2
    assert sum("DROP COLUMN" in batch for batch in down) > 20
    assert [refused for batch in down for refused in schema.run(batch)] == []
    assert schema.tables.keys() == {"alembic_version"}


def test_the_migrations_create_the_declared_tables_on_sql_server(upgrade):
    schema = Schema()
    for batch in upgrade:
        schema.run(batch)
    del schema.tables["alembic_version"]
    azure = dialect()
    predicates = {index.name: remove_qualifiers(text).replace("!=", "<>") for index, text in filtered_indexes()}

    assert schema.tables.keys() == metadata.tables.keys()
    for name, table in metadata.tables.items():
        made = schema.tables[name]
        assert {column: (found.type, found.is_null) for column, found in made.columns.items()} == {
            column.name: (column.type.compile(dialect=azure), column.nullable) for column in table.columns
        }
        assert {key: (found.is_unique, found.columns, found.where) for key, found in made.indexes.items()} == {
            index.name: (bool(index.unique), tuple(index.columns.keys()), predicates.get(index.name, ""))
            for index in table.indexes
        }
        assert {key: found.columns for key, found in made.keys.items() if found.kind != "CHECK"} == {
            each.name: tuple(each.columns.keys())
            for each in table.constraints
            if isinstance(each, (sa.PrimaryKeyConstraint, sa.UniqueConstraint, sa.ForeignKeyConstraint))
        }
        assert {key for key, found in made.keys.items() if found.kind == "CHECK"} == {
            each.name for each in table.constraints if isinstance(each, sa.CheckConstraint)
        }


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("ALTER TABLE users ALTER COLUMN email NVARCHAR(200) NULL", "5074: the WHERE of ux_users_email"),
        ("ALTER TABLE users ALTER COLUMN level BIGINT NOT NULL", "5074: ix_users_level has"),
        ("ALTER TABLE users ALTER COLUMN name VARCHAR(40) NOT NULL", "5074: uq_users_name has"),
        ("ALTER TABLE users ALTER COLUMN name VARCHAR(60) NULL", "5074: uq_users_name has"),
        ("ALTER TABLE tenants ALTER COLUMN id INTEGER NOT NULL", "5074: pk_tenants has"),
        ("ALTER TABLE users ALTER COLUMN role INTEGER NOT NULL", "5074: ck_users_role has"),
        ("ALTER TABLE users DROP COLUMN level", "5074: ix_users_level has"),
        ("ALTER TABLE users DROP COLUMN email", "5074: ux_users_email has"),
        ("ALTER TABLE users DROP COLUMN role", "5074: ck_users_role has"),
        ("ALTER TABLE users DROP COLUMN nothing", "there is no 'nothing'"),
        ("ALTER TABLE users ADD at DATE NOT NULL", "4901"),
        ("ALTER TABLE users ADD level INTEGER NULL", "2705"),
        ("ALTER TABLE users ADD DEFAULT 'x' FOR role", "1781"),
        ("ALTER TABLE users ADD CONSTRAINT uq_email UNIQUE (email)", "NULL is a value in uq_email"),
        ("ALTER TABLE users ADD CONSTRAINT uq_at UNIQUE (at)", "1911"),
        ("ALTER TABLE users ADD CONSTRAINT fk FOREIGN KEY(level) REFERENCES users (level)", "1776"),
        ("ALTER TABLE tenants DROP CONSTRAINT pk_tenants", "3725: fk_users_tenant_id"),
        ("DROP TABLE tenants", "3726: fk_users_tenant_id"),
        ("DROP INDEX ix_users_name ON users", "there is no 'ix_users_name'"),
        ("CREATE UNIQUE INDEX ux_e ON users (email)", "NULL is a value in ux_e"),
        ("CREATE INDEX ix_users_level ON users (name)", "1913"),
        ("CREATE INDEX ix_e ON users (nothing)", "1911"),
        ("CREATE INDEX ix_e ON users (name) WHERE level = 1 OR email IS NULL", "10735"),
        ("CREATE INDEX ix_e ON users (name) WHERE lower(name) = 'a'", "10735"),
        ("CREATE TABLE t (a NVARCHAR(max) NOT NULL, CONSTRAINT uq UNIQUE (a))", "1946"),
        ("CREATE TABLE t (a NVARCHAR(460) NOT NULL, CONSTRAINT pk PRIMARY KEY (a))", "1946"),
        ("EXEC sp_rename 'users.role', roles, 'COLUMN'", "15336: ck_users_role"),
        ("EXEC sp_rename 'users.email', mail, 'COLUMN'", "15336: the WHERE of ux_users_email"),
        ("ALTER TABLE users ADD a INTEGER NULL; UPDATE users SET a = 1", "207"),
        ("UPDATE nobody SET a = 1", "there is no 'nobody'"),
        ("MERGE INTO users USING tenants", NOT_UNDERSTOOD),
        (DROPS_A_DEFAULT.replace("role", "level"), "the column has no default"),
        (DROPS_A_DEFAULT.replace("default_", "check_"), NOT_UNDERSTOOD),
    ],
)
def test_a_change_that_sql_server_refuses_is_found_out(statement, refused):
    found = after(statement)

    assert [each[: len(refused)] for each in found[:1]] == [refused]


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE users ALTER COLUMN name VARCHAR(60) NOT NULL",),
        ("DROP INDEX ux_users_email ON users", "ALTER TABLE users ALTER COLUMN email NVARCHAR(200) NULL"),
        ("ALTER TABLE users ALTER COLUMN role VARCHAR(48) NOT NULL",),
        (
            "ALTER TABLE users DROP CONSTRAINT ck_users_role",
            DROPS_A_DEFAULT,
            "ALTER TABLE users ALTER COLUMN role INTEGER NOT NULL",
            "ALTER TABLE users ADD DEFAULT 7 FOR role",
            DROPS_A_DEFAULT,
            "ALTER TABLE users DROP COLUMN role",
        ),
        ("DROP TABLE users", "DROP TABLE tenants"),
        ("EXEC sp_rename 'users.level', [grade], 'COLUMN'", "CREATE INDEX ix_grade ON users (grade, name)"),
        ("INSERT INTO users (name) SELECT 'a;b'", "-- a word", "BEGIN TRANSACTION;", "COMMIT;"),
        ("CREATE INDEX ix_e ON users (name) WHERE role IN ('a OR b', 'c') AND level <> 3 AND email IS NOT NULL",),
    ],
)
def test_a_change_that_sql_server_takes_is_let_through(statements):
    assert after(*statements) == []


def test_a_column_with_a_default_is_dropped_after_it():
    assert after("ALTER TABLE users DROP CONSTRAINT ck_users_role", "ALTER TABLE users DROP COLUMN role") == [
        "5074: the column has a default: drop_column(..., mssql_drop_default=True): ALTER TABLE users DROP COLUMN role"
    ]
