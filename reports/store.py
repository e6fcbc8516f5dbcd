"""Which pieces of time a report is about: whose, of which days, and of which work; and how its rows are told."""

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
from shared.tenancy.store import shown_to, stopped_since
from timers.projects.store import counted_as, project_name_key


class Unknown(Enum):
    """What a report filtered by type does with the time on work items whose type nobody has read yet."""

    LEFT_OUT = auto()
    SUMMED = auto()  # one sum, beside the total
    LISTED = auto()  # rows of their own, after the others


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose time is added up, and which of it; a filter that is None lets everything through."""

    tenant_id: int
    viewer_id: int  # who is shown it
    span: Span
    read_since: dt.date  # the viewer is shown titles of the items that they have read since
    user_id: int | None = None
    user_name: str | None = None
    organization: str | None = None
    project: str | None = None
    type: str | None = None
    unknown: Unknown = Unknown.LEFT_OUT
    user_is_erased: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    id: uuid.UUID
    display_name: str
    email: str
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class Somebody:
    """Whose time is asked for: the row number, the name, and since when the processing of their data is stopped."""

    id: int
    display_name: str
    restricted_since: dt.datetime | None = None
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A work item; its type is None until anybody has read it, all else until the reader of the report has."""

    organization: str
    id: int
    type: str | None = None
    title: str | None = None
    assignee_name: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What a report is not grouped by is None. `organization` is the project's.

    An entry counts in `entries` once, on the day it began or the first one of the report.
    """

    organization: str | None
    project: str | None
    user: Person | None
    work_item: WorkItem | None
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
# A name stands for the projects of this name in every organization, and for all that count as one of them.
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


def _read(what: sa.ColumnElement[bool], item: sa.FromClause) -> sa.ColumnElement[bool]:
    """This was read of a work item, of which `item` has the project and the number.

    First by the number, of whichever organization, since that is one look into a set for each; then exactly.
    """
    of_tenant = sa.and_(work_items.c.tenant_id == TENANT, what)
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
    """Nobody has read the type of a work item, of which `item` has the project and the number."""
    return ~_read(work_items.c.type.is_not(None), item)


_is_of_type: Final = _read(_IS_OF_TYPE, time_entry_days)
_is_of_unknown_type: Final = is_of_unknown_type(time_entry_days)
_ONLY: Final[dict[Filter, sa.ColumnElement[bool]]] = {
    Filter.USER: _days.user_id == bindparam("user", type_=sa.BigInteger),
    Filter.ORGANIZATION: _days.project_id.in_(_OF_ORGANIZATION),
    Filter.PROJECT: _days.project_id.in_(_NAMED),
    Filter.TYPE: _is_of_type,
    Filter.UNKNOWN_TYPE: _is_of_unknown_type,
    Filter.TYPE_OR_UNKNOWN: sa.or_(_is_of_type, _is_of_unknown_type),
}
# Whoever has had the processing of their data stopped is shown to nobody but themselves.
_NOT_SHOWN: Final = sa.select(users.c.id).where(
    users.c.tenant_id == TENANT, ~shown_to(users, bindparam("viewer", type_=sa.BigInteger))
)
# Looked up for each piece only where there is somebody: a look into an empty set costs a tenth of a report.
_SHOWN: Final = sa.or_(~_NOT_SHOWN.exists(), _days.user_id.not_in(_NOT_SHOWN))
_USER: Final = sa.select(
    users.c.id, users.c.display_name, stopped_since(users).label("restricted_since"), users.c.erased_at
).where(users.c.tenant_id == bindparam("tenant"), users.c.public_id == bindparam("public"))


def _alike(*shown: sa.ColumnElement[Any]) -> sa.Select[Any]:
    people = (
        sa.select(users.c.public_id, sa.func.count().over(partition_by=shown).label("number"))
        .where(users.c.tenant_id == bindparam("tenant"), users.c.merged_into.is_(None))
        .subquery("people")
    )
    return sa.select(people.c.public_id).where(people.c.number > 1)


_ALIKE_BY_NAME: Final = _alike(sa.func.lower(users.c.display_name))
_ALIKE: Final = _alike(sa.func.lower(users.c.display_name), sa.func.lower(users.c.email))


def find_user(tx: sa.Connection, tenant_id: int, public_id: uuid.UUID) -> Somebody | None:
    row = tx.execute(_USER, {"tenant": tenant_id, "public": public_id}).first()
    if row is None:
        return None
    return Somebody(row.id, row.display_name, row.restricted_since, is_erased=row.erased_at is not None)


def alike(tx: sa.Connection, tenant_id: int, *, by_name_alone: bool) -> frozenset[uuid.UUID]:
    """The ids of people whom their name, and unless `by_name_alone` their address, do not tell apart."""
    statement = _ALIKE_BY_NAME if by_name_alone else _ALIKE
    return frozenset(tx.execute(statement, {"tenant": tenant_id}).scalars())


def filters_of(asked: Asked) -> frozenset[Filter]:
    given = {
        Filter.USER: asked.user_id,
        Filter.ORGANIZATION: asked.organization,
        Filter.PROJECT: asked.project,
        Filter.TYPE: asked.type,
    }
    return frozenset(name for name, value in given.items() if value is not None)


def filters_with_unknown(asked: Asked) -> frozenset[Filter]:
    """Those of a list: what is of unknown type comes with what is of the type, unless it is left out."""
    filters = filters_of(asked)
    if Filter.TYPE not in filters or asked.unknown is Unknown.LEFT_OUT:
        return filters
    return filters - {Filter.TYPE} | {Filter.TYPE_OR_UNKNOWN}


def where(filters: frozenset[Filter], *, one_month: bool) -> list[sa.ColumnElement[bool]]:
    """The pieces that are asked for: one range of the index, to the day where all of them are in one month."""
    in_months = _days.month_key.between(bindparam("first_month"), bindparam("last_month"))
    months = _days.month_key == bindparam("first_month") if one_month else in_months
    days = _days.work_date.between(bindparam("first"), bindparam("last"))
    shown = [] if Filter.USER in filters else [_SHOWN]
    return [_days.tenant_id == TENANT, months, days, *shown, *(_ONLY[each] for each in Filter if each in filters)]


def parameters(asked: Asked) -> dict[str, Any]:
    first_month, last_month = asked.span.month_keys
    return {
        "tenant": asked.tenant_id,
        "viewer": asked.viewer_id,
        "read_since": asked.read_since,
        "organization": organization_key(asked.organization or ""),
        "first": asked.span.first,
        "last": asked.span.last,
        "first_month": first_month,
        "last_month": last_month,
        "user": asked.user_id,
        "project": project_name_key(asked.project or ""),
        "type": asked.type,
        "type_lower": (asked.type or "").lower(),
    }


def person_of(row: sa.Row[Any]) -> Person:
    return Person(row.public_id, row.display_name, row.email, is_erased=row.erased_at is not None)


def of_cache(
    organization_id: sa.ColumnElement[int | None], work_item_id: sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    """Joins a work item of an organization with what was last read of it."""
    return sa.and_(
        work_items.c.tenant_id == TENANT,
        work_items.c.organization_id == organization_id,
        work_items.c.work_item_id == work_item_id,
    )


def of_organization(organization_id: sa.ColumnElement[int | None]) -> sa.ColumnElement[bool]:
    return sa.and_(organizations.c.tenant_id == TENANT, organizations.c.id == organization_id)
