"""Reads all data about a person or an organization, one section per table.

The statements follow from the catalog: the kind of a column decides whether it is exported.
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from pydantic.alias_generators import to_camel
from sqlalchemy import bindparam

from privacy.catalog.columns import CATALOG
from shared.db.schema import (
    metadata,
    notices,
    organizations,
    projects,
    running_timers,
    time_entries,
    timer_log,
    users,
    work_item_readers,
    work_items,
    write_back_items,
)
from shared.tenancy.store import not_restricted
from timers.work_items import HIDDEN_FROM_OTHERS, of_viewer, read_since, shown


ACTIONS: Final = "actions"
_FETCH_SIZE: Final = 1000
_FIELD_NAMES: Final = {"public_id": "id", "before_change": "before", "after_change": "after"}
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_USER: Final = bindparam("user", type_=sa.BigInteger)
# The person's account, and the invitations that were merged into it.
_ACCOUNTS: Final = bindparam("accounts", type_=sa.BigInteger, expanding=True)
_restricted = users.alias("restricted")
_RESTRICTED_IDS: Final = sa.select(_restricted.c.id).where(
    _restricted.c.tenant_id == _TENANT, ~not_restricted(_restricted)
)
_PEOPLE: Final = sa.select(users.c.id, users.c.public_id).where(
    users.c.tenant_id == _TENANT, sa.or_(users.c.id == _USER, sa.and_(_USER.is_(None), not_restricted(users)))
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an export. `of_person` is None for data of the organization alone."""

    about: str
    fields: tuple[str, ...]
    of_tenant: sa.Select[Any]
    of_person: sa.Select[Any] | None
    own_only: bool = False


def _build_section(table: sa.Table) -> Section:
    entry = CATALOG[table.name]
    exported = [name for name, kind in entry.columns.items() if kind.is_exported]
    own = [_select_column(table.c[name]).label(_field_name(name)) for name in exported]
    source, more = _join_names(table)
    if table.name == "work_items":
        source = source.outerjoin(work_item_readers, of_viewer(table.c.organization_id, table.c.work_item_id))
    in_tenant = (table.c.id if table.name == "tenants" else table.c.tenant_id) == _TENANT
    everything = sa.select(*own, *more).select_from(source).where(in_tenant).order_by(*table.primary_key.columns)
    of_person = None
    if entry.of:
        owner = table.c[entry.of[0]]
        is_visible = sa.or_(owner.is_(None), owner.not_in(_RESTRICTED_IDS))  # nobody's rows too
        by_person = [sa.and_(table.c[name].in_(_ACCOUNTS), is_visible) for name in entry.by]
        of_person = everything.where(sa.or_(owner.in_(_ACCOUNTS), *by_person))
        everything = everything.where(is_visible)
    elif table.name == "work_items":
        of_person = everything.where(_has_tracked_time())
    elif table.name == "write_back_changes":  # a change belongs to the person of its entry
        everything = everything.where(~_entry_belongs_to(table, timer_log.c.user_id.in_(_RESTRICTED_IDS)))
        of_person = everything.where(_entry_belongs_to(table, timer_log.c.user_id.in_(_ACCOUNTS)))
    elif table.name == "tenants":
        identity = [table.c[name].label(_field_name(name)) for name in ("public_id", "name", "slug", "organization")]
        of_person = sa.select(*identity).where(in_tenant)
    fields = tuple(column.name for column in (*own, *more))
    return Section(entry.about, fields, everything, of_person, entry.own_only)


def _select_column(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A column. Data with restricted access in Azure DevOps only from items that the requester has read there."""
    return shown(column) if any(column is each for each in HIDDEN_FROM_OTHERS) else column


def _has_tracked_time() -> sa.ColumnElement[bool]:
    """A condition for work items with time or a running timer of the person."""
    item, entry, timer = work_items.c, time_entries.c, running_timers.c
    entries: sa.Select[Any] = (
        sa.select(sa.literal_column("1"))
        .select_from(time_entries)
        .join(projects, sa.and_(projects.c.tenant_id == _TENANT, projects.c.id == entry.project_id))
        .where(
            entry.tenant_id == _TENANT,
            entry.user_id.in_(_ACCOUNTS),
            entry.work_item_id == item.work_item_id,
            projects.c.organization_id == item.organization_id,
        )
        .correlate(work_items)
    )
    runs = sa.exists().where(
        timer.tenant_id == _TENANT,
        timer.user_id.in_(_ACCOUNTS),
        timer.work_item_id == item.work_item_id,
        timer.organization_id == item.organization_id,
    )
    return sa.or_(entries.exists(), runs)


def _entry_belongs_to(table: sa.Table, is_owner: sa.ColumnElement[bool]) -> sa.Exists:
    """A condition for rows of entries, also deleted ones, by a condition on their person in the timer log."""
    return sa.exists().where(timer_log.c.tenant_id == _TENANT, timer_log.c.timer_id == table.c.entry_id, is_owner)


def _join_names(table: sa.Table) -> tuple[sa.FromClause, list[sa.Label[Any]]]:
    """Columns in place of row numbers: public ids of people, entries and items; names of projects and organizations."""
    source: sa.FromClause = table
    names: list[sa.Label[Any]] = []
    for name in (
        "user_id",
        "actor_id",
        "subject_user_id",
        "invited_by",
        "buyer_id",
        "decider_id",
        "billing_contact_id",
    ):
        if name in table.c:
            person = users.alias(name.removesuffix("_id"))
            same = sa.and_(person.c.tenant_id == table.c.tenant_id, person.c.id == table.c[name])
            source = source.outerjoin(person, same)
            names.append(person.c.public_id.label(to_camel(name)))
    if "project_id" in table.c:
        same = sa.and_(projects.c.tenant_id == table.c.tenant_id, projects.c.id == table.c.project_id)
        source = source.outerjoin(projects, same)
        if "project" not in table.c:
            names += [projects.c.organization.label("organization"), projects.c.name.label("project")]
    elif "organization_id" in table.c and "organization" not in table.c:
        same = sa.and_(organizations.c.tenant_id == table.c.tenant_id, organizations.c.id == table.c.organization_id)
        source = source.outerjoin(organizations, same)
        names.append(organizations.c.name.label("organization"))
    if table.name == "projects":
        counted = projects.alias("counted")
        same = sa.and_(counted.c.tenant_id == table.c.tenant_id, counted.c.id == table.c.alias_of)
        source = source.outerjoin(counted, same)
        names.append(counted.c.public_id.label("countsAs"))
    if table.name == "time_entry_days":
        same = sa.and_(time_entries.c.tenant_id == table.c.tenant_id, time_entries.c.id == table.c.entry_id)
        source = source.outerjoin(time_entries, same)
        names.append(time_entries.c.public_id.label("entryId"))
    if table.name == "write_back_attempts":
        same = sa.and_(write_back_items.c.tenant_id == table.c.tenant_id, write_back_items.c.id == table.c.item_id)
        source = source.outerjoin(write_back_items, same)
        names.append(write_back_items.c.public_id.label("itemId"))
    if table.name == "notice_views":
        same = sa.and_(notices.c.tenant_id == table.c.tenant_id, notices.c.id == table.c.notice_id)
        source = source.outerjoin(notices, same)
        names.append(notices.c.public_id.label("noticeId"))
    return source, names


def _field_name(column: str) -> str:
    return _FIELD_NAMES.get(column) or to_camel(column)


SECTIONS: Final = {
    entry.section: _build_section(metadata.tables[name]) for name, entry in CATALOG.items() if entry.section is not None
}
# For exports by an operator, on an order or when a customer leaves: the whole cache, without the check of readings.
_CACHE: Final = CATALOG["work_items"]
_WHOLE_CACHE: Final = (
    sa.select(
        *(work_items.c[name].label(_field_name(name)) for name, kind in _CACHE.columns.items() if kind.is_exported),
        organizations.c.name.label("organization"),
    )
    .select_from(work_items)
    .join(organizations, organizations.c.id == work_items.c.organization_id)
    .where(work_items.c.tenant_id == _TENANT, organizations.c.tenant_id == _TENANT)
    .order_by(work_items.c.id)
)


def section_names(*, of_person: bool, is_own: bool) -> list[str]:
    """The sections of an export, in order. `is_own`: an export by the person."""
    return [
        name
        for name, section in SECTIONS.items()
        if (section.of_person is not None or not of_person) and (is_own or not section.own_only)
    ]


def section_fields(name: str, *, of_person: bool) -> tuple[str, ...]:
    section = SECTIONS[name]
    if of_person and name == "organisation":
        assert section.of_person is not None  # noqa: S101 - an invariant of ours
        return tuple(column.name for column in section.of_person.selected_columns)
    return section.fields


def read_rows(
    tx: sa.Connection,
    name: str,
    tenant_id: int,
    user_id: int | None,
    merged: Sequence[int] = (),
    *,
    reader_id: int | None,
    now: dt.datetime,
) -> Iterator[dict[str, Any]]:
    """The rows of a section, streamed from the database.

    `merged` are the invitations that were merged into the person's account. Titles of work items are those that the
    reader may see; without a reader, for an organization, all stored ones.
    """
    section = SECTIONS[name]
    statement = section.of_tenant if user_id is None else section.of_person
    if name == _CACHE.section and reader_id is None:
        assert user_id is None, "an export of a person has a reader"  # noqa: S101 - an invariant of ours
        statement = _WHOLE_CACHE
    assert statement is not None, "only sections of the scope are read"  # noqa: S101 - an invariant of ours
    parameters: dict[str, Any] = {"tenant": tenant_id, "viewer": reader_id, "read_since": read_since(now)}
    if user_id is not None:
        parameters |= {"user": user_id, "accounts": [user_id, *merged]}
    for row in tx.execute(statement, parameters, execution_options={"yield_per": _FETCH_SIZE}).mappings():
        yield dict(row)


def list_people(tx: sa.Connection, tenant_id: int, user_id: int | None) -> dict[int, uuid.UUID]:
    """The public ids of the people in an export: one person, or all without stopped processing."""
    return {row.id: row.public_id for row in tx.execute(_PEOPLE, {"tenant": tenant_id, "user": user_id})}
