"""Sums pieces of time while they are written, so that a workbook's totals and its list come from one reading."""

import datetime as dt
from collections.abc import Hashable, Iterator
from typing import Any

from reports.dimensions import DIMENSIONS
from reports.piece_store import Piece
from reports.rules import Group, Span
from reports.store import SumRow


class Tally:
    """Holds the sums by group and by day and the values of the groups, but no pieces.

    With `only_known` pieces of unknown work item types are summed separately and left out.
    """

    def __init__(self, span: Span, groups: tuple[Group, ...], *, only_known: bool = False) -> None:
        self._first, self._groups, self._only_known = span.first, groups, only_known
        self._dimensions = [DIMENSIONS[group] for group in groups]
        self._values: list[dict[Hashable, Any]] = [{} for _ in groups]
        self._sums: dict[tuple[Hashable, ...], list[int]] = {}
        self._days: dict[dt.date, int] = {}
        self.unknown_ms = 0

    def add_each(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Yields the pieces, each after it is added."""
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
    def total_ms(self) -> int:
        return sum(self._days.values())

    def rows(self) -> list[SumRow]:
        """Sorted in the order of the groups."""
        return [self._row(keys) for keys in sorted(self._sums, key=self._order)]

    def _add(self, piece: Piece) -> None:
        keys = tuple([dimension.key(piece) for dimension in self._dimensions])
        sums = self._sums.get(keys)
        if sums is None:
            sums = self._sums[keys] = [0, 0]
            for dimension, values, key in zip(self._dimensions, self._values, keys, strict=True):
                values.setdefault(key, dimension.value(piece))
        sums[0] += piece.elapsed_ms
        sums[1] += piece.starts_entry or piece.date == self._first
        self._days[piece.date] = self._days.get(piece.date, 0) + piece.elapsed_ms

    def _order(self, keys: tuple[Hashable, ...]) -> tuple[Any, ...]:
        parts = zip(self._dimensions, self._values, keys, strict=True)
        return tuple((dimension.order(values[key]), key) for dimension, values, key in parts)

    def _row(self, keys: tuple[Hashable, ...]) -> SumRow:
        parts = zip(self._groups, self._values, keys, strict=True)
        value = {group: values[key] for group, values, key in parts}
        project, organization = value.get(Group.PROJECT, (None, None))
        elapsed_ms, entries = self._sums[keys]
        return SumRow(
            organization=organization,
            project=project,
            user=value.get(Group.USER),
            work_item=value.get(Group.WORK_ITEM),
            date=value.get(Group.DAY),
            elapsed_ms=elapsed_ms,
            entries=entries,
        )
