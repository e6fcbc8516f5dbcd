"""The query of a report, its conditions in SQL, and the values of its rows."""

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from reports.rules import Span
from shared.db.schema import organizations, projects, time_entry_days, users, work_items
from shared.tenancy.organization_store import organization_key
from shared.tenancy.people import Person
from shared.tenancy.store import visible_to
from timers.projects import counted_as, project_name_key


class UnknownTypes(Enum):
    """The place of time on work items of unknown type in a report filtered by type."""

    LEFT_OUT = auto()
    SUMMED = auto()  # a separate sum, not in the total
    LISTED = auto()  # separate rows after the others


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """The days, the filters and the viewer of a report; a filter that is None lets everything through."""

    viewer_id: int  # the user who sees the report
    span: Span
    read_since: dt.date  # the viewer sees titles of work items that they have read since this day
    person: Person | None = None
    organization: str | None = None
    project: str | None = None
    type: str | None = None
    unknown: UnknownTypes = UnknownTypes.LEFT_OUT


@dataclass(frozen=True, slots=True)
class ReportPerson:
    id: uuid.UUID
    display_name: str
    email: str
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class WorkItemView:
    """A work item as the viewer sees it: the type if anybody has read the item, the other fields if the viewer has."""

    organization: str
    id: int
    type: str | None = None
    title: str | None = None
    assignee_name: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class SumRow:
    """A row of sums; values of other groups are None. `organization` is the project's.

    An entry counts in `entries` once, on its first day or on the first day of the report.
    """

    organization: str | None
    project: str | None
    user: ReportPerson | None
    work_item: WorkItemView | None
    date: dt.date | None
    elapsed_ms: int
    entries: int
    type_known: bool = True


class Filter(StrEnum):
    USER = "user"
    ORGANIZATION = "organization"
    PROJECT = "project"
    TYPE = "type"
    UNKNOWN_TYPE = "unknownType"
    TYPE_OR_UNKNOWN = "typeOrUnknown"


_days = time_entry_days.c
TENANT: Final = bindparam("tenant", type_=sa.BigInteger)
_OF_TENANT: Final = projects.c.tenant_id == TENANT
_OF_ORGANIZATION: Final = sa.select(projects.c.id).where(
    _OF_TENANT,
    projects.c.organization_id.in_(
        sa.select(organizations.c.id).where(
            organizations.c.tenant_id == TENANT,
            organizations.c.name_key == bindparam("organization", type_=sa.String),
        )
    ),
)
_named = projects.alias("named")
# A name selects the projects of this name in all organizations, and their aliases.
_NAMED: Final = sa.select(projects.c.id).where(
    _OF_TENANT,
    counted_as().in_(
        sa.select(counted_as(_named)).where(
            _named.c.tenant_id == TENANT,
            _named.c.name_key == sa.func.lower(_named.c.organization) + "/" + bindparam("project", type_=sa.Unicode),
        )
    ),
)
_IS_OF_TYPE: Final = sa.or_(
    work_items.c.type == bindparam("type", type_=sa.Unicode),
    sa.func.lower(work_items.c.type) == bindparam("type_lower", type_=sa.Unicode),
)


def _is_cached(condition: sa.ColumnElement[bool], item: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether the cache of work items has a row for the project and number of `item` that meets the condition.

    First by number alone, which is one look-up in a set, then exactly.
    """
    of_tenant = sa.and_(work_items.c.tenant_id == TENANT, condition)
    return sa.and_(
        item.c.work_item_id.in_(sa.select(work_items.c.work_item_id).where(of_tenant)),
        sa.select(sa.literal_column("1"))
        .select_from(projects)
        .join(work_items, work_items.c.organization_id == projects.c.organization_id)
        .where(
            _OF_TENANT,
            projects.c.id == item.c.project_id,
            work_items.c.work_item_id == item.c.work_item_id,
            of_tenant,
        )
        .correlate(item)
        .exists(),
    )


def is_of_unknown_type(item: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether the type is unknown of the work item with the project and number of `item`."""
    return ~_is_cached(work_items.c.type.is_not(None), item)


_is_of_type: Final = _is_cached(_IS_OF_TYPE, time_entry_days)
_is_of_unknown_type: Final = is_of_unknown_type(time_entry_days)
_ONLY: Final[dict[Filter, sa.ColumnElement[bool]]] = {
    Filter.USER: _days.user_id == bindparam("user", type_=sa.BigInteger),
    Filter.ORGANIZATION: _days.project_id.in_(_OF_ORGANIZATION),
    Filter.PROJECT: _days.project_id.in_(_NAMED),
    Filter.TYPE: _is_of_type,
    Filter.UNKNOWN_TYPE: _is_of_unknown_type,
    Filter.TYPE_OR_UNKNOWN: sa.or_(_is_of_type, _is_of_unknown_type),
}
# People who have stopped the processing of their data are visible only to themselves.
_HIDDEN_USERS: Final = sa.select(users.c.id).where(
    users.c.tenant_id == TENANT, ~visible_to(users, bindparam("viewer", type_=sa.BigInteger))
)
# The first condition avoids the look-up for each piece where there are none, which costs a tenth of a report.
_IS_VISIBLE: Final = sa.or_(~_HIDDEN_USERS.exists(), _days.user_id.not_in(_HIDDEN_USERS))


def _select_alike(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    people = (
        sa.select(users.c.public_id, sa.func.count().over(partition_by=columns).label("number"))
        .where(users.c.tenant_id == bindparam("tenant"), users.c.merged_into.is_(None))
        .subquery("people")
    )
    return sa.select(people.c.public_id).where(people.c.number > 1)


_ALIKE_BY_NAME: Final = _select_alike(sa.func.lower(users.c.display_name))
_ALIKE: Final = _select_alike(sa.func.lower(users.c.display_name), sa.func.lower(users.c.email))


def find_alike(tx: sa.Connection, tenant_id: int, *, by_name_alone: bool) -> frozenset[uuid.UUID]:
    """The ids of people who share their name, and unless `by_name_alone` their address, with somebody."""
    statement = _ALIKE_BY_NAME if by_name_alone else _ALIKE
    return frozenset(tx.execute(statement, {"tenant": tenant_id}).scalars())


def filters_of(query: ReportQuery) -> frozenset[Filter]:
    values = {
        Filter.USER: query.person,
        Filter.ORGANIZATION: query.organization,
        Filter.PROJECT: query.project,
        Filter.TYPE: query.type,
    }
    return frozenset(name for name, value in values.items() if value is not None)


def filters_with_unknown(query: ReportQuery) -> frozenset[Filter]:
    """The filters of a list, which has pieces of unknown type too unless they are left out."""
    filters = filters_of(query)
    if Filter.TYPE not in filters or query.unknown is UnknownTypes.LEFT_OUT:
        return filters
    return filters - {Filter.TYPE} | {Filter.TYPE_OR_UNKNOWN}


def where(filters: frozenset[Filter], *, one_month: bool) -> list[sa.ColumnElement[bool]]:
    """The conditions on pieces: one range of the index, which is exact to the day within one month."""
    in_months = _days.month_key.between(bindparam("first_month"), bindparam("last_month"))
    months = _days.month_key == bindparam("first_month") if one_month else in_months
    days = _days.work_date.between(bindparam("first"), bindparam("last"))
    visible = [] if Filter.USER in filters else [_IS_VISIBLE]
    return [_days.tenant_id == TENANT, months, days, *visible, *(_ONLY[each] for each in Filter if each in filters)]


def parameters(tenant_id: int, query: ReportQuery) -> dict[str, Any]:
    first_month, last_month = query.span.months
    return {
        "tenant": tenant_id,
        "viewer": query.viewer_id,
        "read_since": query.read_since,
        "organization": organization_key(query.organization or ""),
        "first": query.span.first,
        "last": query.span.last,
        "first_month": first_month.key,
        "last_month": last_month.key,
        "user": None if query.person is None else query.person.id,
        "project": project_name_key(query.project or ""),
        "type": query.type,
        "type_lower": (query.type or "").lower(),
    }


def person_of(row: sa.Row[Any]) -> ReportPerson:
    return ReportPerson(row.public_id, row.display_name, row.email, is_erased=row.erased_at is not None)


def of_cache(
    organization_id: sa.ColumnElement[int | None], work_item_id: sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    """Joins a work item of an organization with its row in the cache."""
    return sa.and_(
        work_items.c.tenant_id == TENANT,
        work_items.c.organization_id == organization_id,
        work_items.c.work_item_id == work_item_id,
    )


def of_organization(organization_id: sa.ColumnElement[int | None]) -> sa.ColumnElement[bool]:
    return sa.and_(organizations.c.tenant_id == TENANT, organizations.c.id == organization_id)
