"""The columns of a report's rows, by its groups: the same ones in CSV and in workbooks."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from reports.rules import Group
from reports.store import Person, Row, WorkItem
from shared.tenancy.rules import short_id


Value = str | int | dt.date | None


@dataclass(frozen=True, slots=True)
class Names:
    """How people are named: those who would look alike with the beginning of their id; addresses are optional."""

    alike: frozenset[uuid.UUID] = frozenset()
    with_addresses: bool = True

    def of(self, person: Person) -> str:
        return f"{person.display_name} ({short_id(person.id)})" if person.id in self.alike else person.display_name


ALL_NAMES: Final = Names()


@dataclass(frozen=True, slots=True)
class Column:
    """`width` is in characters."""

    title: str
    width: float
    value: Callable[[Row], Value]
    wraps: bool = False


def columns(groups: tuple[Group, ...], names: Names, *, with_organization: bool = True) -> list[Column]:
    """In the order of the groups; the organization of projects and work items comes before the first of them."""
    return list(_columns(groups, names, with_organization=with_organization))


def _of_item(value: Callable[[WorkItem], Value]) -> Callable[[Row], Value]:
    return lambda row: None if row.work_item is None else value(row.work_item)


def organization(row: Row) -> str | None:
    return row.work_item.organization if row.work_item is not None else row.organization


def _columns(groups: tuple[Group, ...], names: Names, *, with_organization: bool) -> Iterator[Column]:
    for group in groups:
        if with_organization and group in {Group.PROJECT, Group.WORK_ITEM}:
            yield Column("Organization", 16.0, organization)
            with_organization = False
        if group is Group.USER:
            yield Column("Person", 22.0, lambda row: None if row.user is None else names.of(row.user))
            if names.with_addresses:
                yield Column("E-mail", 30.0, lambda row: None if row.user is None else row.user.email)
        else:
            yield from _OF_GROUP[group]


_OF_GROUP: Final = {
    Group.PROJECT: (Column("Project", 24.0, lambda row: row.project, wraps=True),),
    Group.DAY: (Column("Date", 12.0, lambda row: row.date),),
    Group.WORK_ITEM: (
        Column("Work item", 12.0, _of_item(lambda item: item.id)),
        Column("Type", 13.0, _of_item(lambda item: item.type)),
        Column("Title", 40.0, _of_item(lambda item: item.title), wraps=True),
        Column("Assignee", 18.0, _of_item(lambda item: item.assignee_name)),
        Column("State", 11.0, _of_item(lambda item: item.state)),
    ),
}
