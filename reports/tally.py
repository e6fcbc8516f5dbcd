"""Adds pieces up while they pass, so that a workbook's sums and its list come from one reading and always agree."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from reports.piece_store import Piece
from reports.rules import Group, Span
from reports.store import Person, Row, WorkItem


class Tally:
    """Holds the sums by group and by day, and once each what the groups name; never the pieces.

    With `only_known` pieces of work items of unknown type are added up by themselves and go no further.
    """

    def __init__(self, span: Span, groups: tuple[Group, ...], *, only_known: bool = False) -> None:
        self._first, self._groups, self._only_known = span.first, groups, only_known
        self.unknown_ms = 0
        self._sums: dict[tuple[Any, ...], list[int]] = {}
        self._days: dict[dt.date, int] = {}
        self._people: dict[int, Person] = {}
        self._projects: dict[int, tuple[str, str]] = {}  # name and organization
        self._items: dict[tuple[int, str], WorkItem] = {}

    def passing(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """The pieces as they come, each added up on its way."""
        for piece in pieces:
            if self._only_known and piece.work_item.type is None:
                self.unknown_ms += piece.elapsed_ms
            else:
                self._add(piece)
                yield piece

    @property
    def days(self) -> list[tuple[dt.date, int]]:
        return sorted(self._days.items())

    @property
    def organizations(self) -> int:
        """How many organizations the projects and work items of the rows are of."""
        return len({name for _, name in self._projects.values()} | {name for _, name in self._items})

    @property
    def total_ms(self) -> int:
        return sum(self._days.values())

    def rows(self) -> list[Row]:
        """As a reader looks for them: in the order of the groups, by name, number and date."""
        return [self._row(key) for key in sorted(self._sums, key=self._order)]

    def _add(self, piece: Piece) -> None:
        key: list[Any] = []
        for group in self._groups:
            if group is Group.PROJECT:
                self._projects.setdefault(piece.project_id, (piece.project, piece.organization))
                key.append(piece.project_id)
            elif group is Group.USER:
                self._people.setdefault(piece.user_id, piece.user)
                key.append(piece.user_id)
            elif group is Group.WORK_ITEM:
                item = (piece.work_item.id, piece.work_item.organization)
                self._items.setdefault(item, piece.work_item)
                key.append(item)
            else:
                key.append(piece.date)
        sums = self._sums.setdefault(tuple(key), [0, 0])
        sums[0] += piece.elapsed_ms
        sums[1] += piece.starts_entry or piece.date == self._first
        self._days[piece.date] = self._days.get(piece.date, 0) + piece.elapsed_ms

    def _order(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        order: list[Any] = []
        for group, value in zip(self._groups, key, strict=True):
            if group is Group.PROJECT:
                order += [name.casefold() for name in self._projects[value]]
            elif group is Group.USER:
                person = self._people[value]
                order += [person.display_name.casefold(), person.email]
            order.append(value)
        return tuple(order)

    def _row(self, key: tuple[Any, ...]) -> Row:
        of = dict(zip(self._groups, key, strict=True))
        elapsed_ms, entries = self._sums[key]
        project, organization = self._projects[of[Group.PROJECT]] if Group.PROJECT in of else (None, None)
        return Row(
            organization=organization,
            project=project,
            user=self._people[of[Group.USER]] if Group.USER in of else None,
            work_item=self._items[of[Group.WORK_ITEM]] if Group.WORK_ITEM in of else None,
            date=of.get(Group.DAY),
            elapsed_ms=elapsed_ms,
            entries=entries,
        )
