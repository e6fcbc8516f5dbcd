"""Every statement of the app, as sent by Microsoft's driver and as parsed by two T-SQL parsers."""

import datetime as dt
import decimal
import re
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
import sqlglot
from sqlalchemy.dialects import mssql
from sqlalchemy.sql import operators, visitors
from sqlfluff.core import Linter
from sqlglot import exp

from shared.db.schema import metadata
from shared.db.statements import InsertIfAbsent, can_seek, for_update
from tests.contract.test_tenant_scope import MOST_FILTERS, reports, statements
from tests.support import budget
from tests.support.cases import check_all
from tests.support.sql_server import Rows, default_script
from tests.support.tds import Statement
from timers.entries import list_store
from timers.log import store as log_store


# T-SQL converts to the type further left in this list; a converted column cannot use its index.
PRECEDENCE = (
    *("datetimeoffset", "datetime2", "date", "float", "decimal", "numeric", "bigint", "int", "smallint"),
    *("tinyint", "bit", "uniqueidentifier", "nvarchar", "varchar"),
)
SAMPLES = {
    bool: True,
    int: 7,
    str: "text",
    uuid.UUID: uuid.UUID(int=7),
    decimal.Decimal: decimal.Decimal("1.5"),
    dt.datetime: dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC),
    dt.date: dt.date(2026, 11, 25),
}
# The bases of other statements, never sent
TEMPLATES = {("timers.log.store", "_PAGE"), ("timers.entries.list_store", "_PAGE")}
EVERY: dict[str, list[Any]] = {}  # one statement for most names, one for every choice of filters for others
for at, statement in statements(MOST_FILTERS):
    if at not in TEMPLATES:
        EVERY.setdefault(".".join(at), []).append(statement)
# A filtered index serves only statements with its predicate in their text, since plans do not depend on parameters. The
# indexes for speed are listed with their statements. The others are unique keys: on values that are not null, which any
# equality implies, or on a state, which enforce a rule; queries of such states use the tenant's own index.
READERS: dict[str, tuple[str | sa.Select[Any], ...]] = {
    "ix_billing_records_unpriced": tuple(
        f"billing.closing.record_store.{name}" for name in ("_ALL_WITHOUT_PRICE", "_UNPRICED")
    ),
    "ix_write_back_changes_open": ("timers.entries.unwritten_store._CANDIDATES",),
    "ix_write_back_items_open": tuple(f"timers.entries.unwritten_store.{name}" for name in ("_CANDIDATES", "_short")),
    "ix_time_entries_source": (list_store.statement(("rare_source",)),),
    "ix_timer_log_event": (log_store.statement(("rare_event",)),),
    "ix_time_entries_review": ("timers.entries.store._TO_REVIEW",),
    "ix_usage_events_not_accepted": ("billing.metering.store._LATE",),
    "ix_usage_events_open": tuple(f"billing.metering.store.{name}" for name in ("_DUE", "_DUE_OF", "_CLAIM")),
    "ix_users_merged_into": ("tenants.invitations.store._MERGED",),
}
LINTER = Linter(dialect="tsql")
COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between)


def dialect():
    made = mssql.dialect()
    made.server_version_info = (16, 0, 0, 0)  # type: ignore[assignment]
    made._setup_version_attributes()
    return made


def for_azure(statement):
    return statement.statement("mssql") if isinstance(statement, InsertIfAbsent) else statement


def sample(bind):
    if isinstance(bind.type, sa.JSON):
        return {"v": 1}
    own = bind.type.impl_instance if isinstance(bind.type, sa.types.TypeDecorator) else bind.type
    value = 7 if isinstance(own, sa.types.NullType) else SAMPLES[own.python_type]
    return [value, value] if bind.expanding else value


def parameters(statement, *, of=sample):
    """A value for everything that the statement takes; an INSERT without values takes its columns."""
    compiled = statement.compile(dialect=dialect(), column_keys=columns(statement))
    return {name: of(bind) for name, bind in compiled.binds.items() if bind.required or bind.value is None}


def columns(statement):
    if not isinstance(statement, sa.Insert) or statement.select is not None or statement._values:
        return None
    return [column.name for column in statement.table.columns if column.identity is None]


def sent_statement(azure, engine, statement):
    """The statement as it arrives at the server: its text, and the type of each parameter."""
    with engine.connect() as connection:
        azure.statements.clear()
        connection.execute(statement, parameters(statement))
    return next(each for each in azure.statements if not each.sql.startswith("<"))


@pytest.fixture
def azure(azure):
    azure.script = lambda statement: (
        Rows(("id",), [(7,)]) if re.search(r"OUTPUT|scope_identity", statement.sql) else default_script(statement)
    )
    return azure


def tree_of(sql):
    """As sqlglot reads it, which knows OUTPUT in a DELETE only where no WHERE follows."""
    plain = re.sub(r"^(DELETE FROM \w+) OUTPUT .*?(?=\sWHERE )", r"\1", sql, flags=re.DOTALL)
    return sqlglot.parse_one(plain, dialect="tsql", error_level=sqlglot.ErrorLevel.RAISE)


def unreadable(sql):
    """What in it is no T-SQL to sqlfluff; sqlglot raises."""
    tree_of(sql)
    return [str(each) for each in LINTER.parse_string(sql + "\n").violations]


class Syntax:
    """The parts of T-SQL that sqlfluff, a slow parser, has read: each part, at each place in another, once."""

    def __init__(self) -> None:
        self._read: set[tuple[type, type, str]] = set()

    def check(self, statement):
        tree = tree_of(statement.sql)
        parts = {(type(node), type(node.parent), node.arg_key) for node in tree.walk()}
        if budget.ALL or not parts <= self._read:
            self._read |= parts
            assert unreadable(statement.sql) == []


def is_indexed(column):
    keys = [*column.table.indexes, *column.table.constraints]
    return any(column.name in key.columns for key in keys if not isinstance(key, sa.CheckConstraint))


def converted_columns(statement):
    """The indexed columns that SQL Server converts to the type of the compared parameter."""
    tree = tree_of(statement.sql)
    named = {table.alias_or_name: table.name for table in tree.find_all(exp.Table)}
    for parameter in tree.find_all(exp.Parameter):
        comparison = parameter.parent
        if not isinstance(comparison, COMPARED) or isinstance(comparison.parent, exp.Update):
            continue  # an assignment of an UPDATE looks like a comparison
        declared = statement.declared[int(parameter.name.removeprefix("P")) - 1]
        for column in comparison.find_all(exp.Column):
            tables = [named[column.table]] if column.table in named else sorted(set(named.values()))
            for table in tables:
                made = metadata.tables.get(table)
                if made is not None and column.name in made.c and is_indexed(made.c[column.name]):
                    own = made.c[column.name].type.compile(dialect=dialect()).lower()
                    if rank(declared) < rank(own):
                        yield f"{table}.{column.name} {own} is compared with {declared}"


def rank(type_):
    return PRECEDENCE.index(re.split(r"[( ]", type_)[0].replace("integer", "int"))


def test_a_statement_arrives_in_t_sql_that_converts_no_indexed_column(azure, azure_engine):
    syntax = Syntax()

    def holds(name: str) -> None:
        for each in EVERY[name]:
            arrived = sent_statement(azure, azure_engine, for_azure(each))
            assert list(converted_columns(arrived)) == []
            syntax.check(arrived)

    check_all(holds, EVERY, at_least=300)


def test_the_statements_of_a_report_arrive_in_t_sql_that_converts_no_indexed_column(azure, azure_engine):
    arrived = [sent_statement(azure, azure_engine, each) for each in list(reports())[::4]]
    syntax = Syntax()

    assert len(arrived) > 30
    for each in arrived:
        assert list(converted_columns(each)) == []
        syntax.check(each)


def locked_table(statement):
    """The table whose rows the statement locks, if any."""
    wanted = getattr(statement, "_for_update_arg", None)
    return wanted.of[0] if wanted is not None else None


def columns_of(table, statement):
    return {column_of(table, node) for node in visitors.iterate(statement)} - {None}


def column_of(table, node):
    """The name of a column of the table, and not of another name for it."""
    return node.name if isinstance(node, sa.Column) and str(node.table) == table.name else None


def covering_keys(statement):
    """The keys with all columns that a locking statement needs: SQL Server may lock such a key instead of the row."""
    table = locked_table(statement)
    needed = columns_of(table, statement) - set(table.primary_key.columns.keys())  # each key has the clustered one
    for key in [*table.indexes, *table.constraints]:
        if isinstance(key, sa.Index | sa.UniqueConstraint) and needed <= in_key(table, key):
            yield key.name


def in_key(table, key):
    options = key.dialect_options["mssql"]
    where = options.get("where")
    return {
        *key.columns.keys(),
        *(options.get("include") or ()),
        *(columns_of(table, where) if where is not None else ()),
    }


HELD = [name for name in EVERY if any(locked_table(each) is not None for each in EVERY[name])]


def test_no_index_covers_a_locking_statement():
    assert [(name, found) for name in HELD for each in EVERY[name] for found in covering_keys(each)] == []


def test_a_locking_statement_covered_by_an_index_is_detected():
    users = metadata.tables["users"]
    by_id = sa.select(users.c.id).where(users.c.tenant_id == 1, users.c.id == 2)
    by_object = sa.select(users.c.entra_object_id).where(users.c.tenant_id == 1)

    assert len(HELD) >= 9
    assert "uq_users_tenant_id_id" in covering_keys(for_update(by_id, users))
    assert list(covering_keys(for_update(by_object, users))) == ["ux_users_entra_object_id"]
    assert list(covering_keys(for_update(by_id.add_columns(users.c.version), users))) == []


def compared(table, statement):
    """The columns of a table that a statement compares by equality or IN."""
    read = [node for each in statement.get_final_froms() for node in visitors.iterate(each)]
    terms = [statement.whereclause, *(node.onclause for node in read if isinstance(node, sa.Join))]
    while terms:
        term = terms.pop()
        if isinstance(term, sa.BooleanClauseList) and term.operator is operators.and_:
            terms += term.clauses
        elif isinstance(term, sa.BinaryExpression) and term.operator in {operators.eq, operators.in_op}:
            yield from (column_of(table, side) for side in (term.left, term.right))


def test_locked_rows_are_found_through_an_index():
    def holds(name: str) -> None:
        for each in EVERY[name]:
            assert "FORCESEEK" in str(each.compile(dialect=dialect()))
            assert can_seek(locked_table(each), compared(locked_table(each), each))

    check_all(holds, HELD, at_least=9)


def test_a_seek_that_sql_server_would_refuse_is_found_out():
    users, events = metadata.tables["users"], metadata.tables["subscription_events"]
    either = sa.select(users).where(sa.or_(users.c.tenant_id == 1, users.c.id == 2))
    later = sa.select(users).where(users.c.tenant_id > 1, users.c.email == "a")

    assert not can_seek(users, compared(users, either))
    assert not can_seek(users, compared(users, later))
    assert can_seek(users, compared(users, sa.select(users).where(users.c.id.in_([1]), users.c.email == "a")))
    assert not can_seek(events, ["operation_id"])  # its index leaves rows out


def test_an_insert_looks_for_its_key_through_an_index_where_one_has_every_row():
    made = {name: each for name, (each, *_) in EVERY.items() if isinstance(each, InsertIfAbsent)}
    without = {
        name for name, each in made.items() if "FORCESEEK" not in str(for_azure(each).compile(dialect=dialect()))
    }

    assert len(made) > 10
    assert without == {"billing.subscriptions.store._ADD_BOUGHT", "billing.subscriptions.ledger_store._ADD_EVENT"}


def null_sample(bind):
    """NULL, and for a list or a number of rows, which cannot be, a sample."""
    return sample(bind) if bind.expanding or (bind.type.python_type is int and bind.unique) else None


def test_a_parameter_that_is_null_costs_no_round_trip(azure, azure_engine):
    def holds(name: str) -> None:
        for each in EVERY[name]:
            statement = for_azure(each)
            with azure_engine.connect() as connection:
                azure.statements.clear()
                connection.execute(statement, parameters(statement, of=null_sample))

            assert [text for text in azure.texts if text.startswith("<sp_")] == []
            tree_of(next(text for text in azure.texts if not text.startswith("<")))

    check_all(holds, EVERY, at_least=300)


def for_many(statement):
    """The statement sent for several rows at once; None if it returns rows, or takes a list or a number of rows."""
    made = statement._build("mssql") if isinstance(statement, InsertIfAbsent) else statement
    if not isinstance(made, sa.sql.dml.UpdateBase) or made._returning:
        return None
    compiled = made.compile(dialect=dialect(), column_keys=columns(made))
    return None if compiled.post_compile_params or compiled.literal_execute_params else made


MANY = [name for name in EVERY if for_many(EVERY[name][0]) is not None]


def test_each_of_several_rows_is_declared_like_one(azure, azure_engine):
    def holds(name: str) -> None:
        statement = for_many(EVERY[name][0])
        rows = [parameters(statement, of=of) for of in (sample, null_sample, sample)]
        with azure_engine.connect() as connection:
            azure.statements.clear()
            connection.execute(statement, rows[0])
            alone = {type_ for each in azure.statements for type_ in each.declared}
            azure.statements.clear()
            connection.execute(statement, rows)

        assert [text for text in azure.texts if text.startswith("<sp_")] == []
        assert {type_ for each in azure.statements for type_ in each.declared} == alone

    check_all(holds, MANY, at_least=80)


def test_several_work_items_without_an_assignee_are_sent_without_a_question(azure, azure_engine):
    statement = for_many(EVERY["timers.work_items.store._ADD"][0])
    rows = [{**parameters(statement), "assignee_name": None, "title": "a" * length} for length in (3, 6, 9)]
    with azure_engine.connect() as connection:
        azure.statements.clear()
        connection.execute(statement, rows)

    assert len([text for text in azure.texts if text.startswith("INSERT")]) == len(rows)
    assert [text for text in azure.texts if text.startswith("<sp_")] == []
    assert len({each.declared for each in azure.statements if each.sql.startswith("INSERT")}) == 1


def test_a_conversion_that_would_cost_an_index_is_found_out():
    wide = Statement("SELECT id FROM tenants AS t WHERE t.slug = @P1", ("nvarchar(64)",))
    narrow = Statement("SELECT id FROM tenants AS t WHERE t.slug = @P1", ("varchar(64)",))
    listed = Statement("SELECT id FROM users WHERE tenant_id IN (@P1, @P2)", ("bigint", "decimal(19,4)"))

    assert list(converted_columns(wide)) == ["tenants.slug varchar(64) is compared with nvarchar(64)"]
    assert list(converted_columns(narrow)) == []
    assert list(converted_columns(listed)) == ["users.tenant_id bigint is compared with decimal(19,4)"]


def filtered_indexes():
    """The filtered indexes, and the predicate of each as T-SQL has it."""
    for table in metadata.tables.values():
        for index in table.indexes:
            predicate = index.dialect_options["mssql"].get("where")
            if predicate is not None:
                yield index, str(predicate.compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))


def test_every_filtered_index_that_is_for_speed_names_its_readers():
    assert {index.name for index, _ in filtered_indexes() if not index.unique} == READERS.keys()


@pytest.mark.parametrize("name", READERS)
def test_a_filtered_index_finds_its_predicate_in_the_statements_that_need_it(azure, azure_engine, name):
    predicate = next(text for index, text in filtered_indexes() if index.name == name)
    readers = [EVERY[reader][0] if isinstance(reader, str) else reader for reader in READERS[name]]
    arrived = [sent_statement(azure, azure_engine, reader).sql for reader in readers]

    assert [text for text in arrived if remove_qualifiers(predicate) not in remove_qualifiers(text)] == []


def remove_qualifiers(sql):
    return re.sub(r"\b\w+\.", "", sql)


def test_a_parameter_does_not_replace_the_predicate_of_an_index(azure, azure_engine):
    events = metadata.tables["usage_events"]
    by_parameter = sa.select(events.c.id).where(events.c.state.in_(("pending", "held")))

    assert "'pending'" not in sent_statement(azure, azure_engine, by_parameter).sql


def test_invalid_t_sql_is_detected():
    assert unreadable("SELECT id FROM tenants WHERE plan = 1") != []
