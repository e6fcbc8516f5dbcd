"""Reads everything that is held about a person or an organisation, a section for each table, as rows come.

The statements follow from the catalogue: what a column holds says whether it is in an export.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from pydantic.alias_generators import to_camel
from sqlalchemy import bindparam

from privacy.rules_catalogue import CATALOGUE
from shared.db.schema import (
    metadata,
    notices,
    organizations,
    projects,
    time_entries,
    timer_log,
    users,
    write_back_items,
)
from shared.tenancy.store import not_stopped


ACTIONS: Final = "actions"
_AT_ONCE: Final = 1000
_SPELLED: Final = {"public_id": "id", "before_change": "before", "after_change": "after"}
_TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_USER: Final = bindparam("user", type_=sa.BigInteger)
_stopped = users.alias("stopped")
_WHO_STOPPED_IT: Final = sa.select(_stopped.c.id).where(_stopped.c.tenant_id == _TENANT, ~not_stopped(_stopped))
_PEOPLE: Final = sa.select(users.c.id, users.c.public_id).where(
    users.c.tenant_id == _TENANT, sa.or_(users.c.id == _USER, sa.and_(_USER.is_(None), not_stopped(users)))
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an export. `of_person` is None for what is nobody's, but the organisation's."""

    about: str
    fields: tuple[str, ...]
    of_tenant: sa.Select[Any]
    of_person: sa.Select[Any] | None
    own_only: bool = False


def _section(table: sa.Table) -> Section:
    facts = CATALOGUE[table.name]
    own = [table.c[name].label(_spelled(name)) for name, kind in facts.columns.items() if kind.is_exported]
    source, more = _joined(table)
    in_tenant = (table.c.id if table.name == "tenants" else table.c.tenant_id) == _TENANT
    everything = sa.select(*own, *more).select_from(source).where(in_tenant).order_by(*table.primary_key.columns)
    of_person = None
    if facts.of:
        whose = table.c[facts.of[0]]
        shown = sa.or_(whose.is_(None), whose.not_in(_WHO_STOPPED_IT))  # of nobody, or of somebody who lets it be shown
        by_them = [sa.and_(table.c[name] == _USER, shown) for name in facts.by]
        of_person = everything.where(sa.or_(whose == _USER, *by_them))
        everything = everything.where(shown)
    elif table.name == "work_items":
        of_person = everything.where(_has_time_of_theirs(table))
    elif table.name == "write_back_changes":  # of nobody by itself, but of an entry, which is somebody's
        everything = everything.where(~_logged_for(table, timer_log.c.user_id.in_(_WHO_STOPPED_IT)))
        of_person = everything.where(_logged_for(table, timer_log.c.user_id == _USER))
    elif table.name == "tenants":
        told = [table.c[name].label(_spelled(name)) for name in ("public_id", "name", "slug", "organization")]
        of_person = sa.select(*told).where(in_tenant)
    fields = tuple(column.name for column in (*own, *more))
    in_parts = {"yield_per": _AT_ONCE}
    of_person = None if of_person is None else of_person.execution_options(**in_parts)
    return Section(facts.about, fields, everything.execution_options(**in_parts), of_person, facts.own_only)


def _logged_for(table: sa.Table, whose: sa.ColumnElement[bool]) -> sa.Exists:
    """A condition for rows of entries, kept or deleted, that are somebody's by the log."""
    return sa.exists().where(timer_log.c.tenant_id == _TENANT, timer_log.c.timer_id == table.c.entry_id, whose)


def _has_time_of_theirs(items: sa.Table) -> sa.Exists:
    """A condition for work items that the person has tracked time on: what Azure DevOps calls them finds nothing."""
    at_item = (projects.c.organization_id == items.c.organization_id, timer_log.c.work_item_id == items.c.work_item_id)
    return sa.exists().where(
        timer_log.c.tenant_id == _TENANT,
        timer_log.c.user_id == _USER,
        projects.c.tenant_id == timer_log.c.tenant_id,
        projects.c.id == timer_log.c.project_id,
        *at_item,
    )


def _joined(table: sa.Table) -> tuple[sa.FromClause, list[sa.Label[Any]]]:
    """What stands for row numbers: people and items by their ids, projects and organizations by name, days by entry."""
    source: sa.FromClause = table
    shown: list[sa.Label[Any]] = []
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
            shown.append(person.c.public_id.label(to_camel(name)))
    if "project_id" in table.c:
        same = sa.and_(projects.c.tenant_id == table.c.tenant_id, projects.c.id == table.c.project_id)
        source = source.outerjoin(projects, same)
        if "project" not in table.c:
            shown += [projects.c.organization.label("organization"), projects.c.name.label("project")]
    elif "organization_id" in table.c and "organization" not in table.c:
        same = sa.and_(organizations.c.tenant_id == table.c.tenant_id, organizations.c.id == table.c.organization_id)
        source = source.outerjoin(organizations, same)
        shown.append(organizations.c.name.label("organization"))
    if table.name == "projects":
        counted = projects.alias("counted")
        same = sa.and_(counted.c.tenant_id == table.c.tenant_id, counted.c.id == table.c.alias_of)
        source = source.outerjoin(counted, same)
        shown.append(counted.c.public_id.label("countsAs"))
    if table.name == "time_entry_days":
        same = sa.and_(time_entries.c.tenant_id == table.c.tenant_id, time_entries.c.id == table.c.entry_id)
        source = source.outerjoin(time_entries, same)
        shown.append(time_entries.c.public_id.label("entryId"))
    if table.name == "write_back_attempts":
        same = sa.and_(write_back_items.c.tenant_id == table.c.tenant_id, write_back_items.c.id == table.c.item_id)
        source = source.outerjoin(write_back_items, same)
        shown.append(write_back_items.c.public_id.label("itemId"))
    if table.name == "notice_views":
        same = sa.and_(notices.c.tenant_id == table.c.tenant_id, notices.c.id == table.c.notice_id)
        source = source.outerjoin(notices, same)
        shown.append(notices.c.public_id.label("noticeId"))
    return source, shown


def _spelled(column: str) -> str:
    return _SPELLED.get(column) or to_camel(column)


SECTIONS: Final = {
    facts.section: _section(metadata.tables[name]) for name, facts in CATALOGUE.items() if facts.section is not None
}


def names(*, of_person: bool, is_own: bool) -> list[str]:
    """The sections of an export, in their order. `is_own`: the person takes it out themselves."""
    return [
        name
        for name, section in SECTIONS.items()
        if (section.of_person is not None or not of_person) and (is_own or not section.own_only)
    ]


def fields(name: str, *, of_person: bool) -> tuple[str, ...]:
    section = SECTIONS[name]
    if of_person and name == "organisation":
        assert section.of_person is not None  # noqa: S101 - an invariant of ours
        return tuple(column.name for column in section.of_person.selected_columns)
    return section.fields


def rows(tx: sa.Connection, name: str, tenant_id: int, user_id: int | None) -> Iterator[dict[str, Any]]:
    """The rows of a section, with the values of their columns, as the database hands them out."""
    section = SECTIONS[name]
    statement = section.of_tenant if user_id is None else section.of_person
    assert statement is not None, "the organisation's own is asked for by nobody alone"  # noqa: S101 - ours
    parameters = {"tenant": tenant_id, **({} if user_id is None else {"user": user_id})}
    for row in tx.execute(statement, parameters).mappings():
        yield dict(row)


def people(tx: sa.Connection, tenant_id: int, user_id: int | None) -> dict[int, uuid.UUID]:
    """The ids of those whose data is in an export: one person, or everybody who has not had it stopped."""
    return {row.id: row.public_id for row in tx.execute(_PEOPLE, {"tenant": tenant_id, "user": user_id})}
