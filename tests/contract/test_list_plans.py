"""Lists read one range of an index, already in their order: no page sorts or reads the rest of the tenant's rows."""

import datetime as dt
import re
import uuid

import pytest

from tenants.actions.log import sql as action_log
from tenants.settings import audit_store
from tests.support.plans import plan_of
from timers.entries import list_store
from timers.log import store as log_store


AT = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
DAYS = {"since": AT, "until": AT}
SINCE = {"since": AT}
SORTS = re.compile(r"Sort|TEMP B-TREE FOR ORDER BY")
TIMER_END = {"end_timer": uuid.UUID(int=1), "end_event": "stopped", "end_version": 1, "end_at": AT}
ROW_END = {"end_id": uuid.UUID(int=1), "end_at": AT}
TIMER_LOG = [
    ({}, "ix_timer_log_received"),
    (DAYS, "ix_timer_log_received"),
    ({"after": TIMER_END}, "ix_timer_log_received"),
    ({"event": "stopped", **DAYS}, "ix_timer_log_received"),
    ({"rare_event": {"event": "deleted"}}, "ix_timer_log_event"),
    ({"rare_event": {"event": "deleted"}, **SINCE, "after": TIMER_END}, "ix_timer_log_event"),
    ({"user": 1}, "ix_timer_log_user"),
    ({"user": 1, **SINCE, "event": "stopped", "after": TIMER_END}, "ix_timer_log_user"),
]
AUDIT_LOG = [
    ({}, "ix_audit_log_at"),
    (DAYS, "ix_audit_log_at"),
    ({"after": ROW_END}, "ix_audit_log_at"),
    ({"action": "role.changed"}, "ix_audit_log_action"),
    ({"action": "role.changed", **SINCE, "after": ROW_END}, "ix_audit_log_action"),
]
ACTION_LOG = [
    ({}, "uq_action_log_tenant_id"),
    ({"since": "1", "until": "0"}, "uq_action_log_tenant_id"),
    ({"user": 1, "after": "1"}, "ix_action_log_user"),
    ({"type": "page.open", "since": "1", "until": "0"}, "ix_action_log_type"),
]
ENTRY_END = {"end_public": uuid.UUID(int=1), "end_at": AT}
ENTRIES = [
    ({}, "ix_time_entries_tenant"),
    ({"after": ENTRY_END}, "ix_time_entries_tenant"),
    ({"user": 1, "after": ENTRY_END}, "ix_time_entries_user"),
    ({"changed": AT}, "ix_time_entries_changed"),
    ({"after_change": ENTRY_END}, "ix_time_entries_changed"),
    ({"rare_source": {"source": "manual"}}, "ix_time_entries_source"),
    ({"rare_source": {"source": "manual"}, "after": ENTRY_END}, "ix_time_entries_source"),
]
pytestmark = pytest.mark.skip_on("mssql", reason="plans are those of SQLite and PostgreSQL")


def plan(engine, store, given):
    values = {"tenant": 1, "viewer": 1, "most": 51}
    for name, value in given.items():
        values |= value if isinstance(value, dict) else {name: value}
    return plan_of(engine, store.statement(tuple(given)), values)


def reads_in_order(engine, store, given, index):
    """SQLite names the automatic index of a unique key otherwise."""
    steps = plan(engine, store, given)
    name = index.replace("uq_action_log_tenant_id", "sqlite_autoindex_action_log") if "SEARCH" in steps else index

    assert name in steps, steps
    assert not SORTS.search(steps), steps


@pytest.mark.parametrize(("given", "index"), TIMER_LOG)
def test_a_page_of_the_timer_log_reads_a_range_of_an_index(engine, given, index):
    reads_in_order(engine, log_store, given, index)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the choice of PostgreSQL depends on the rows
def test_the_events_of_one_timer_are_read_by_its_key(engine):
    steps = plan(
        engine, log_store, {"timer": {"timer": uuid.UUID(int=1)}, "since_of_timer": SINCE, "after_of_timer": TIMER_END}
    )

    assert "timer_log USING INDEX sqlite_autoindex_timer_log_1 (tenant_id=? AND timer_id=?)" in steps


@pytest.mark.parametrize(("given", "index"), AUDIT_LOG)
def test_a_page_of_the_audit_log_reads_a_range_of_an_index(engine, given, index):
    reads_in_order(engine, audit_store, given, index)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_rows_of_one_person_are_read_by_two_ranges(engine):
    steps = plan(engine, audit_store, {"user": 1, **DAYS})

    assert "ix_audit_log_actor" in steps
    assert "ix_audit_log_subject" in steps


@pytest.mark.parametrize(("given", "index"), ACTION_LOG)
def test_a_page_of_the_action_log_reads_a_range_of_an_index(engine, given, index):
    reads_in_order(engine, action_log, given, index)


@pytest.mark.parametrize(("given", "index"), ENTRIES)
def test_a_page_of_entries_reads_a_range_of_an_index(engine, given, index):
    reads_in_order(engine, list_store, given, index)
