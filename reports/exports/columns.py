"""The columns of a report in CSV and in workbooks, by its groups."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from reports.rules import Group
from reports.store import ReportPerson, SumRow, WorkItemView
from shared.tenancy.rules import short_id


Value = str | int | dt.date | None


@dataclass(frozen=True, slots=True)
class Names:
    """The names of people, with the first characters of the id where names are equal."""

    alike: frozenset[uuid.UUID] = frozenset()
    with_addresses: bool = True

    def of(self, person: ReportPerson) -> str:
        return f"{person.display_name} ({short_id(person.id)})" if person.id in self.alike else person.display_name


FULL_NAMES: Final = Names()


@dataclass(frozen=True, slots=True)
class Column:
    """`width` is in characters."""

    title: str
    width: float
    value: Callable[[SumRow], Value]
    wraps: bool = False


def build_columns(groups: tuple[Group, ...], names: Names, *, with_organization: bool = True) -> list[Column]:
    """In the order of the groups, with the organization before the first project or work item."""
    return list(_iterate_columns(groups, names, with_organization=with_organization))


def _item_value(value: Callable[[WorkItemView], Value]) -> Callable[[SumRow], Value]:
    return lambda row: None if row.work_item is None else value(row.work_item)


def organization_of(row: SumRow) -> str | None:
    return row.work_item.organization if row.work_item is not None else row.organization


def _iterate_columns(groups: tuple[Group, ...], names: Names, *, with_organization: bool) -> Iterator[Column]:
    for group in groups:
        if with_organization and group in {Group.PROJECT, Group.WORK_ITEM}:
            yield Column("Organization", 16.0, organization_of)
            with_organization = False
        if group is Group.USER:
            yield Column("Person", 22.0, lambda row: None if row.user is None else names.of(row.user))
            if names.with_addresses:
                yield Column("E-mail", 30.0, lambda row: None if row.user is None else row.user.email)
        else:
            yield from _GROUP_COLUMNS[group]


_GROUP_COLUMNS: Final = {
    Group.PROJECT: (Column("Project", 24.0, lambda row: row.project, wraps=True),),
    Group.DAY: (Column("Date", 12.0, lambda row: row.date),),
    Group.WORK_ITEM: (
        Column("Work item", 12.0, _item_value(lambda item: item.id)),
        Column("Type", 13.0, _item_value(lambda item: item.type)),
        Column("Title", 40.0, _item_value(lambda item: item.title), wraps=True),
        Column("Assignee", 18.0, _item_value(lambda item: item.assignee_name)),
        Column("State", 11.0, _item_value(lambda item: item.state)),
    ),
}
