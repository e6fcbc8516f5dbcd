"""The append-only records: the callers that may change them, their rules, and their triggers after migrations."""

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from privacy.catalog.columns import CATALOG
from privacy.catalog.kinds import DataKind, RowAction
from shared.db.records import RULES
from shared.db.records_triggers import find_unprotected_tables
from shared.db.schema import metadata
from tests.contract.test_layers import MODULES, ROOT, imports_of, module_name, read
from tests.support.migrations import alembic


SINCE = "a4d7c0e9b316"
MAY_OPEN = {
    "privacy.retention.service",
    "privacy.erasure.service",
    "privacy.erasure.tenant_service",
}  # retention, erasure, of a tenant
MIGRATIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))


def revisions() -> list[str]:
    """From the one with the triggers on, the oldest first."""
    script = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    newest_first = [each.revision for each in script.walk_revisions()]
    return newest_first[newest_first.index(SINCE) :: -1]


def unprotected_tables(url: str) -> list[str]:
    """The tables without their triggers."""
    engine = sa.create_engine(url)
    with engine.connect() as tx:
        found = find_unprotected_tables(tx)
    engine.dispose()
    return found


def test_the_guard_is_opened_by_erasure_and_retention_alone():
    opening = {module_name(path) for path in MODULES if "shared.db.records.open_records" in imports_of(path)}
    reached = {module_name(path) for path in MODULES if "shared.db.records" in imports_of(path)}

    assert len(MODULES) > 400
    assert opening == MAY_OPEN
    # the others that import from its module
    assert reached - MAY_OPEN == {
        "shared.db.records_triggers",
        "shared.db.azure_sql",
        "migrations.env",
        "ops.grant_access",
    }


@pytest.mark.parametrize("table", sorted(RULES))
def test_the_erasable_columns_of_records_are_those_with_names(table):
    facts, rule = CATALOG[table], RULES[table]
    text = {name for name, kind in facts.columns.items() if kind.is_text or kind is DataKind.IDENTITY}

    assert set(rule.erasable) == text
    assert rule.deletable is (facts.tenant_erased is RowAction.DELETE)
    assert facts.person_erased is RowAction.KEEP
    assert rule.key == tuple(metadata.tables[table].primary_key.columns.keys())


def test_no_statement_replaces_a_row():
    """It removes a row on record without a DELETE: SQLite asks the triggers only by a setting of each connection."""
    said = {path: " ".join(read(path).texts).upper() for path in (*MODULES, *MIGRATIONS)}
    replacing = [str(path) for path, text in said.items() if "OR REPLACE" in text or "REPLACE INTO" in text]

    assert any("CREATE TABLE IF NOT EXISTS" in text for text in said.values())
    assert replacing == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_migration_leaves_the_triggers(make_database, kind):
    url = make_database(kind, "records")
    standing = {"head": unprotected_tables(url)}
    alembic(url, "downgrade", SINCE)
    standing[SINCE] = unprotected_tables(url)
    alembic(url, "downgrade", "-1")
    before = unprotected_tables(url)
    for revision in revisions():
        alembic(url, "upgrade", revision)
        standing[f"up to {revision}"] = unprotected_tables(url)

    assert len(standing) > 2
    assert set(map(tuple, standing.values())) == {()}
    assert before == sorted(RULES)  # earlier code opens no guard


def test_a_table_that_a_migration_makes_anew_gets_its_triggers_back(make_database):
    """Alembic's batch mode on SQLite drops the triggers without an error."""
    url = make_database("sqlite", "anew")
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE made_anew AS SELECT * FROM erasures")
        tx.exec_driver_sql("DROP TABLE erasures")
        tx.exec_driver_sql("ALTER TABLE made_anew RENAME TO erasures")
    engine.dispose()
    left = unprotected_tables(url)
    alembic(url, "upgrade", "head")

    assert (left, unprotected_tables(url)) == (["erasures"], [])
