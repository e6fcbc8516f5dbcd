"""The append-only records on Azure SQL: their triggers as T-SQL, and a guard that no connection carries on."""

import re

import pytest
import sqlglot

from shared.db.records import RULES, open_records
from shared.db.records_triggers import find_unprotected_tables, protect
from shared.db.schema import metadata
from tests.azure.test_statements import unreadable
from tests.support.sql_server import COMMIT, Error, Rows, default_script


OPEN, CLOSE = (f"EXEC sys.sp_set_session_context N'records', {value}" for value in (1, "NULL"))


@pytest.fixture
def server_triggers(azure):
    """The triggers that the server has: a list to be changed."""
    found: list[tuple[str, str, int, str]] = []

    def script(statement):
        if "sys.triggers" in statement.sql:
            return Rows(("table", "name", "is_enabled", "definition"), found) if found else Rows(("table",), [])
        if table := re.fullmatch(r"SELECT \* FROM (\w+) WHERE 1 = 0", statement.sql):
            return Rows(tuple(metadata.tables[table[1]].columns.keys()), [])
        return default_script(statement)

    azure.script = script
    return found


def created_triggers(azure):
    return [text for text in azure.texts if text.startswith("CREATE TRIGGER")]


def test_each_table_gets_a_trigger_of_t_sql(azure, azure_engine, server_triggers):
    with azure_engine.begin() as tx:
        protect(tx)
    tables = [
        table for text in created_triggers(azure) for table in re.findall(r" ON (\w+) AFTER UPDATE, DELETE", text)
    ]

    assert server_triggers == []
    assert tables == list(RULES)
    assert [found for text in created_triggers(azure) for found in unreadable(text)] == []


@pytest.mark.parametrize("table", RULES)
def test_the_condition_of_a_trigger_compares_every_fixed_column(azure, azure_engine, server_triggers, table):
    with azure_engine.begin() as tx:
        protect(tx)
    trigger = next(text for text in created_triggers(azure) if f" ON {table} " in text)
    (condition,) = re.findall(r"CASE WHEN (.*) THEN 1 ELSE 0 END = 0", trigger, re.DOTALL)
    tree = sqlglot.parse_one(f"SELECT CASE WHEN {condition} THEN 1 ELSE 0 END", dialect="tsql")
    compared = [set(re.findall(r"\bd\.(\w+)", part.split("EXCEPT")[0])) for part in condition.split("NOT EXISTS")[1:]]
    every, rule = set(metadata.tables[table].columns.keys()), RULES[table]
    ways = [
        set(),
        *([set(rule.erasable)] if rule.erasable else []),
        *([set(rule.voiding.columns)] if rule.voiding else []),
    ]

    assert server_triggers == []
    assert tree is not None
    assert compared == [every - way for way in ways]
    assert (f"i.{rule.key[0]} IS NULL AND COALESCE(CAST(SESSION_CONTEXT(" in condition) is rule.deletable


def test_existing_triggers_are_left_unchanged_and_disabled_ones_recreated(azure, azure_engine, server_triggers):
    with azure_engine.begin() as tx:
        protect(tx)
    names = [name for text in created_triggers(azure) for name in re.findall(r"^CREATE TRIGGER (\w+)", text)]
    server_triggers += [
        (table, name, 1, text) for table, name, text in zip(RULES, names, created_triggers(azure), strict=True)
    ]
    azure.statements.clear()
    with azure_engine.begin() as tx:
        protect(tx)
        left_alone = created_triggers(azure)
        table, name, _, text = server_triggers[0]
        server_triggers[0] = (table, name, 1, text.replace("THROW", "PRINT"))
        changed = find_unprotected_tables(tx)
        server_triggers[0] = (table, name, 0, text)
        missed = find_unprotected_tables(tx)
        protect(tx)

    assert left_alone == []
    assert changed == missed == ["audit_log"]
    assert [text for text in azure.texts if text.startswith("DROP TRIGGER")] == [f"DROP TRIGGER {names[0]}"]
    assert len(created_triggers(azure)) == 1


def test_the_guard_is_closed_in_the_transaction_that_opened_it(azure, azure_engine):
    with azure_engine.begin() as tx, open_records(tx):
        tx.exec_driver_sql("SELECT 1")
    said = [text for text in azure.texts if text in {OPEN, CLOSE, COMMIT}]

    assert said == [OPEN, CLOSE, COMMIT]


def test_a_connection_with_an_open_guard_is_not_reused(azure, azure_engine):
    azure.script = lambda statement: (
        Error(208) if statement.sql == CLOSE and azure.texts.count(CLOSE) == 1 else default_script(statement)
    )
    with pytest.raises(ZeroDivisionError), azure_engine.begin() as tx, open_records(tx):
        raise ZeroDivisionError

    assert azure.texts.count(CLOSE) == 2
