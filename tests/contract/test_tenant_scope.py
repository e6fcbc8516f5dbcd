"""Every statement on a tenant's table names the tenant: collected from the modules that build them."""

import importlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql import visitors

from privacy.erasure import text_store
from privacy.export import section_store
from privacy.retention import store as retention
from reports import piece_store, sum_store, title_store
from reports.rules import Group
from reports.store import Filter, UnknownTypes
from shared.db.schema import metadata
from shared.db.statements import InsertIfAbsent
from shared.http import idempotency
from tenants.actions.log import sql as action_store
from tenants.settings import audit_store
from tests.contract.test_layers import layer_of
from tests.support.cases import check_all
from timers.entries import list_store
from timers.log import store as log_store


ROOT = Path(__file__).resolve().parents[2]
# A directory is looked up by its Entra id to find its tenant, a purchase by Microsoft's id; jobs list the tenants and
# the purchases they go through, and operators list and find tenants. A batch of usage holds events of several tenants,
# and the meter lists all of them together.
ACROSS_TENANTS = {
    ("billing.adoption.store", "_METERED"),
    ("billing.metering.reconcile_store", "_ACCEPTED"),
    ("billing.metering.reconcile_store", "_ADOPTED"),
    ("billing.metering.reconcile_store", "_FIND"),
    ("billing.metering.reconcile_store", "_OPEN"),
    ("billing.metering.reconcile_store", "_OWNERS"),
    ("billing.trials.store", "_OVER"),
    ("ops.tenants.store", "_FIND"),
    ("ops.tenants.store", "_PAGE"),
    ("ops.marketplace.store", "_BY_OPERATION"),
    ("ops.restore.store", "_BOUGHT"),
    ("ops.restore.store", "_CHANGES"),
    ("ops.restore.store", "_ITEMS"),
    ("ops.restore.store", "_USAGE"),
    ("ops.billing.store", "_BILLS"),
    ("ops.billing.store", "_FIND"),
    ("ops.billing.store", "_PAGE"),
    ("privacy.retention.store", "_TENANT_SLUGS"),
    ("privacy.erasure.damage_store", "_DAMAGED"),
    ("billing.closing.store", "_ALL_BILLED_THROUGH"),
    ("billing.closing.store", "_ZONES"),
    ("billing.closing.record_store", "_ALL_WITHOUT_PRICE"),
    ("billing.closing.record_store", "_PRICEABLE"),
    ("privacy.requests.store", "_DUE"),
    ("privacy.restore.store", "_PERSON"),
    ("privacy.restore.store", "_TENANT"),
    ("privacy.requests.store", "_EVERYWHERE"),
    ("privacy.requests.store", "_LIST"),
    ("shared.restore.store", "_REMOVE"),
    ("shared.restore.store", "_PENDING"),
    ("billing.subscriptions.store", "_BY_MARKETPLACE_ID"),
    ("shared.tenancy.store", "_TENANT"),
    ("tenants.invitations.store", "_TENANTS"),
    ("timers.entries.move_store", "_TENANTS"),
    ("shared.tenancy.store", "_TENANT_LOCKED"),
    ("shared.tenancy.store", "_CALLER"),
    ("shared.tenancy.store", "_CALLER_LOCKED"),
    ("billing.metering.store", "_DUE"),
    ("billing.metering.store", "_LATE"),
    ("billing.metering.store", "_WAITING_FOR_LIST"),
    ("timers.forgotten.store", "_TENANTS"),
    ("billing.subscriptions.store", "_ALL_BOUGHT"),
    ("billing.subscriptions.ledger_store", "_WITHOUT_PRICE"),
    ("webhooks.agreement.store", "_BY_ID"),
    ("webhooks.agreement.store", "_OPEN"),
}
# A visit to the landing page belongs to nobody before the sign-in, and then to a person who may have no tenant; the
# installation's one row is about all of them.
WITHOUT_TENANT = {"installation", "landing_visits"}
# What is on record is changed by an erasure, which puts a pseudonym where it names somebody, and by nothing else.
ERASURE = {
    ("tenants.actions.log.sql", "_REWRITE"),
    ("tenants.actions.log.sql", "_DELETE"),
    ("privacy.erasure.tenant_store", "REMOVALS"),
}
EXCLUSIVE = (
    {"to_review", "reviewed"},
    {"event", "rare_event"},
    {"source", "rare_source"},
    {"after", "after_change"},
    {"changed", "after_change"},
    {"changed", "after"},
    {"timer", "after"},
    {"after", "after_of_timer"},
    {"since", "since_of_timer"},
    {"until", "until_of_timer"},
)
MOST_FILTERS = 2  # at once: a part of a statement knows no third part
STORES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for top in ("timers", "reports", "tenants", "billing", "webhooks", "privacy", "ops", "shared")
    for path in (ROOT / top).rglob("*.py")
    if layer_of(path.stem) == "store" or path.stem in {"audit", "idempotency", "sql"}
)


def statements(most_filters: int | None = None) -> Iterator[tuple[tuple[str, str], Any]]:
    """Where each is, and itself; of those built for every choice of filters, all or only up to so many at once."""
    for module in STORES:
        for attribute, value in vars(importlib.import_module(module)).items():
            found = value.items() if isinstance(value, dict) else [(None, value)]
            for key, each in found:
                if most_filters is not None and isinstance(key, frozenset) and len(key) > most_filters:
                    continue
                if isinstance(each, sa.sql.expression.Executable | InsertIfAbsent):
                    yield (module, attribute), each
    yield from lists(most_filters)


def lists(most_filters: int | None = None) -> Iterator[tuple[tuple[str, str], sa.Select[Any]]]:
    """Built when first asked for, so a scan of the modules does not find them."""
    for store in (list_store, log_store, audit_store, action_store):
        names = store._CONDITIONS.keys()
        for size in range((3 if most_filters is None else most_filters) + 1):
            for some in itertools.combinations(names, size):
                if not any(pair <= set(some) for pair in EXCLUSIVE):
                    yield (store.__name__, "statement"), store.statement(some)


def reports() -> Iterator[sa.Select[Any]]:
    """Built when first asked for, so a scan of the modules does not find them.

    Groups and filters alone and in pairs: a part of a statement knows no third part. A filter and a kind of span are
    conditions on the pieces of time, of which groups know only whether the index has them in order.
    """
    given = (Filter.USER, Filter.ORGANIZATION, Filter.PROJECT, Filter.TYPE)
    filters = [frozenset(some) for size in range(MOST_FILTERS + 1) for some in itertools.combinations(given, size)]
    with_unknown = [each - {Filter.TYPE} | {Filter.TYPE_OR_UNKNOWN} for each in filters if Filter.TYPE in each]
    spans = [(each, True) for each in (*filters, *with_unknown)] + [(frozenset[Filter](), False)]
    for each, one_month in spans:
        yield piece_store.statement(each, one_month=one_month)
        yield piece_store.count_statement(each, one_month=one_month)
        yield title_store.items_statement(each, one_month=one_month)
        if not each & {Filter.TYPE, Filter.TYPE_OR_UNKNOWN}:
            yield title_store.outdated_statement(each, one_month=one_month)
    groups = [some for size in (1, 2) for some in itertools.permutations(Group, size)]
    for some, one_month in itertools.product((*groups, tuple(Group)), (True, False)):
        yield sum_store.statement(some, frozenset(), one_month=one_month)
    for some, each in itertools.product(((Group.PROJECT,), (Group.WORK_ITEM,)), filters[1:]):
        yield sum_store.statement(some, each, one_month=True)
    of_type = frozenset({Filter.TYPE})
    for some in groups:
        yield sum_store.statement(some, of_type, one_month=True, unknown=UnknownTypes.LISTED)
    for group in Group:
        yield sum_store.statement((group,), of_type, one_month=True, unknown=UnknownTypes.SUMMED)


def table_of(column: Any) -> str:  # noqa: ANN401 - a column that is_tenant
    return str(column.table.name)


def is_tenant(side: object) -> bool:
    return isinstance(side, sa.Column) and (side.name == "tenant_id" or str(side) == "tenants.id")


def names_its_tenant(statement: Any) -> bool:  # noqa: ANN401 - any value of a module
    """Whether each table in the statement is tied to a tenant: by its own column, or by the inserted one."""
    if isinstance(statement, InsertIfAbsent):
        return "tenant_id" in statement.columns or statement.table.name == "tenants"
    if isinstance(statement, sa.Insert):
        return "tenant_id" in statement.table.columns or statement.table.name in WITHOUT_TENANT
    tied: set[str] = set()
    used: set[str] = set()
    joined: list[set[str]] = []
    for node in visitors.iterate(statement):
        if isinstance(node, sa.Column) and isinstance(node.table, sa.Table | sa.Alias):
            used.add(str(node.table.name))
        if isinstance(node, sa.sql.elements.BinaryExpression):
            sides = {table_of(side) for side in (node.left, node.right) if is_tenant(side)}
            given = any(isinstance(side, sa.BindParameter) for side in (node.left, node.right))
            tied |= sides if given else set()
            joined += [sides] if len(sides) > 1 else []
    for _ in joined:  # a table that shares its tenant with one that is tied is tied too
        tied |= {name for pair in joined if pair & tied for name in pair}
    return used <= tied | WITHOUT_TENANT


def test_a_statement_names_the_tenant_of_every_table_it_touches():
    def holds(where: tuple[str, str], statement: Any) -> None:  # noqa: ANN401 - any value of a module
        assert names_its_tenant(statement) or where in ACROSS_TENANTS

    check_all(holds, statements(), at_least=750)


def test_every_statement_of_a_report_names_its_tenant():
    def holds(statement: sa.Select[Any]) -> None:
        assert names_its_tenant(statement)

    check_all(holds, reports(), at_least=120)


def test_the_scan_finds_the_statements():
    assert {where for where, _ in statements()} >= ACROSS_TENANTS


def test_retention_and_exports_name_the_tenant_of_every_table():
    made: list[Any] = [
        each for statements in retention.STATEMENTS.values() for each in (statements.count, statements.remove)
    ]
    made += [each for section in section_store.SECTIONS.values() for each in (section.of_tenant, section.of_person)]

    assert [str(each) for each in made if each is not None and not names_its_tenant(each)] == []


@pytest.mark.parametrize("name", sorted(text_store.TEXT_COLUMNS))
def test_an_erasure_takes_words_out_of_one_tenant_only(name):
    column = text_store.TEXT_COLUMNS[name]
    made = [column.remove, column.own, text_store.mention_query(name, 2), column.write]

    assert all(names_its_tenant(statement) for statement in made if statement is not None)


def test_an_erasure_reads_titles_and_stored_answers_of_one_tenant_only():
    assert names_its_tenant(text_store.title_query(2))
    assert names_its_tenant(idempotency.select_matching(2))


@pytest.mark.parametrize("table", ["audit_log", "timer_log", "action_log", "subscription_events", "subscription_rates"])
def test_records_are_never_changed_or_removed(table):
    changing = [
        where
        for where, statement in statements()
        if isinstance(statement, sa.Update | sa.Delete)
        and getattr(statement.table, "name", None) == table
        and where not in ERASURE
    ]

    assert changing == []


def test_a_statement_without_the_tenant_is_detected():
    entries = metadata.tables["time_entries"]
    forgetful = sa.select(entries.c.id).where(entries.c.user_id == sa.bindparam("user"))

    assert not names_its_tenant(forgetful)


def test_a_join_on_the_tenant_does_not_stand_for_naming_it():
    log, people = metadata.tables["timer_log"], metadata.tables["users"]
    same_tenant = sa.and_(people.c.tenant_id == log.c.tenant_id, people.c.id == log.c.user_id)
    everybody = sa.select(log.c.id, people.c.id).join(people, same_tenant)

    assert not names_its_tenant(everybody)
    assert names_its_tenant(everybody.where(log.c.tenant_id == sa.bindparam("tenant")))
