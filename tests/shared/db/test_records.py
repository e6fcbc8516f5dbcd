"""Append-only records stay: each statement on their tables, with the guard closed and open."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from privacy.requests import store as requests_store
from shared.db.engine import is_transient, is_unique_violation, lost_race, make_engine
from shared.db.records import RULES, open_records
from shared.db.records_triggers import MESSAGE, find_open_guard, find_unprotected_tables, protect, unprotect
from shared.db.schema import audit_log, billing_lines, billing_records, erasures, metadata, timer_log
from shared.db.types import UtcDateTime
from shared.errors import InternalError
from shared.http.problem import to_api_error
from tests.support.cases import check_all
from tests.support.connection_loss import on_postgresql
from tests.support.paying_tenants import PayingTenant, at
from tests.support.world import new_id


RECORDS = [metadata.tables[name] for name in RULES]
EVERY_COLUMN = [
    (table, column.name)
    for table in RECORDS
    for column in table.columns
    if column.name != "is_void"  # which is the whole of a line's voiding
]
LATER = at("2031-01-01")
FACTS = ("at", "closed_at", "last_activity_at", "erased_at", "received_at")


@dataclass(frozen=True)
class TenantRecords:
    """A tenant with a row in each append-only table: a bill with a line, entries, an erasure."""

    engine: sa.Engine
    tenant_id: int

    def one(self, tx: sa.Connection, table: sa.Table) -> tuple[sa.ColumnElement[bool], dict[str, Any]]:
        """The newest row of a table and the condition that finds it."""
        key = list(table.primary_key.columns)
        of_tenant = table.c.tenant_id == self.tenant_id
        newest = tx.execute(table.select().where(of_tenant).order_by(*(column.desc() for column in key)).limit(1))
        row = dict(newest.mappings().one())
        return sa.and_(of_tenant, *(column == row[column.name] for column in key)), row


@pytest.fixture(scope="module")
def records(engine) -> TenantRecords:
    payer = PayingTenant.create(engine)
    payer.subscribe(at("2026-01-01"))
    entry = payer.add_time(payer.people[0], at("2026-01-05T09:00"), at("2026-01-05T10:00"))
    payer.correct(entry, at("2026-01-05T09:00"), at("2026-01-05T11:00"), at("2026-01-05T12:00"))
    payer.close(at("2026-02-01"))
    with engine.begin() as tx:
        requests_store.add_erasure(tx, payer.tenant_id, uuid.UUID(new_id()), now=at("2026-02-02"))
    return TenantRecords(engine, payer.tenant_id)


@pytest.fixture
def tx(records) -> Iterator[sa.Connection]:
    """A transaction of the tables' owner, of which nothing is kept."""
    with records.engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def another(value: object, column: sa.Column[Any]) -> object:
    """Another value than the one that is there."""
    if value is None:
        absent = {str: "x", dict: {"more": 1}, uuid.UUID: uuid.UUID(int=7), Decimal: Decimal(7)}
        return LATER if isinstance(column.type, UtcDateTime) else absent.get(column.type.python_type, 7)
    changed: dict[type, Callable[[Any], object]] = {
        bool: lambda flag: not flag,
        dt.datetime: lambda instant: instant + dt.timedelta(hours=1),
        uuid.UUID: lambda guid: uuid.UUID(int=guid.int ^ 1),
        str: lambda text: text[:-1] + ("y" if text[-1:] == "x" else "x"),
        dict: lambda document: {**document, "more": 1},
    }
    return changed.get(type(value), lambda number: number + 1)(value)


def refusal(tx: sa.Connection, statement: sa.Executable) -> str:
    """How the database refuses a statement of which nothing is kept; empty where it is let through."""
    savepoint = tx.begin_nested()
    try:
        tx.execute(statement)
    except sa.exc.DBAPIError as error:
        return str(error.orig)
    finally:
        savepoint.rollback()
    return ""


def test_no_column_changes(tx, records):
    def holds(table: sa.Table, column: str) -> None:
        where, row = records.one(tx, table)
        change = table.update().where(where).values({column: another(row[column], table.c[column])})

        assert MESSAGE + table.name in refusal(tx, change)

    check_all(holds, EVERY_COLUMN, at_least=60)


def test_while_the_guard_is_open_text_changes_and_facts_do_not(tx, records):
    def holds(table: sa.Table, column: str) -> None:
        where, row = records.one(tx, table)
        change = table.update().where(where).values({column: another(row[column], table.c[column])})
        with open_records(tx):
            refused = refusal(tx, change)

        assert (MESSAGE + table.name in refused) is (column not in RULES[table.name].erasable)
        assert (refused == "") is (column in RULES[table.name].erasable)

    check_all(holds, EVERY_COLUMN, at_least=60)


@pytest.mark.parametrize("table", RECORDS, ids=str)
def test_only_rows_of_the_timer_log_can_be_deleted_with_the_guard_open(tx, records, table):
    where, _ = records.one(tx, table)
    closed = refusal(tx, table.delete().where(where))
    with open_records(tx):
        opened = refusal(tx, table.delete().where(where))

    assert MESSAGE + table.name in closed
    assert (MESSAGE + table.name in opened) is (table is not timer_log)


@pytest.mark.parametrize("table", RECORDS, ids=str)
def test_no_statement_reaches_many_rows_at_once(tx, table):
    name = next(iter(table.columns)).name

    assert MESSAGE in refusal(tx, table.delete())
    assert MESSAGE in refusal(tx, table.update().values({name: table.c[name] + 1}))


def test_a_change_to_the_present_value_is_allowed(tx, records):
    for table in RECORDS:
        where, row = records.one(tx, table)

        assert refusal(tx, table.update().where(where).values(row)) == ""


@st.composite
def changes(draw):
    """Several columns of a table at once, and whether the guard is open."""
    table = draw(st.sampled_from(RECORDS))
    names = draw(st.sets(st.sampled_from([column.name for column in table.columns]), min_size=1, max_size=5))
    return table, names, draw(st.booleans())


@pytest.mark.skip_on("mssql", reason="the other constraints are asked before its triggers")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=changes())
def test_of_several_columns_one_fact_is_enough_to_refuse_them_all(tx, records, change):
    table, names, is_open = change
    rule = RULES[table.name]
    where, row = records.one(tx, table)
    values = {name: another(row[name], table.c[name]) for name in names}
    if "state" in values:
        values["state"] = "void"
    is_voiding = rule.voiding is not None and names & {"state", "is_void"} and names <= set(rule.voiding.columns)
    allowed = is_voiding or (is_open and names <= set(rule.erasable))
    statement = table.update().where(where).values(values)
    if is_open:
        with open_records(tx):
            refused = refusal(tx, statement)
    else:
        refused = refusal(tx, statement)

    assert (MESSAGE + table.name in refused) is not bool(allowed)


def test_a_bill_is_voided_once_and_stays_void(tx, records):
    where, row = records.one(tx, billing_records)
    voiding = {"state": "void", "voided_at": LATER, "void_reason": "a wrong rate"}
    with_more = refusal(tx, billing_records.update().where(where).values(**voiding, total=row["total"]))
    with_another_total = refusal(tx, billing_records.update().where(where).values(**voiding, total=Decimal(0)))
    tx.execute(billing_records.update().where(where).values(voiding))
    taken_back = {"state": "closed", "voided_at": None, "void_reason": None}
    with open_records(tx):
        again = refusal(tx, billing_records.update().where(where).values(taken_back))
        at_another_time = refusal(tx, billing_records.update().where(where).values(voided_at=at("2032-01-01")))
        of_another_reason = refusal(tx, billing_records.update().where(where).values(void_reason=None))

    assert with_more == of_another_reason == ""
    assert all(MESSAGE in each for each in (with_another_total, again, at_another_time))
    assert MESSAGE in refusal(tx, billing_records.update().where(where).values(void_reason=None))


def test_a_line_is_voided_once_and_stays_void(tx, records):
    where, _ = records.one(tx, billing_lines)
    tx.execute(billing_lines.update().where(where).values(is_void=True))
    with open_records(tx):
        assert MESSAGE in refusal(tx, billing_lines.update().where(where).values(is_void=False))


@pytest.mark.skip_on("postgresql", reason="it has no such statement")
@pytest.mark.skip_on("mssql", reason="it has no such statement")
@pytest.mark.parametrize("table", RECORDS, ids=str)
def test_an_insert_that_replaces_a_row_is_refused(tx, records, table):
    _, row = records.one(tx, table)

    assert MESSAGE in refusal(tx, table.insert().prefix_with("OR REPLACE").values(row))


@pytest.mark.skip_on("mssql", reason="it has no such statement")
@pytest.mark.parametrize("table", RECORDS, ids=str)
def test_an_insert_that_updates_a_row_is_refused(tx, records, table):
    _, row = records.one(tx, table)
    fact = next(name for name in FACTS if name in row)
    insert = {"sqlite": sqlite, "postgresql": postgresql}[tx.dialect.name].insert(table)
    upsert = insert.values(row).on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={fact: another(row[fact], table.c[fact])}
    )

    assert MESSAGE in refusal(tx, upsert)


@on_postgresql
@pytest.mark.parametrize("table", RECORDS, ids=str)
def test_no_table_is_emptied_at_once_by_its_owner(tx, table):
    with open_records(tx):
        assert MESSAGE in refusal(tx, sa.text(f"TRUNCATE {table.name} CASCADE"))


def test_the_guard_closes_when_its_block_ends(tx, records):
    where, row = records.one(tx, timer_log)
    change = timer_log.update().where(where).values(reason=another(row["reason"], timer_log.c.reason))
    with open_records(tx):
        pass
    after_a_block = refusal(tx, change)
    with pytest.raises(ZeroDivisionError), open_records(tx):
        raise ZeroDivisionError

    assert MESSAGE in after_a_block
    assert MESSAGE in refusal(tx, change)


def test_an_error_of_the_database_leaves_the_block_as_itself(records):
    with pytest.raises(sa.exc.DBAPIError, match="no_such_table"), records.engine.begin() as tx, open_records(tx):
        tx.exec_driver_sql("SELECT 1 FROM no_such_table")


def test_the_next_transaction_of_a_connection_finds_the_guard_closed(records):
    with records.engine.connect() as connection:
        with pytest.raises(ZeroDivisionError), connection.begin(), open_records(connection):
            raise ZeroDivisionError
        with connection.begin() as transaction:
            where, row = records.one(connection, timer_log)
            change = timer_log.update().where(where).values(reason=another(row["reason"], timer_log.c.reason))

            assert MESSAGE in refusal(connection, change)
            transaction.rollback()


def test_a_refused_statement_is_neither_a_duplicate_nor_transient(records):
    with pytest.raises(sa.exc.IntegrityError) as refused, records.engine.begin() as tx:
        tx.execute(erasures.delete())

    assert not is_unique_violation(refused.value)
    assert not lost_race(refused.value)
    assert not is_transient(refused.value)
    assert isinstance(to_api_error(refused.value), InternalError)


def trigger_names(tx: sa.Connection, table: str) -> list[str]:
    """The names of a table's triggers."""
    of = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{}'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = '{}'::regclass",
    }
    return list(tx.exec_driver_sql(of[tx.dialect.name].format(table)).scalars())


def hollow(tx: sa.Connection, name: str) -> list[str]:
    """Statements that replace a trigger on the audit log with one of the same name that allows everything."""
    if tx.dialect.name == "sqlite":
        action = name.rsplit("_", 1)[1].upper()
        return [f"DROP TRIGGER {name}", f"CREATE TRIGGER {name} BEFORE {action} ON audit_log BEGIN SELECT 1; END"]
    body = "LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN coalesce(new, old); END $$"
    return [f"CREATE OR REPLACE FUNCTION {name.removesuffix('_truncate')}() RETURNS trigger {body}"]


def test_existing_triggers_are_left_unchanged(tx):
    before = find_unprotected_tables(tx)
    protect(tx)

    assert before == find_unprotected_tables(tx) == []


def test_a_trigger_that_is_gone_is_missed_and_made_again(tx, records):
    unprotect(tx, "audit_log")
    missed = find_unprotected_tables(tx)
    protect(tx)
    where, _ = records.one(tx, audit_log)

    assert missed == ["audit_log"]
    assert MESSAGE in refusal(tx, audit_log.delete().where(where))


@on_postgresql
def test_a_trigger_that_is_disabled_is_missed_and_made_again(tx):
    tx.exec_driver_sql("ALTER TABLE erasures DISABLE TRIGGER USER")
    missed = find_unprotected_tables(tx)
    protect(tx)

    assert (missed, find_unprotected_tables(tx)) == (["erasures"], [])


@pytest.mark.parametrize("place", [0, 1])
def test_a_trigger_that_does_nothing_under_its_own_name_is_missed_and_made_again(tx, records, place):
    name = sorted(trigger_names(tx, "audit_log"))[place]
    for statement in hollow(tx, name):
        tx.exec_driver_sql(statement)
    where, _ = records.one(tx, audit_log)
    missed = find_unprotected_tables(tx)
    protect(tx)

    assert (missed, find_unprotected_tables(tx)) == (["audit_log"], [])
    assert MESSAGE in refusal(tx, audit_log.delete().where(where))
    assert MESSAGE in refusal(tx, audit_log.update().where(where).values(action="x"))


@on_postgresql
@pytest.mark.parametrize(
    "change",
    [
        "ALTER FUNCTION {name}() SET search_path = public",
        "{drop}",
        "{drop}; DROP TRIGGER {name}_truncate ON audit_log",
        "{drop}; CREATE TRIGGER {name} AFTER INSERT ON audit_log EXECUTE FUNCTION {name}()",
        "{drop}; {make} FOR EACH ROW WHEN (false) EXECUTE FUNCTION {name}()",
        "{drop}; {make} FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
        "{drop}; {columns} FOR EACH ROW EXECUTE FUNCTION {name}()",
        "{drop}; {make} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ],
)
def test_a_trigger_that_is_another_under_its_own_name_is_missed_and_made_again(tx, records, change):
    name = min(trigger_names(tx, "audit_log"))
    drop, make = f"DROP TRIGGER {name} ON audit_log", f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON audit_log"
    columns = make.replace("UPDATE", "UPDATE OF at")
    tx.exec_driver_sql(change.format(name=name, drop=drop, make=make, columns=columns))
    missed = find_unprotected_tables(tx)
    protect(tx)
    where, _ = records.one(tx, audit_log)

    assert (missed, find_unprotected_tables(tx)) == (["audit_log"], [])
    assert MESSAGE in refusal(tx, audit_log.delete().where(where))


def test_a_guard_that_stays_open_is_found(tx):
    """By a row that is committed on SQLite; on PostgreSQL by a setting of the database or of a role."""
    closed = find_open_guard(tx)
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql("INSERT INTO record_guard (is_open) VALUES (1)")
        assert find_open_guard(tx) == "record_guard"
        protect(tx)
    else:
        name = tx.exec_driver_sql("SELECT current_database()").scalar_one()
        for whose in (f"DATABASE {name}", "ROLE CURRENT_USER"):
            tx.exec_driver_sql(f"ALTER {whose} SET timetracker.records = 'open'")
            assert find_open_guard(tx) == "timetracker.records"
            tx.exec_driver_sql(f"ALTER {whose} RESET timetracker.records")

    assert closed == find_open_guard(tx) == ""


@pytest.mark.parametrize("table", RECORDS, ids=str)
def test_a_new_column_is_a_fact_until_its_rule_says_otherwise(tx, records, table):
    tx.exec_driver_sql(f"ALTER TABLE {table.name} ADD later INTEGER")
    protect(tx)
    newer = sa.table(table.name, *(sa.column(name) for name in ("tenant_id", "later")))
    where = newer.c.tenant_id == records.tenant_id
    with open_records(tx):
        assert MESSAGE in refusal(tx, sa.update(newer).where(where).values(later=1))


def test_a_database_made_without_migrations_has_the_triggers(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path}/plain.db")
    metadata.create_all(engine)
    with engine.connect() as tx:
        found = find_unprotected_tables(tx)
    engine.dispose()

    assert found == []
