"""Statements select a title, an assignee or a state only for readers of the work item with their own token."""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from privacy.export import section_store
from shared.db.schema import work_item_readers, work_items
from shared.db.statements import InsertIfAbsent
from tests.contract.test_layers import MODULES, imports_of, module_name
from tests.contract.test_tenant_scope import reports, statements
from tests.support.cases import check_all
from timers.work_items.reader_store import HIDDEN_FROM_OTHERS, SHOWN, of_viewer


# An operator's export on an order or at a departure has the whole cache, and is on record.
SHOWS_ALL = {("privacy.export.section_store", "_WHOLE_CACHE")}
# Each module that knows the cache; those that build statements when they are first asked are called by `built`.
KNOW_THE_CACHE = {
    "privacy.retention.store",
    "privacy.export.section_store",
    "privacy.erasure.text_store",  # an erasure blanks mentions of its person
    "reports.store",
    "reports.piece_store",
    "reports.sum_store",
    "reports.title_store",
    "shared.tenancy.organization_store",
    "timers.picker.item_store",
    "timers.work_items.reader_store",
    "timers.work_items.store",
}


def built():
    yield from reports()
    for section in section_store.SECTIONS.values():
        yield from (each for each in (section.of_tenant, section.of_person) if each is not None)


def reads(column: object) -> bool:
    """Whether it is a restricted column of the work item cache, under any alias."""
    return isinstance(column, sa.Column) and any(column.shares_lineage(each) for each in HIDDEN_FROM_OTHERS)


def is_guarded(case: sa.Case[Any]) -> bool:
    """Whether it is NULL for people without a reading."""
    return case.else_ is None and all(
        any(getattr(node, "table", None) is work_item_readers for node in visitors.iterate(condition))
        for condition, _ in case.whens
    )


def bare(element: Any) -> bool:  # noqa: ANN401 - any part of a statement
    """Whether the selection has such a column outside a CASE about the reader."""
    if isinstance(element, sa.Case) and is_guarded(element):
        return False
    return reads(element) or any(bare(child) for child in element.get_children())


def shows_without_reading(statement: Any) -> bool:  # noqa: ANN401 - any value of a module
    if isinstance(statement, InsertIfAbsent):
        return statement.source is not None and shows_without_reading(statement.source)
    selects = [node for node in visitors.iterate(statement) if isinstance(node, sa.Select)]
    returned = getattr(statement, "_returning", ())
    columns = [column for select in selects for column in select._raw_columns]  # as written, before any is derived
    return any(bare(column) for column in (*columns, *returned))


def test_a_statement_shows_titles_only_to_their_readers():
    def holds(where: tuple[str, str], statement: Any) -> None:  # noqa: ANN401 - any value of a module
        assert shows_without_reading(statement) is (where in SHOWS_ALL)

    check_all(holds, statements(), at_least=750)


def test_every_report_and_export_shows_titles_only_to_their_readers():
    made = list(built())

    assert len(made) > 150
    assert [str(each) for each in made if shows_without_reading(each)] == []
    assert sum("work_item_readers" in str(each) for each in made) > 20


def test_the_statements_that_show_all_are_the_operators():
    assert {where for where, _ in statements()} >= SHOWS_ALL


def test_no_other_module_knows_the_cache():
    knows = re.compile(r"shared\.db\.schema.*\.work_items")
    found = {module_name(path) for path in MODULES if any(knows.fullmatch(name) for name in imports_of(path))}
    apart = ("devcloud.", "tools.", "shared.db.schema")

    assert {name for name in found if not name.startswith(apart)} == KNOW_THE_CACHE


def test_a_statement_without_the_reader_is_detected():
    item = work_items.c
    joined = sa.select(item.title).join(work_item_readers, of_viewer(item.organization_id, item.work_item_id))
    case = sa.case((work_item_readers.c.read_on.is_not(None), item.title), else_=item.state)
    nested = sa.select(sa.select(item.assignee_name).subquery().c.assignee_name)
    removed = work_items.delete().returning(item.title)

    assert [shows_without_reading(each) for each in (joined, sa.select(case), nested, removed)] == [True] * 4
    assert shows_without_reading(sa.select(sa.func.upper(item.title)))
    assert not shows_without_reading(sa.select(item.type, *SHOWN))
